//! Miner answers, normalised: one reading whatever the maker and firmware.
//!
//! The family is recognised from the answers themselves, never from what a sender claims. A
//! quantity is read only where the answer gives it in a known unit: missing is `None`, not
//! zero, and a sensor's "no value" is `None` too.

mod answer;
mod antminer;
mod braiins;
mod cgminer;
mod epic;
mod luxos;
mod whatsminer;

use answer::Answers;

/// The largest answers object that is read, in bytes.
pub const ANSWERS_MAX_BYTES: usize = 256 * 1024;

/// The deepest nesting of objects and arrays that is read. Recorded machines need nine.
pub const ANSWERS_MAX_DEPTH: usize = 32;

/// The largest power that is believed, in watts. Sixteen-bit sensors without a value say 65535,
/// and no machine in one chassis comes near.
const POWER_MAX_W: u64 = 65_534;

/// Whose firmware answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Bitmain's own firmware on an Antminer.
    AntminerStock,
    /// MicroBT's firmware on a Whatsminer, interface versions 1 to 3.
    Whatsminer,
    /// Braiins OS, by its REST interface or the GraphQL one before it.
    BraiinsOs,
    /// LuxOS.
    LuxOs,
    /// ePIC's PowerPlay and umcOS.
    Epic,
}

impl Family {
    /// The stable name that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AntminerStock => "antminer",
            Self::Whatsminer => "whatsminer",
            Self::BraiinsOs => "braiins",
            Self::LuxOs => "luxos",
            Self::Epic => "epic",
        }
    }
}

/// What the machine was doing, as far as its answers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It reports a hashrate above zero and nothing that contradicts it.
    Hashing,
    /// It answers, and does not hash or does not say so.
    Reachable,
    /// It answers that it is put to sleep by a curtailment command.
    Curtailed,
}

impl State {
    /// The stable name that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hashing => "hashing",
            Self::Reachable => "reachable",
            Self::Curtailed => "curtailed",
        }
    }
}

/// What a machine's answers say at one moment. `None` is "it did not say".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Whose firmware answered.
    pub family: Family,
    /// What it was doing.
    pub state: State,
    /// What it hashes: `sha256d`, `scrypt`, ..., or `unknown`. Rates of different algorithms are
    /// never added.
    pub algorithm: &'static str,
    /// The current hashrate in hashes per second: the shortest window the machine offers.
    pub hashrate_hs: Option<u128>,
    /// Power drawn, in milliwatts.
    pub power_mw: Option<u64>,
    /// Seconds since the mining software started: the time its share counters run.
    pub uptime_s: Option<u64>,
    /// Shares the pool accepted since then.
    pub accepted_shares: Option<u64>,
    /// Shares the pool rejected since then.
    pub rejected_shares: Option<u64>,
    /// Shares that came too late since then.
    pub stale_shares: Option<u64>,
}

/// Why answers could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MinerError {
    /// More bytes than are read.
    #[error(
        "WB-3101: the answers are {bytes} bytes; at most {ANSWERS_MAX_BYTES} are read: send fewer commands"
    )]
    TooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// Nested deeper than is read.
    #[error("WB-3102: the answers are nested deeper than {ANSWERS_MAX_DEPTH} levels, at byte {at}")]
    TooDeep {
        /// Where the bound was crossed.
        at: usize,
    },
    /// Not a JSON object.
    #[error("WB-3103: the answers are not a JSON object of command -> answer (line {line}, column {column})")]
    NotAnObject {
        /// Line of the first fault, from 1.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// No family recognises the answers.
    #[error(
        "WB-3104: no known firmware gives these answers ({commands} commands); known are Antminer stock, \
         Whatsminer, Braiins OS, LuxOS and ePIC: include the version and summary commands"
    )]
    UnknownFamily {
        /// How many commands were answered.
        commands: usize,
    },
}

impl MinerError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "WB-3101",
            Self::TooDeep { .. } => "WB-3102",
            Self::NotAnObject { .. } => "WB-3103",
            Self::UnknownFamily { .. } => "WB-3104",
        }
    }
}

/// Reads a machine's answers: a JSON object of command -> answer, exactly as it gave them.
///
/// # Errors
/// [`MinerError`] where the text is too large, too deep or no JSON object, or where no family
/// recognises it. A field that is missing or malformed is no error: it is `None`.
pub fn normalise(answers_json: &str) -> Result<Reading, MinerError> {
    let answers = Answers::parse(answers_json)?;
    // LuxOS before Antminer: it runs on Antminers and names their type.
    let recognised = luxos::read(&answers)
        .or_else(|| braiins::read(&answers))
        .or_else(|| epic::read(&answers))
        .or_else(|| whatsminer::read(&answers))
        .or_else(|| antminer::read(&answers));
    recognised.map(settled).ok_or(MinerError::UnknownFamily { commands: answers.len() })
}

/// The rules that hold for every family: sensors without a value, and a state that agrees with
/// the hashrate.
fn settled(mut reading: Reading) -> Reading {
    let hashes = reading.hashrate_hs.is_some_and(|rate| rate > 0);
    // A machine that hashes draws power: zero is an unconnected sensor.
    reading.power_mw =
        reading.power_mw.filter(|power| *power <= POWER_MAX_W * 1000 && (*power > 0 || !hashes));
    if reading.state == State::Hashing && !hashes {
        reading.state = State::Reachable;
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_answers_are_refused_with_a_code() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(ANSWERS_MAX_BYTES));
        for (text, code) in [
            ("", "WB-3103"),
            ("[]", "WB-3103"),
            ("{\"a\":", "WB-3103"),
            ("{\"a\":1} trailing", "WB-3103"),
            ("{}", "WB-3104"),
            ("{\"summary\":{\"SUMMARY\":[{\"GHS 5s\":1}]}}", "WB-3104"),
            (deep.as_str(), "WB-3102"),
            (large.as_str(), "WB-3101"),
        ] {
            let error = normalise(text).unwrap_err();
            assert_eq!(error.code(), code, "{}", &text[..text.len().min(60)]);
            assert!(error.to_string().starts_with(code), "{error}");
        }
    }

    #[test]
    fn brackets_inside_strings_do_not_count_as_depth() {
        let text = format!("{{\"a\":\"{}\\\"[\"}}", "[".repeat(100));
        assert_eq!(normalise(&text).unwrap_err().code(), "WB-3104");
    }

    #[test]
    fn missing_fields_are_not_zero() {
        let reading =
            normalise(r#"{"version":{"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer S19"}]}}"#).unwrap();
        assert_eq!(
            reading,
            Reading {
                family: Family::AntminerStock,
                state: State::Reachable,
                algorithm: "sha256d",
                hashrate_hs: None,
                power_mw: None,
                uptime_s: None,
                accepted_shares: None,
                rejected_shares: None,
                stale_shares: None,
            }
        );
    }

    #[test]
    fn a_sensor_without_a_value_is_no_power() {
        for (watts, rate, expected) in [
            ("65535", "1.0", None),
            ("0", "1.0", None),
            ("0", "0.0", Some(0)),
            ("-1", "0.0", None),
            ("null", "1.0", None),
            ("\"3010.5\"", "1.0", Some(3_010_500)),
        ] {
            let text = format!(
                r#"{{"power":{{"STATUS":[{{"Description":"LUXminer 2026.1"}}],"POWER":[{{"Watts":{watts}}}]}},
                    "summary":{{"SUMMARY":[{{"GHS 5s":{rate}}}]}}}}"#
            );
            assert_eq!(normalise(&text).unwrap().power_mw, expected, "{watts} W at {rate} GH/s");
        }
    }
}
