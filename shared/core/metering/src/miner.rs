//! Miner answers, normalised: one form of reading for every maker and firmware.
//!
//! The family is recognised from the answers themselves, never from what a sender states. A quantity is read only
//! where the answer gives it in a known unit: missing is `None`, not zero, and a sensor's "no value" is `None` too.

mod answer;
mod antminer;
mod auradine;
mod avalon;
mod bitaxe;
mod bitmain_web;
mod braiins;
mod cgminer;
pub mod check;
mod draft;
mod elphapex;
mod epic;
mod luxos;
mod plain;
mod reading;
pub mod repair;
mod sealminer;
mod whatsminer;

use answer::Answers;
pub use reading::{
    Average, Boards, Doubt, Downtime, Family, FieldNames, PowerSource, Reading, ShareDifficulty, State,
};

/// The largest answers object that is read, in bytes.
pub const ANSWERS_MAX_BYTES: usize = 256 * 1024;

/// The deepest nesting of objects and arrays that is read. Recorded machines need nine.
pub const ANSWERS_MAX_DEPTH: usize = 32;

/// Why answers could not be read.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MinerError {
    /// More bytes than are read.
    #[code("WB-3101")]
    #[error("the answers are {bytes} bytes; at most {ANSWERS_MAX_BYTES} are read: send fewer commands")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// Nested deeper than is read.
    #[code("WB-3102")]
    #[error("the answers are nested deeper than {ANSWERS_MAX_DEPTH} levels, at byte {at}")]
    TooDeep {
        /// Where the bound was crossed.
        at: usize,
    },
    /// Not a JSON object.
    #[code("WB-3103")]
    #[error("the answers are not a JSON object of command -> answer (line {line}, column {column})")]
    NotAnObject {
        /// Line of the first fault, from 1.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// No family recognises the answers.
    #[code("WB-3104")]
    #[error(
        "no known firmware gives these answers ({commands} commands); known are Antminer stock, \
         Whatsminer, Braiins OS, LuxOS, ePIC, Avalon, Auradine, Elphapex, SealMiner and Bitaxe, and any other with \
         cgminer's sections: include the version and summary commands"
    )]
    UnknownFamily {
        /// How many commands were answered.
        commands: usize,
    },
}

/// Reads a machine's answers: a JSON object of command -> answer, exactly as it gave them.
///
/// # Errors
/// [`MinerError`] where the text is too large, too deep or no JSON object, or where no family
/// recognises it. A field that is missing or malformed is no error: it is `None`.
pub fn normalise(answers_json: &str) -> Result<Reading, MinerError> {
    let answers = Answers::parse(answers_json)?;
    // LuxOS before Antminer: it runs on Antminers and its answers have their type.
    let recognised = luxos::read(&answers)
        .or_else(|| braiins::read(&answers))
        .or_else(|| epic::read(&answers))
        .or_else(|| whatsminer::read(&answers))
        .or_else(|| avalon::read(&answers))
        .or_else(|| auradine::read(&answers))
        .or_else(|| elphapex::read(&answers))
        .or_else(|| sealminer::read(&answers))
        .or_else(|| bitaxe::read(&answers))
        .or_else(|| antminer::read(&answers))
        .or_else(|| plain::read(&answers));
    recognised.ok_or(MinerError::UnknownFamily { commands: answers.len() })
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
            assert!(error.to_string().starts_with(&format!("[{code}] ")), "{error}");
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
        assert_eq!((reading.family, reading.state), (Family::AntminerStock, State::Reachable));
        assert_eq!(reading.algorithm, "sha256d");
        assert_eq!((reading.hashrate_hs, reading.power_mw, reading.power_source), (None, None, None));
        assert_eq!((reading.uptime_s, reading.system_uptime_s, reading.average), (None, None, None));
        let shares = (reading.accepted_shares, reading.rejected_shares, reading.stale_shares);
        assert_eq!(shares, (None, None, None));
        assert_eq!((reading.accepted_difficulty, reading.share_difficulty), (None, None));
        assert_eq!((reading.boards, reading.fields), (None, FieldNames::default()));
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

    #[test]
    fn a_disabled_board_adds_nothing() {
        let board = |enabled: &str, status: &str| {
            format!(r#"{{"Enabled":{enabled},"Status":"{status}","MHS 5s":5000000.0}}"#)
        };
        let devices = [board("true", "Alive"), board("false", "Alive"), board("\"Y\"", "Dead")].join(",");
        let text = format!(
            r#"{{"devs":{{"STATUS":[{{"Description":"FluxOS-1"}}],"DEVS":[{devices}]}},
                "mode":{{"STATUS":[{{"Description":"FluxOS-1"}}],"Mode":[{{"Power":2000,"Sleep":"off"}}]}}}}"#
        );
        let reading = normalise(&text).unwrap();
        assert_eq!(reading.hashrate_hs, Some(5_000_000_000_000));
        assert_eq!(reading.boards, Some(Boards { working: 1, listed: 3 }));
        assert_eq!(reading.power_mw, None, "a target is no reading");
        assert_eq!(reading.doubts(), [Doubt::BoardsMissing]);
    }

    #[test]
    fn shares_stand_for_a_rate_of_their_own() {
        let text = r#"{"summary":{"STATUS":[{"Description":"FluxOS-1"}],
            "SUMMARY":[{"Difficulty Accepted":65535,"Elapsed":1000,"MHS 5s":1,"MHS av":2,"Total MH":2000}]},
            "pools":{"POOLS":[{"Diff":"524K","Stratum Active":true}]}}"#;
        let reading = normalise(text).unwrap();
        // 65,535 x 2^48 / 65,535 hashes in 1,000 s.
        assert_eq!(reading.share_hashrate_hs(), Some((1 << 48) / 1000));
        assert_eq!(reading.share_difficulty, Some(ShareDifficulty { value: 524_000, rounded: true }));
        assert_eq!(reading.average.unwrap().downtime, Downtime::Counted);
        assert_eq!(reading.fields.hashrate, Some("SUMMARY.MHS 5s"));
    }
}
