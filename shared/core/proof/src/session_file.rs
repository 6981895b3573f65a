//! Recorded Stratum V1 sessions as a JSON file: one array, each entry with a session, one job, one submit, and the
//! expected result. `weighbridge share check FILE` reads such files.
//!
//! A file has no clock: the event time of a share is its own ntime, so that a time can be too old for its job but
//! never too new. Each entry is checked alone: nothing is stale, and the same share twice is no duplicate.
//!
//! ```json
//! [{
//!   "name": "first", "extranonce1": "00", "extranonce2_size": 4, "version_mask": "1fffe000",
//!   "assigned_difficulty": 65536,
//!   "notify_params": ["id", "prevhash", "coinb1", "coinb2", ["branch"], "version", "nbits", "ntime", true],
//!   "submit_params": ["worker", "id", "extranonce2", "ntime", "nonce", "version bits"],
//!   "verdict": "accepted", "reason": null, "solves_block": false
//! }]
//! ```

mod check;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use check::{ACHIEVED_PLACES, CaseOutcome, check};

use crate::hash::{Hash256, parse_display_hash};
use crate::hex;
use crate::stratum_v1::{
    Job, NotifyText, Session, SessionText, Submit, SubmitText, WireError, decode_notify, decode_session,
    decode_submit,
};
use crate::verdict::{Reason, UnknownReason};

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Why a session file cannot be read.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum SessionFileError {
    /// More than [`MAX_FILE_BYTES`].
    #[code("WB-1170")]
    #[error("the session file has {bytes} bytes; at most {MAX_FILE_BYTES} are read, split it")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// Not JSON, or not an array of sessions. The source gives the place.
    #[code("WB-1171")]
    #[error(
        "the session file is no JSON array of sessions (line {line}, column {column}); each needs name, extranonce1, extranonce2_size, assigned_difficulty, notify_params and submit_params"
    )]
    Json {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// The parser's message.
        #[source]
        source: serde_json::Error,
    },
    /// A field of the protocol that cannot be read.
    #[code("WB-1172")]
    #[error("session {index} ({name:?}): a field cannot be read")]
    Wire {
        /// Place in the array, from 0.
        index: usize,
        /// The session's name.
        name: String,
        /// Which field and why.
        #[source]
        source: WireError,
    },
    /// A submit with too few or too many parameters.
    #[code("WB-1173")]
    #[error(
        "session {index} ({name:?}): submit_params has {params} entries; it takes worker, job id, extranonce2, ntime, nonce and, with version rolling, version bits"
    )]
    SubmitParams {
        /// Place in the array, from 0.
        index: usize,
        /// The session's name.
        name: String,
        /// Entries given.
        params: usize,
    },
    /// An expected verdict that is neither accepted nor rejected.
    #[code("WB-1174")]
    #[error("session {index} ({name:?}): the expected verdict {verdict:?} is neither accepted nor rejected")]
    Verdict {
        /// Place in the array, from 0.
        index: usize,
        /// The session's name.
        name: String,
        /// The text given.
        verdict: String,
    },
    /// An unknown expected reason.
    #[code("WB-1175")]
    #[error("session {index} ({name:?}): the expected reason is unknown")]
    Reason {
        /// Place in the array, from 0.
        index: usize,
        /// The session's name.
        name: String,
        /// The text given.
        #[source]
        source: UnknownReason,
    },
}

/// One session of a file, read and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCase {
    /// Its name in the file.
    pub name: String,
    /// The session.
    pub session: Session,
    /// The job.
    pub job: Job,
    /// The submit.
    pub submit: Submit,
    /// The expected result.
    pub expected: Expectation,
}

/// The expected result; fields that the file leaves out or gives as null are not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Accepted (no reason) or rejected (with or without a reason).
    pub verdict: Option<ExpectedVerdict>,
    /// Whether it solves a block.
    pub solves_block: Option<bool>,
    /// The header's hash.
    pub hash: Option<Hash256>,
    /// The 80 bytes of the header.
    pub header: Option<[u8; 80]>,
    /// Difficulty of the hash, decimal text, to a double's precision.
    pub achieved_difficulty: Option<String>,
    /// Difficulty of the network's target, decimal text, to a double's precision.
    pub network_difficulty: Option<String>,
}

