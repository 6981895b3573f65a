//! The addresses to poll, and the machine at each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::ConnectError;
pub use crate::bounds::TARGETS_MAX;

/// An address to poll.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub ip: IpAddr,
    /// The only port to use, instead of the usual ones.
    pub port: Option<u16>,
    /// The machine in the list.
    pub machine_id: Option<String>,
}

/// A MAC address.
pub(crate) type Mac = [u8; 6];

/// Parses `02:00:00:02:04:09`, also with `-` or without separators; `None` for other texts and for the placeholders
/// that firmware writes.
pub(crate) fn mac(text: &str) -> Option<Mac> {
    let digits: String = text.chars().filter(|letter| !matches!(letter, ':' | '-')).collect();
    if digits.len() != 12 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut mac = [0; 6];
    for (index, byte) in mac.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    (mac != [0; 6] && mac != [0xff; 6]).then_some(mac)
}

/// Reads a list with one machine per line: `ADDRESS` or `ADDRESS:PORT`, optionally followed by a machine's id. A `#`
/// starts a comment.
///
/// # Errors
/// [`ConnectError::List`] with the line.
pub fn read_list(text: &str) -> Result<Vec<Target>, ConnectError> {
    let mut targets = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next() else { continue };
        let wrong = |detail: &str| ConnectError::List {
            line: index + 1,
            text: line.trim().chars().take(80).collect(),
            detail: detail.to_owned(),
        };
        let (ip, port) = match address.parse::<IpAddr>() {
            Ok(ip) => (ip, None),
            Err(_) => {
                let address: std::net::SocketAddr =
                    address.parse().map_err(|_| wrong("the first word is not an IP address"))?;
                (address.ip(), Some(address.port()))
            }
        };
        let machine_id = words.next().map(str::to_owned);
        if words.next().is_some() {
            return Err(wrong("there are more than two words"));
        }
        targets.push(Target { ip, port, machine_id });
        bound(targets.len())?;
    }
    Ok(targets)
}

/// The hosts of a range such as `10.4.0.0/22`. Network and broadcast address are left out, except in ranges of one or
/// two.
///
/// # Errors
/// [`ConnectError::Range`] if it is not valid, [`ConnectError::TooManyTargets`] if it is too large.
pub fn read_range(text: &str) -> Result<Vec<Target>, ConnectError> {
    let wrong = || ConnectError::Range { text: text.chars().take(80).collect() };
    let (base, bits) = text.split_once('/').ok_or_else(wrong)?;
    let base: Ipv4Addr = base.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32).ok_or_else(wrong)?;
    let hosts = 1_u64 << (32 - bits);
    bound(usize::try_from(hosts).unwrap_or(usize::MAX))?;
    let first = u64::from(base.to_bits()) / hosts * hosts;
    let (from, to) = if hosts > 2 { (first + 1, first + hosts - 1) } else { (first, first + hosts) };
    let target = |bits: u64| {
        let ip = Ipv4Addr::from_bits(u32::try_from(bits).ok()?);
        Some(Target { ip: IpAddr::V4(ip), port: None, machine_id: None })
    };
    Ok((from..to).filter_map(target).collect())
}

fn bound(targets: usize) -> Result<(), ConnectError> {
    if targets > TARGETS_MAX { Err(ConnectError::TooManyTargets { targets }) } else { Ok(()) }
}

/// Combines targets of lists and ranges: one per address and port, with the first machine given for it.
///
/// # Errors
/// [`ConnectError::TooManyTargets`], and [`ConnectError::NoTargets`] if there are none.
pub fn together(all: Vec<Target>) -> Result<Vec<Target>, ConnectError> {
    let mut known: BTreeMap<(IpAddr, Option<u16>), Target> = BTreeMap::new();
    for target in all {
        let entry = known.entry((target.ip, target.port)).or_insert_with(|| target.clone());
        entry.machine_id = entry.machine_id.take().or(target.machine_id);
    }
    // A machine that is listed with its own port is not polled again through a range.
    let with_port: BTreeSet<IpAddr> =
        known.keys().filter(|(_, port)| port.is_some()).map(|(ip, _)| *ip).collect();
    known.retain(|(ip, port), target| {
        port.is_some() || target.machine_id.is_some() || !with_port.contains(ip)
    });
    bound(known.len())?;
    if known.is_empty() {
        return Err(ConnectError::NoTargets);
    }
    Ok(known.into_values().collect())
}

/// Machines by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machines {
    by_ip: BTreeMap<IpAddr, String>,
    by_mac: BTreeMap<Mac, String>,
}

