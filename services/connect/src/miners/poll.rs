//! Polls one address: finds the interface that answers, and sends the commands of its firmware.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use wb_metering::miner::{ANSWERS_MAX_BYTES, Family, Reading, normalise};

use super::rpc::{self, Fault};
use super::targets::{Mac, Target, mac};
use super::web::Web;

/// How deep an answer is searched for MAC addresses.
const MAC_DEPTH_MAX: usize = 8;

/// The usual ports of interfaces.
const CGMINER_PORT: u16 = 4028;
const WHATSMINER_PORT: u16 = 4433;
const WEB_PORT: u16 = 80;

/// The interface that answered; it is tried first in the next round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// cgminer's, over TCP.
    Cgminer,
    /// Whatsminer's third, over TCP.
    Whatsminer,
    /// ePIC's, over HTTP on cgminer's port.
    Epic,
    /// AxeOS's, over HTTP.
    Bitaxe,
    /// Bitmain's and Elphapex's, over HTTP.
    Cgi,
    /// Braiins OS's, over HTTP.
    Braiins,
}

/// All interfaces, the most common first.
const WAYS: [Way; 6] = [Way::Cgminer, Way::Whatsminer, Way::Epic, Way::Bitaxe, Way::Braiins, Way::Cgi];

impl Way {
    fn port(self) -> u16 {
        match self {
            Self::Cgminer | Self::Epic => CGMINER_PORT,
            Self::Whatsminer => WHATSMINER_PORT,
            Self::Bitaxe | Self::Cgi | Self::Braiins => WEB_PORT,
        }
    }

    fn is_web(self) -> bool {
        matches!(self, Self::Bitaxe | Self::Cgi | Self::Braiins)
    }
}

/// The result of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Answers that can be normalised.
    Answered(Box<Answered>),
    /// No answer, with the reason if known.
    Silent(String),
    /// An answer that cannot be parsed.
    Unread(String),
}

/// A machine's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    /// A JSON object from command to answer.
    pub(crate) answers: String,
    /// The MAC addresses in the answers.
    pub(crate) macs: Vec<Mac>,
    /// The normalised answers.
    pub(crate) reading: Reading,
    /// The interface that answered.
    pub(crate) way: Way,
}

/// How to poll.
pub(crate) struct Poller {
    pub(crate) web: Web,
    /// The timeout of a command.
    pub(crate) within: Duration,
}

/// The answers collected so far.
#[derive(Default)]
struct Answers {
    written: String,
    macs: Vec<Mac>,
}

impl Answers {
    /// Adds an answer, unless it only says that the command is unknown or the limit is reached.
    fn add(&mut self, command: &str, answer: &str) {
        let Ok(parsed) = serde_json::from_str::<Value>(answer) else { return };
        let refused = ["/STATUS/0/STATUS", "/STATUS"]
            .iter()
            .any(|path| matches!(parsed.pointer(path).and_then(Value::as_str), Some("E" | "F")));
        if refused || self.written.len() + command.len() + answer.len() + 8 > ANSWERS_MAX_BYTES {
            return;
        }
        find_macs(&parsed, 0, &mut self.macs);
        self.written.push(if self.written.is_empty() { '{' } else { ',' });
        self.written.push_str(&format!("{}:{answer}", Value::from(command)));
    }

    fn object(&self) -> String {
        if self.written.is_empty() { "{}".to_owned() } else { format!("{}}}", self.written) }
    }

    fn read(&self) -> Option<Reading> {
        normalise(&self.object()).ok()
    }

    fn settled(self, way: Way) -> Result<Found, Fault> {
        let answers = self.object();
        // After all repairs the result must be JSON.
        if serde_json::from_str::<&RawValue>(&answers).is_err() {
            return Ok(Found::Unread("the combined answers are not JSON".to_owned()));
        }
        Ok(match normalise(&answers) {
            Ok(reading) => Found::Answered(Box::new(Answered { answers, macs: self.macs, reading, way })),
            Err(error) => Found::Unread(error.to_string()),
        })
    }
}

