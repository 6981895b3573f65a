//! Checks settings that depend on each other.

use std::net::{Ipv4Addr, SocketAddr};

use crate::mistake::MistakeKind;
use crate::reader::Reader;
use crate::settings::Config;

/// Checks the settings against each other; those that are already reported are left out.
pub(crate) fn check(config: &Config, reader: &mut Reader<'_>) {
    ports(config, reader);
    let own_broker = config.kafka.brokers.is_none() && !reader.is_spoilt("kafka.brokers");
    if own_broker && config.kafka.replication > 1 && !reader.is_spoilt("kafka.replication") {
        let given = Some(config.kafka.replication.to_string());
        let right = "the broker that is started on this machine stands alone: write 1, or set kafka.brokers to a \
                     cluster of your own";
        reader.report(MistakeKind::Contradiction, "kafka.replication", given, right);
    }
    let nobody = config.clickhouse.user.is_none() && !reader.is_spoilt("clickhouse.user");
    if nobody && config.clickhouse.password.is_some() {
        let right =
            "a password without a user has no effect: set clickhouse.user as well, or remove the password";
        reader.report(MistakeKind::Contradiction, "clickhouse.password", None, right);
    }
}

/// Checks that no two listeners share a port. Listeners of the user's own broker or server are not opened here.
fn ports(config: &Config, reader: &mut Reader<'_>) {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut listeners = Vec::with_capacity(5);
    if config.kafka.brokers.is_none() {
        listeners.push(("kafka.port", local(config.kafka.port)));
        listeners.push(("kafka.controller_port", local(config.kafka.controller_port)));
    }
    if config.clickhouse.url.is_none() {
        listeners.push(("clickhouse.port", local(config.clickhouse.port)));
    }
    listeners.push(("ingest.listen", config.ingest.listen));
    listeners.push(("api.listen", config.api.listen));
    listeners.retain(|(field, _)| !reader.is_spoilt(field));
    for (index, (field, listener)) in listeners.iter().enumerate() {
        let clash = listeners[..index].iter().find(|(_, earlier)| collide(*earlier, *listener));
        if let Some((earlier, _)) = clash {
            let right = format!("{earlier} has port {} already: choose another", listener.port());
            reader.report(MistakeKind::PortTaken, field, Some(format!("\"{listener}\"")), right);
        }
    }
}

/// Whether two listeners collide. Port 0 takes a free one.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_collide_on_one_port_of_one_host() {
        for (one, other, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "0.0.0.0:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "10.0.0.1:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(collide(one, other), expected, "{one} {other}");
            assert_eq!(collide(other, one), expected, "{other} {one}");
        }
    }
}
