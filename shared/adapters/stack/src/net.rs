//! Ports on loopback: finding free ones, waiting for one to answer.

use crate::StackError;
use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// The pause between two attempts.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The time limit of a connection attempt; on loopback an answer takes microseconds.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a port may still look taken: until a new child executes its program, it holds copies of this process's
/// sockets.
const PORT_WAIT: Duration = Duration::from_secs(1);
/// The ports from which [`free_port`] draws, if the system's own range lies elsewhere (it usually starts at 32768).
const PORTS: RangeInclusive<u16> = 18_000..=31_999;
/// How many ports are tried before the system chooses.
const DRAWS: u32 = 64;

/// A free port of 127.0.0.1. It is not reserved, but it lies outside the range from which the system takes ports for
/// outgoing connections and for `bind` to port 0, so it usually stays free. Handle [`StackError::PortTaken`] anyway.
///
/// # Errors
/// [`StackError::NoFreePort`] if there is none.
pub fn free_port() -> Result<u16, StackError> {
    free_ports::<1>().map(|[port]| port)
}

/// Several different free ports; see [`free_port`].
///
/// # Errors
/// [`StackError::NoFreePort`] if there are none.
pub fn free_ports<const N: usize>() -> Result<[u16; N], StackError> {
    let drawn =
        !system_ports().is_some_and(|system| system.contains(PORTS.start()) || system.contains(PORTS.end()));
    // All are held at once, so that none is returned twice.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = (0..if drawn { DRAWS } else { 0 })
            .find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, draw())).ok())
            .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)
            .map_err(StackError::NoFreePort)?;
        *port = listener.local_addr().map_err(StackError::NoFreePort)?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// A random port of [`PORTS`], from the standard library's hash keys.
fn draw() -> u16 {
    let width = u64::from(PORTS.end() - PORTS.start()) + 1;
    let offset = RandomState::new().hash_one(()) % width;
    PORTS.start() + u16::try_from(offset).unwrap_or_default()
}

/// The range from which the system picks ports.
fn system_ports() -> Option<RangeInclusive<u16>> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// Fails unless the port can be bound now, or within a second.
pub(crate) async fn require_free(name: &str, port: u16) -> Result<(), StackError> {
    let deadline = Instant::now() + PORT_WAIT;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(()),
            Err(_) if Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            Err(source) => return Err(StackError::PortTaken { name: name.to_owned(), port, source }),
        }
    }
}

/// Waits until something accepts connections on the address.
///
/// # Errors
/// [`StackError::NoAnswer`] if nothing does before the deadline.
pub async fn wait_tcp(address: SocketAddr, deadline: Instant) -> Result<(), StackError> {
    let began = Instant::now();
    loop {
        if let Ok(Ok(_)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            return Ok(());
        }
        if Instant::now() + RETRY_PAUSE > deadline {
            return Err(StackError::NoAnswer { address, waited: began.elapsed() });
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Fails at once unless one of some addresses (`host:port`) accepts connections.
///
/// # Errors
/// [`StackError::NothingAnswers`] if none does.
pub async fn answers(name: &'static str, addresses: &[String]) -> Result<(), StackError> {
    for address in addresses {
        if let Ok(Ok(_)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            return Ok(());
        }
    }
    Err(StackError::NothingAnswers { name, addresses: addresses.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn free_ports_differ_and_can_be_bound() {
        let ports = free_ports::<8>().unwrap();
        for (at, port) in ports.iter().enumerate() {
            assert!(!ports[..at].contains(port), "{ports:?}");
            require_free("test", *port).await.unwrap();
        }
    }

    #[test]
    fn drawn_ports_stay_in_their_range() {
        assert!((0..1000).all(|_| PORTS.contains(&draw())));
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = require_free("Kafka", port).await.unwrap_err();
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert_eq!(error.code(), "WB-8005");
    }

    #[tokio::test]
    async fn what_does_not_answer_is_told_at_once() {
        let nobody = format!("127.0.0.1:{}", free_port().unwrap());
        let began = Instant::now();
        let error = answers("Kafka", std::slice::from_ref(&nobody)).await.unwrap_err();
        assert!(
            error.to_string().contains(&nobody) && error.to_string().contains("weighbridge up"),
            "{error}"
        );
        assert_eq!(error.code(), "WB-8016");
        assert!(began.elapsed() < Duration::from_secs(30));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let there = listener.local_addr().unwrap().to_string();
        answers("Kafka", &[nobody, there]).await.unwrap();
    }

    #[tokio::test]
    async fn waiting_ends_with_an_answer_or_at_the_deadline() {
        let port = free_port().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let refused = wait_tcp(address, Instant::now() + Duration::from_millis(200)).await;
        assert!(matches!(refused, Err(StackError::NoAnswer { .. })), "{refused:?}");
        let late = tokio::spawn(async move {
            sleep(Duration::from_millis(200)).await;
            tokio::net::TcpListener::bind(address).await
        });
        wait_tcp(address, Instant::now() + Duration::from_secs(10)).await.unwrap();
        drop(late.await.unwrap().unwrap());
    }
}