impl Poller {
    /// Polls an address, starting with the interface that answered last.
    pub(crate) async fn poll(&self, target: &Target, known: Option<Way>) -> Found {
        if let Some(way) = known {
            let found = self.by(way, target).await;
            if let Ok(found @ Found::Answered(_)) = found {
                return found;
            }
        }
        let open = self.open_ports(target).await;
        let mut silence = Vec::new();
        let mut unread = None;
        let (mut speaks_http, mut web_is_mute) = (false, false);
        for way in WAYS {
            let port = target.port.unwrap_or(way.port());
            if let Some((_, Err(fault))) = open.iter().find(|(other, _)| *other == port) {
                let text = format!("port {port}: {fault}");
                if !silence.contains(&text) {
                    silence.push(text);
                }
                continue;
            }
            // On cgminer's port a web server would have answered by now; one that does not answer one page answers
            // none.
            if (way == Way::Epic && !speaks_http) || (way.is_web() && web_is_mute) {
                continue;
            }
            match self.by(way, target).await {
                Ok(found @ Found::Answered(_)) => return found,
                Err(Fault::SpeaksHttp) => {
                    speaks_http |= way == Way::Cgminer;
                    unread = unread.or_else(|| Some(format!("port {port}: {}", Fault::SpeaksHttp)));
                }
                Ok(Found::Silent(why) | Found::Unread(why)) => unread = Some(why),
                Err(fault) if fault.is_silence() => {
                    web_is_mute |= way.is_web() && matches!(fault, Fault::Slow { .. });
                    let text = format!("port {port}: {fault}");
                    if !silence.contains(&text) {
                        silence.push(text);
                    }
                }
                // The first interface's error is the best explanation, unless a login is required.
                Err(Fault::Login) => unread = Some(Fault::Login.to_string()),
                Err(Fault::Status(404)) if unread.is_some() => {}
                Err(fault) => unread = unread.or_else(|| Some(format!("port {port}: {fault}"))),
            }
        }
        match unread {
            Some(why) => Found::Unread(why),
            None => Found::Silent(silence.join("; ")),
        }
    }

    async fn open_ports(&self, target: &Target) -> Vec<(u16, Result<(), Fault>)> {
        let one = |port: u16| async move {
            (port, rpc::is_open(SocketAddr::new(target.ip, port), self.within).await)
        };
        match target.port {
            Some(port) => vec![one(port).await],
            None => {
                let (cgminer, whatsminer, web) =
                    tokio::join!(one(CGMINER_PORT), one(WHATSMINER_PORT), one(WEB_PORT));
                vec![cgminer, whatsminer, web]
            }
        }
    }

    async fn by(&self, way: Way, target: &Target) -> Result<Found, Fault> {
        let address = SocketAddr::new(target.ip, target.port.unwrap_or(way.port()));
        match way {
            Way::Cgminer => self.cgminer(address, target).await,
            Way::Whatsminer => self.whatsminer(address).await,
            Way::Epic => self.web(way, address, "summary", &["capabilities", "network"], "/", "").await,
            Way::Bitaxe => self.web(way, address, "system/info", &[], "/api/", "").await,
            Way::Cgi => {
                let rest = ["stats", "pools", "get_system_info", "get_power"];
                self.web(way, address, "summary", &rest, "/cgi-bin/", ".cgi").await
            }
            Way::Braiins => {
                let mut answers = Answers::default();
                self.braiins(address, &mut answers).await?;
                answers.settled(way)
            }
        }
    }

    async fn cgminer(&self, address: SocketAddr, target: &Target) -> Result<Found, Fault> {
        let mut answers = Answers::default();
        answers.add("version", &rpc::cgminer(address, "version", self.within).await?);
        self.commands(address, &mut answers, &["summary"]).await;
        let mut family = answers.read().map(|reading| reading.family);
        if family.is_none() {
            self.commands(address, &mut answers, &["get_version", "status", "stats"]).await;
            family = answers.read().map(|reading| reading.family);
        }
        let rest: &[&str] = match family {
            Some(Family::AntminerStock) => &["stats", "pools"],
            Some(Family::Whatsminer) => &["get_version", "status", "pools", "get_psu"],
            Some(Family::BraiinsOs) => &["tunerstatus", "pools", "devs"],
            Some(Family::LuxOs) => &["power", "config", "pools"],
            Some(Family::Avalon | Family::Cgminer) => &["stats", "litestats", "pools", "devs"],
            Some(Family::Auradine) => &["mode", "psu", "devs", "pools", "ipreport"],
            Some(Family::SealMiner) => &["stats", "pools"],
            Some(Family::Epic | Family::Elphapex | Family::Bitaxe) | None => &["litestats", "devs", "pools"],
        };
        let asked: Vec<&str> = rest
            .iter()
            .copied()
            .filter(|command| !answers.written.contains(&format!("\"{command}\":")))
            .collect();
        self.commands(address, &mut answers, &asked).await;
        if family == Some(Family::BraiinsOs) {
            // The web interface says more, where there is a login for it.
            let web = SocketAddr::new(target.ip, target.port.unwrap_or(WEB_PORT));
            if let Err(fault) = self.braiins(web, &mut answers).await {
                tracing::debug!(%address, %fault, "Braiins OS has no web interface for this login");
            }
        }
        answers.settled(Way::Cgminer)
    }

    /// Sends further commands. A command without an answer is skipped, because the others may suffice.
    async fn commands(&self, address: SocketAddr, answers: &mut Answers, commands: &[&str]) {
        for command in commands {
            match rpc::cgminer(address, command, self.within).await {
                Ok(answer) => answers.add(command, &answer),
                Err(fault) => tracing::debug!(%address, command, %fault, "a command has no answer"),
            }
        }
    }