impl Machines {
    /// Reads a JSON object from IP or MAC address to machine id.
    ///
    /// # Errors
    /// [`ConnectError::Machines`] if it is not valid, or a key is not an address.
    pub fn parse(text: &str) -> Result<Self, ConnectError> {
        let entries: BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|error| ConnectError::Machines { detail: error.to_string() })?;
        let mut machines = Self::default();
        for (address, machine_id) in entries {
            if let Some(mac) = mac(&address) {
                machines.by_mac.insert(mac, machine_id);
            } else if let Ok(ip) = address.parse() {
                machines.by_ip.insert(ip, machine_id);
            } else {
                let detail = format!("{address:?} is neither an IP nor a MAC address");
                return Err(ConnectError::Machines { detail });
            }
        }
        Ok(machines)
    }

    /// The machine of an answer: by MAC address, which stays when a machine is moved, then by the list, then by IP
    /// address.
    pub(crate) fn of<'a>(&'a self, target: &'a Target, macs: &[Mac]) -> Option<&'a str> {
        let by_mac = macs.iter().find_map(|mac| self.by_mac.get(mac));
        by_mac.map(String::as_str).or_else(|| self.expected_at(target))
    }

    /// The machine that should be at an address, independent of the answer.
    pub(crate) fn expected_at<'a>(&'a self, target: &'a Target) -> Option<&'a str> {
        target.machine_id.as_deref().or_else(|| self.by_ip.get(&target.ip).map(String::as_str))
    }

    /// The machines listed by MAC address.
    pub(crate) fn by_interface(&self) -> impl Iterator<Item = &str> {
        self.by_mac.values().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(targets: &[Target]) -> Vec<String> {
        let one = |target: &Target| {
            format!("{} {:?} {}", target.ip, target.port, target.machine_id.as_deref().unwrap_or("-"))
        };
        targets.iter().map(one).collect()
    }

    #[test]
    fn lists_and_ranges_become_targets() {
        let list = read_list("# site 1\n10.0.0.1 m1 # rack 7\n\n10.0.0.2:4029 m2\n10.0.0.9\n").unwrap();
        assert_eq!(shown(&list), ["10.0.0.1 None m1", "10.0.0.2 Some(4029) m2", "10.0.0.9 None -"]);
        let range = read_range("10.0.0.3/30").unwrap();
        assert_eq!(shown(&range), ["10.0.0.1 None -", "10.0.0.2 None -"]);
        assert_eq!(read_range("10.0.0.3/32").unwrap().len(), 1);
        assert_eq!(read_range("10.0.0.2/31").unwrap().len(), 2);
        let all = together([range, list].concat()).unwrap();
        assert_eq!(shown(&all), ["10.0.0.1 None m1", "10.0.0.2 Some(4029) m2", "10.0.0.9 None -"]);
    }

    #[test]
    fn what_is_wrong_or_too_much_is_refused() {
        for (text, line) in [("10.0.0.1\nhost m", "line 2"), ("10.0.0.1 a b", "line 1")] {
            let error = read_list(text).unwrap_err();
            assert_eq!(error.code(), "WB-5710");
            assert!(error.to_string().contains(line), "{error}");
        }
        for text in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/x", "::1/128"] {
            assert_eq!(read_range(text).unwrap_err().code(), "WB-5711", "{text}");
        }
        assert_eq!(read_range("10.0.0.0/15").unwrap_err().code(), "WB-5712");
        assert_eq!(read_range("0.0.0.0/0").unwrap_err().code(), "WB-5712");
        assert_eq!(read_range("10.0.0.0/16").unwrap().len(), 65_534);
        assert_eq!(together(Vec::new()).unwrap_err().code(), "WB-5713");
    }

    #[test]
    fn a_machine_is_known_by_its_interface_before_its_address() {
        let machines = Machines::parse(r#"{"10.0.0.1": "by-ip", "02:00:00:00:00:01": "by-mac"}"#).unwrap();
        let target = |list: Option<&str>| Target {
            ip: "10.0.0.1".parse().unwrap(),
            port: None,
            machine_id: list.map(str::to_owned),
        };
        let ours = mac("02-00-00-00-00-01").unwrap();
        assert_eq!(mac("020000000001"), Some(ours));
        assert_eq!(machines.of(&target(Some("listed")), &[ours]), Some("by-mac"));
        assert_eq!(machines.of(&target(Some("listed")), &[[9; 6]]), Some("listed"));
        assert_eq!(machines.of(&target(None), &[]), Some("by-ip"));
        for none in ["", "02:00", "zz:00:00:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"] {
            assert_eq!(mac(none), None, "{none}");
        }
        for wrong in ["[]", "{\"host\":\"m\"}", "{\"10.0.0.1\":5}"] {
            assert_eq!(Machines::parse(wrong).unwrap_err().code(), "WB-5714", "{wrong}");
        }
    }
}
