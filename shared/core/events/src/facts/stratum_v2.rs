//! Channels and jobs of Stratum V2 as facts, with the field names of its specification.

use serde::{Deserialize, Serialize};
use wb_proof::stratum_v1::WireError;
use wb_proof::stratum_v2::{self, ChannelKind, ChannelText, JobText, WorkText};

use super::{Session, as_hex_error};
use crate::refusal::InputError;

/// The protocol of a session that is a standard channel, and of a job with a fixed Merkle root.
pub const STANDARD: &str = "stratum_v2_standard";
/// The protocol of a session that is an extended channel, and of a job with a coinbase.
pub const EXTENDED: &str = "stratum_v2_extended";

/// A job of Stratum V2, together with the `SetNewPrevHash` that made it valid. Hashes are in the header's byte order, as
/// the protocol sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobV2 {
    /// [`STANDARD`] or [`EXTENDED`]: which of the fields below it has.
    pub protocol: String,
    /// The scope of its job id: a pool or proxy instance.
    pub scope: String,
    /// The job's id in that scope: `job_id` in decimal.
    pub job_id: String,
    /// The chain.
    pub chain: String,
    /// Height of the block under work. No message of the protocol carries it; the pool knows it.
    pub height: u32,
    /// `prev_hash` of `SetNewPrevHash`, 64 hex digits.
    pub prev_hash: String,
    /// `nbits` of `SetNewPrevHash`, eight hex digits.
    pub nbits: String,
    /// `min_ntime` of the job, or of `SetNewPrevHash` where the job had none, eight hex digits.
    pub min_ntime: String,
    /// `version`, eight hex digits.
    pub version: String,
    /// `version_rolling_allowed`; a standard job has no such field, and allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_rolling_allowed: Option<bool>,
    /// Standard: `merkle_root`, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merkle_root: Option<String>,
    /// Extended: `coinbase_tx_prefix`, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coinbase_tx_prefix: Option<String>,
    /// Extended: `coinbase_tx_suffix`, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coinbase_tx_suffix: Option<String>,
    /// Extended: `merkle_path`, 64 hex digits each, deepest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merkle_path: Option<Vec<String>>,
}

fn wire_error(error: &WireError, size_field: &str) -> InputError {
    match error {
        WireError::Hex(hex) => as_hex_error(hex),
        WireError::Difficulty(_) => InputError::field("body.body.assigned_difficulty", error.to_string()),
        WireError::BranchTooLong { .. } => InputError::field("body.body.merkle_path", error.to_string()),
        WireError::CoinbaseTooLong { .. } => {
            InputError::field("body.body.coinbase_tx_suffix", error.to_string())
        }
        WireError::JobIdTooLong { .. } | WireError::JobIdEmpty => {
            InputError::field("body.body.job_id", error.to_string())
        }
        WireError::ExtranonceTooLong { .. } => InputError::field(size_field, error.to_string()),
    }
}

impl JobV2 {
    /// The job as the proof needs it.
    ///
    /// # Errors
    /// [`InputError`] naming the field that is not of its form, is missing, or belongs to the other kind of job.
    pub fn parameters(&self) -> Result<stratum_v2::Job, InputError> {
        let work = self.work()?;
        let job = stratum_v2::decode_job(&JobText {
            job_id: &self.job_id,
            work,
            prev_hash: &self.prev_hash,
            version: &self.version,
            version_rolling_allowed: self.version_rolling_allowed.unwrap_or(true),
            nbits: &self.nbits,
            min_ntime: &self.min_ntime,
        })
        .map_err(|error| wire_error(&error, "body.body"))?;
        wb_proof::Target::from_nbits(job.nbits)
            .map_err(|error| InputError::field("body.body.nbits", error.to_string()))?;
        Ok(job)
    }

    fn work(&self) -> Result<WorkText<'_, String>, InputError> {
        let standard = match self.protocol.as_str() {
            STANDARD => true,
            EXTENDED => false,
            other => {
                let reason = format!(
                    "unknown protocol {other:?}: a job of Stratum V2 has {STANDARD} or {EXTENDED}, one of Stratum V1 has no such field"
                );
                return Err(InputError::field("body.body.protocol", reason));
            }
        };
        for (field, there, of_standard) in [
            ("merkle_root", self.merkle_root.is_some(), true),
            ("coinbase_tx_prefix", self.coinbase_tx_prefix.is_some(), false),
            ("coinbase_tx_suffix", self.coinbase_tx_suffix.is_some(), false),
            ("merkle_path", self.merkle_path.is_some(), false),
            ("version_rolling_allowed", self.version_rolling_allowed.is_some(), false),
        ] {
            if there != (standard == of_standard) {
                let what = if there { "does not belong to" } else { "missing in" };
                let reason = format!("{what} a job of {}", self.protocol);
                return Err(InputError::field(format!("body.body.{field}"), reason));
            }
        }
        Ok(match &self.merkle_root {
            Some(root) => WorkText::Root(root),
            None => WorkText::Coinbase {
                prefix: self.coinbase_tx_prefix.as_deref().unwrap_or_default(),
                suffix: self.coinbase_tx_suffix.as_deref().unwrap_or_default(),
                path: self.merkle_path.as_deref().unwrap_or_default(),
            },
        })
    }
}