    async fn whatsminer(&self, address: SocketAddr) -> Result<Found, Fault> {
        let mut answers = Answers::default();
        let device = rpc::whatsminer(address, "get.device.info", None, self.within).await?;
        answers.add("get_device_info", &device);
        for param in ["summary", "pools", "edevs"] {
            match rpc::whatsminer(address, "get.miner.status", Some(param), self.within).await {
                Ok(answer) => answers.add(&format!("get_miner_status_{param}"), &answer),
                Err(fault) => tracing::debug!(%address, param, %fault, "a command has no answer"),
            }
        }
        answers.settled(Way::Whatsminer)
    }

    async fn web(
        &self,
        way: Way,
        address: SocketAddr,
        first: &str,
        rest: &[&str],
        before: &str,
        after: &str,
    ) -> Result<Found, Fault> {
        let mut answers = Answers::default();
        let path = |name: &str| format!("{before}{name}{after}");
        answers.add(&first.replace('/', "_"), &self.web.get(address, &path(first)).await?);
        for name in rest {
            match self.web.get(address, &path(name)).await {
                Ok(answer) => answers.add(name, &answer),
                Err(fault) => tracing::debug!(%address, name, %fault, "a page has no answer"),
            }
        }
        answers.settled(way)
    }

    /// Braiins OS's REST interface if there is a login for it, otherwise the GraphQL interface of versions before
    /// 25.07.
    async fn braiins(&self, address: SocketAddr, answers: &mut Answers) -> Result<(), Fault> {
        const DETAILS: &str = "/api/v1/miner/details";
        match self.web.braiins_token(address).await {
            Ok(token) => {
                answers.add("miner_details", &self.web.get_with(address, DETAILS, &token).await?);
                for (name, path) in [
                    ("miner_stats", "/api/v1/miner/stats"),
                    ("miner_hw_hashboards", "/api/v1/miner/hw/hashboards"),
                ] {
                    if let Ok(answer) = self.web.get_with(address, path, &token).await {
                        answers.add(name, &answer);
                    }
                }
                Ok(())
            }
            Err(_) => {
                let mut told = false;
                for (name, query) in GRAPHQL {
                    if let Ok(answer) = self.web.query(address, query).await {
                        answers.add(name, &answer);
                        told = true;
                    }
                }
                // If neither answers, the error of this request gives the reason.
                if told { Ok(()) } else { self.web.get(address, DETAILS).await.map(|_| ()) }
            }
        }
    }
}

/// The GraphQL queries to Braiins OS: only the fields that are needed.
const GRAPHQL: [(&str, &str); 3] = [
    (
        "gql_system",
        "{ bos { hostname uptime { durationS } } bosminer { info { summary { power { approxConsumptionW limitW } } \
         workSolver { realHashrate { mhs5S } } } } }",
    ),
    (
        "gql_pools",
        "{ bosminer { info { poolGroups { name pools { active shares { acceptedSolutions rejectedSolutions } } } } } }",
    ),
    ("gql_boards", "{ bosminer { info { workSolver { childSolvers { name realHashrate { mhs5S } } } } } }"),
];

/// Collects the MAC addresses in an answer.
fn find_macs(value: &Value, depth: usize, found: &mut Vec<Mac>) {
    if depth > MAC_DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let plain: String =
                    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
                let named = matches!(plain.as_str(), "mac" | "macaddr" | "macaddress");
                if let Some(mac) = value.as_str().filter(|_| named).and_then(mac)
                    && !found.contains(&mac)
                {
                    found.push(mac);
                }
                find_macs(value, depth + 1, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_macs(item, depth + 1, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_left_out_and_interfaces_found() {
        let mut answers = Answers::default();
        answers.add("version", r#"{"VERSION":[{"BMMiner":"1","Type":"Antminer S19","MAC":"020000000007"}]}"#);
        answers.add("litestats", r#"{"STATUS":[{"STATUS":"E","Msg":"Invalid command"}]}"#);
        answers.add("status", r#"{"STATUS":"E","Msg":"invalid cmd"}"#);
        answers.add("huge", &format!("\"{}\"", "x".repeat(ANSWERS_MAX_BYTES)));
        answers.add("broken", "{");
        answers.add("net", r#"{"a":[{"macaddr":"02:00:00:00:00:08"}],"mac":"00:00:00:00:00:00","smack":"02:00:00:00:00:09"}"#);
        assert_eq!(answers.macs, [[2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 8]]);
        let Found::Answered(answered) = answers.settled(Way::Cgminer).unwrap() else { panic!("not read") };
        assert_eq!(answered.reading.family, Family::AntminerStock);
        let names: std::collections::BTreeMap<String, Value> =
            serde_json::from_str(&answered.answers).unwrap();
        assert_eq!(names.into_keys().collect::<Vec<_>>(), ["net", "version"]);
    }
}