/// The verdict that a file expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// It must count.
    Accepted,
    /// It must not, and for this reason where one is given.
    Rejected(Option<Reason>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase<'a> {
    name: String,
    #[serde(default, rename = "origin")]
    _origin: Option<String>,
    extranonce1: String,
    extranonce2_size: usize,
    #[serde(default)]
    version_mask: Option<String>,
    #[serde(borrow)]
    assigned_difficulty: &'a RawValue,
    notify_params: RawNotify,
    submit_params: Vec<String>,
    #[serde(default)]
    header_hex: Option<String>,
    #[serde(default)]
    hash: Option<String>,
    #[serde(default, borrow)]
    achieved_difficulty_bdiff: Option<&'a RawValue>,
    #[serde(default, borrow)]
    network_difficulty_bdiff: Option<&'a RawValue>,
    #[serde(default)]
    verdict: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    solves_block: Option<bool>,
}

/// job id, prevhash, coinb1, coinb2, branch, version, nbits, ntime, clean jobs.
#[derive(Deserialize)]
struct RawNotify(String, String, String, String, Vec<String>, String, String, String, bool);

/// Reads a session file.
///
/// # Errors
/// [`SessionFileError`] for the first thing that cannot be read; then nothing is returned.
pub fn parse(text: &str) -> Result<Vec<SessionCase>, SessionFileError> {
    if text.len() > MAX_FILE_BYTES {
        return Err(SessionFileError::TooLarge { bytes: text.len() });
    }
    let raw: Vec<RawCase<'_>> = serde_json::from_str(text).map_err(|source| SessionFileError::Json {
        line: source.line(),
        column: source.column(),
        source,
    })?;
    raw.into_iter().enumerate().map(|(index, case)| read_case(index, case)).collect()
}

fn read_case(index: usize, raw: RawCase<'_>) -> Result<SessionCase, SessionFileError> {
    let wire = |source: WireError| SessionFileError::Wire { index, name: raw.name.clone(), source };
    let session = decode_session(&SessionText {
        extranonce1: &raw.extranonce1,
        extranonce2_size: raw.extranonce2_size,
        version_mask: raw.version_mask.as_deref(),
        assigned_difficulty: number_text(raw.assigned_difficulty),
    })
    .map_err(wire)?;
    let RawNotify(job_id, prevhash, coinb1, coinb2, branch, version, nbits, ntime, clean_jobs) =
        &raw.notify_params;
    let job = decode_notify(&NotifyText {
        job_id,
        prevhash,
        coinb1,
        coinb2,
        branch,
        version,
        nbits,
        ntime,
        clean_jobs: *clean_jobs,
    })
    .map_err(wire)?;
    let (job_id, extranonce2, ntime, nonce, version_bits) = match raw.submit_params.as_slice() {
        [_worker, job_id, extranonce2, ntime, nonce] => (job_id, extranonce2, ntime, nonce, None),
        [_worker, job_id, extranonce2, ntime, nonce, bits] => {
            (job_id, extranonce2, ntime, nonce, Some(bits.as_str()))
        }
        other => {
            return Err(SessionFileError::SubmitParams { index, name: raw.name, params: other.len() });
        }
    };
    let submit =
        decode_submit(&SubmitText { job_id, extranonce2, ntime, nonce, version_bits }).map_err(wire)?;
    let expected = Expectation {
        verdict: read_verdict(index, &raw)?,
        solves_block: raw.solves_block,
        hash: raw
            .hash
            .as_deref()
            .map(|text| parse_display_hash("hash", text))
            .transpose()
            .map_err(|error| wire(error.into()))?,
        header: raw
            .header_hex
            .as_deref()
            .map(|text| hex::decode_array("header_hex", text))
            .transpose()
            .map_err(|error| wire(error.into()))?,
        achieved_difficulty: raw.achieved_difficulty_bdiff.map(|raw| number_text(raw).to_owned()),
        network_difficulty: raw.network_difficulty_bdiff.map(|raw| number_text(raw).to_owned()),
    };
    Ok(SessionCase { name: raw.name, session, job, submit, expected })
}

fn read_verdict(index: usize, raw: &RawCase<'_>) -> Result<Option<ExpectedVerdict>, SessionFileError> {
    let reason = raw
        .reason
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|source| SessionFileError::Reason { index, name: raw.name.clone(), source })?;
    match (raw.verdict.as_deref(), reason) {
        (None, None) => Ok(None),
        (None | Some("rejected"), reason) => Ok(Some(ExpectedVerdict::Rejected(reason))),
        (Some("accepted"), None) => Ok(Some(ExpectedVerdict::Accepted)),
        (Some(verdict), _) => {
            Err(SessionFileError::Verdict { index, name: raw.name.clone(), verdict: verdict.to_owned() })
        }
    }
}

/// The decimal text of a JSON number, or of a string that holds one.
fn number_text(raw: &RawValue) -> &str {
    let text = raw.get();
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}