impl Session {
    /// The channel, where the session's protocol is one of Stratum V2.
    ///
    /// # Errors
    /// [`InputError`] naming the field that is not of its form.
    pub fn channel(&self) -> Result<Option<stratum_v2::Channel>, InputError> {
        let kind = match self.protocol.as_str() {
            STANDARD => ChannelKind::Standard,
            EXTENDED => ChannelKind::Extended,
            _ => return Ok(None),
        };
        stratum_v2::decode_channel(&ChannelText {
            kind,
            extranonce_prefix: &self.extranonce1,
            extranonce_size: self.extranonce2_size,
            version_mask: self.version_mask.as_deref(),
            assigned_difficulty: &self.assigned_difficulty,
        })
        .map(Some)
        .map_err(|error| wire_error(&error, "body.body.extranonce2_size"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::facts::FactBody;

    fn standard() -> Value {
        json!({
            "protocol": "stratum_v2_standard", "scope": "pool", "job_id": "7", "chain": "main", "height": 1,
            "prev_hash": "00".repeat(32), "nbits": "1d00ffff", "min_ntime": "4966bc61", "version": "00000001",
            "merkle_root": "11".repeat(32),
        })
    }

    fn extended() -> Value {
        let mut job = standard();
        job["protocol"] = json!("stratum_v2_extended");
        job.as_object_mut().unwrap().remove("merkle_root");
        job["version_rolling_allowed"] = json!(true);
        job["coinbase_tx_prefix"] = json!("0100");
        job["coinbase_tx_suffix"] = json!("ff");
        job["merkle_path"] = json!(["22".repeat(32)]);
        job
    }

    fn session(protocol: &str) -> Value {
        json!({
            "machine_id": "m", "worker": "w", "chain": "main", "protocol": protocol, "scope": "pool",
            "extranonce_prefix": "0a0b", "extranonce_size": 6, "version_mask": "1fffe000",
            "assigned_difficulty": "65536",
        })
    }

    #[test]
    fn both_jobs_are_kept_as_they_came() {
        for job in [standard(), extended()] {
            let kept = FactBody::parse("job", "pool/7", &job.to_string()).unwrap();
            assert!(matches!(kept, FactBody::JobV2(_)));
            assert_eq!(kept.to_json(), job.to_string());
            assert_eq!(FactBody::parse("job", "pool/7", &kept.to_json()).unwrap(), kept);
        }
    }

    #[test]
    fn what_is_wrong_with_a_job_is_named() {
        type Change = (&'static str, fn(&mut Value), &'static str);
        let changes: [Change; 9] = [
            ("missing root", |job| drop(job.as_object_mut().unwrap().remove("merkle_root")), "merkle_root"),
            ("path of the other kind", |job| job["merkle_path"] = json!([]), "merkle_path"),
            ("unknown protocol", |job| job["protocol"] = json!("stratum_v3"), "protocol"),
            ("no target", |job| job["nbits"] = json!("00000000"), "nbits"),
            ("odd digits", |job| job["prev_hash"] = json!("0".repeat(63)), "prev_hash"),
            ("a name of nobody", |job| job["scope"] = json!("other"), "body.entity"),
            ("V1's name", |job| job["prevhash"] = json!("0".repeat(64)), "body.body"),
            ("not ASCII", |job| job["version"] = json!("0000000é"), "version"),
            ("text for a number", |job| job["height"] = json!("1"), "height"),
        ];
        for (what, change, field) in changes {
            let mut job = standard();
            change(&mut job);
            let error = FactBody::parse("job", "pool/7", &job.to_string()).unwrap_err();
            assert!(error.field.contains(field), "{what}: {error}");
        }
        let mut job = extended();
        job["merkle_path"] = json!(vec![""; 10_000]);
        let error = FactBody::parse("job", "pool/7", &job.to_string()).unwrap_err();
        assert!(error.reason.contains("WB-1161") && error.field.ends_with("merkle_path"), "{error}");
    }

    #[test]
    fn a_channel_may_be_written_in_the_names_of_either_protocol() {
        for protocol in ["stratum_v2_standard", "stratum_v2_extended"] {
            let channel = session(protocol);
            let kept = FactBody::parse("session", "s", &channel.to_string()).unwrap().to_json();
            assert!(
                kept.contains(r#""extranonce1":"0a0b","extranonce2_size":6"#),
                "one spelling is kept: {kept}"
            );
            assert!(!kept.contains("stale_window_ms"), "{kept}");
            let again = FactBody::parse("session", "s", &kept).unwrap();
            assert_eq!(again.to_json(), kept);
        }
        for (field, value, named) in [
            ("extranonce_size", json!(33), "extranonce2_size"),
            ("extranonce_prefix", json!("0"), "extranonce_prefix"),
            ("version_mask", json!("1fff"), "version_mask"),
            ("assigned_difficulty", json!("0"), "assigned_difficulty"),
            ("stale_window_ms", json!(600_001), "stale_window_ms"),
        ] {
            let mut channel = session("stratum_v2_extended");
            channel[field] = value;
            let error = FactBody::parse("session", "s", &channel.to_string()).unwrap_err();
            assert!(error.field.ends_with(named), "{field}: {error}");
        }
    }
}
