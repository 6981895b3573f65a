//! Facts about a machine.

use serde::{Deserialize, Serialize};

use crate::refusal::InputError;

/// A machine: a miner or a GPU node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Where it stands.
    pub site_id: String,
    /// What it is.
    pub model: String,
    /// Its nameplate power in milliwatts.
    pub rated_power_mw: u64,
    /// Its nameplate hashrate in hashes per second, decimal digits; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rated_hashrate_hs: Option<String>,
    /// How many GPUs it has; absent for a machine without GPUs, and where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
}

impl Machine {
    pub(super) fn check(&self) -> Result<(), InputError> {
        let Some(text) = &self.rated_hashrate_hs else { return Ok(()) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        // It is a number above 0 that fits; a text without digits is refused too.
        if digits && text.parse::<u128>().is_ok_and(|rated_hs| rated_hs > 0) {
            return Ok(());
        }
        let reason = format!(
            "must be digits only, such as 200000000000000 for 200 TH/s, above 0 and at most {}",
            u128::MAX
        );
        Err(InputError::field("body.body.rated_hashrate_hs", reason))
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::FactBody;

    fn parse(rated: &str) -> Result<FactBody, crate::input::InputError> {
        let body = format!(r#"{{"site_id":"s","model":"S21","rated_power_mw":3500000{rated}}}"#);
        FactBody::parse("machine", "m", &body)
    }

    #[test]
    fn a_rated_hashrate_is_whole_and_above_nothing() {
        let largest = u128::MAX.to_string();
        for good in ["1", "200000000000000", largest.as_str()] {
            let kept = parse(&format!(r#","rated_hashrate_hs":"{good}""#)).unwrap().to_json();
            assert!(kept.contains(&format!(r#""rated_hashrate_hs":"{good}""#)), "{kept}");
        }
        let too_large = format!("{largest}0");
        for wrong in ["", "0", "000", "-1", "+1", "1.5", "2e14", " 1", "1 TH/s", "\u{663}", &too_large] {
            let error = parse(&format!(r#","rated_hashrate_hs":"{wrong}""#)).unwrap_err();
            assert_eq!(error.field, "body.body.rated_hashrate_hs", "{wrong}: {error}");
        }
        // A JSON number would lose digits on its way through other programs.
        assert!(parse(r#","rated_hashrate_hs":200"#).is_err());
    }

    #[test]
    fn a_machine_without_a_rated_hashrate_is_stored_as_ever() {
        for rated in ["", r#","rated_hashrate_hs":null"#] {
            let kept = parse(rated).unwrap().to_json();
            assert_eq!(kept, r#"{"model":"S21","rated_power_mw":3500000,"site_id":"s"}"#);
        }
    }
}
