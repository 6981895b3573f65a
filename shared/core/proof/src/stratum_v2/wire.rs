//! From the texts of Stratum V2's fields to channels, jobs and submits, each field bounded.

use super::{Channel, ChannelKind, Job, Submit, Work};
use crate::difficulty::parse_difficulty_q32;
use crate::hex;
use crate::stratum_v1::{
    MAX_BRANCH_HASHES, MAX_COINBASE_BYTES, MAX_EXTRANONCE_BYTES, MAX_JOB_ID_BYTES, WireError,
};

/// Most bytes of an extranonce prefix, and of an extranonce: B0_32 in the specification.
pub const MAX_PREFIX_BYTES: usize = 32;

/// The terms of a channel, as text.
#[derive(Debug, Clone, Copy)]
pub struct ChannelText<'a> {
    /// Which kind.
    pub kind: ChannelKind,
    /// `extranonce_prefix` of the channel's opening or of the last `SetExtranoncePrefix`, hex.
    pub extranonce_prefix: &'a str,
    /// `extranonce_size` of the channel's opening, bytes.
    pub extranonce_size: usize,
    /// Version bits that may roll, eight hex digits.
    pub version_mask: Option<&'a str>,
    /// The difficulty that the channel's target stands for, decimal text.
    pub assigned_difficulty: &'a str,
}

/// The source of a job's Merkle root, as text.
#[derive(Debug, Clone, Copy)]
pub enum WorkText<'a, S> {
    /// `merkle_root` of `NewMiningJob`, 64 hex digits in the header's byte order.
    Root(&'a str),
    /// The fields of `NewExtendedMiningJob`.
    Coinbase {
        /// `coinbase_tx_prefix`, hex.
        prefix: &'a str,
        /// `coinbase_tx_suffix`, hex.
        suffix: &'a str,
        /// `merkle_path`, 64 hex digits each, deepest first.
        path: &'a [S],
    },
}

/// A job and its `SetNewPrevHash`, as text.
#[derive(Debug, Clone, Copy)]
pub struct JobText<'a, S> {
    /// `job_id` in decimal.
    pub job_id: &'a str,
    /// The source of its Merkle root.
    pub work: WorkText<'a, S>,
    /// `prev_hash`, 64 hex digits in the header's byte order.
    pub prev_hash: &'a str,
    /// `version`, eight hex digits.
    pub version: &'a str,
    /// `version_rolling_allowed`; true for a standard job.
    pub version_rolling_allowed: bool,
    /// `nbits`, eight hex digits.
    pub nbits: &'a str,
    /// `min_ntime`, eight hex digits.
    pub min_ntime: &'a str,
}

/// The fields of `SubmitSharesStandard` and, with an extranonce, of `SubmitSharesExtended`, as text.
#[derive(Debug, Clone, Copy)]
pub struct SubmitText<'a> {
    /// `job_id` in decimal.
    pub job_id: &'a str,
    /// `version`, eight hex digits.
    pub version: &'a str,
    /// `ntime`, eight hex digits.
    pub ntime: &'a str,
    /// `nonce`, eight hex digits.
    pub nonce: &'a str,
    /// `extranonce`, hex.
    pub extranonce: Option<&'a str>,
}

/// Reads the terms of a channel.
///
/// # Errors
/// [`WireError`], with the first field that cannot be read.
pub fn decode_channel(text: &ChannelText<'_>) -> Result<Channel, WireError> {
    if text.extranonce_size > MAX_PREFIX_BYTES {
        return Err(WireError::ExtranonceTooLong { bytes: text.extranonce_size });
    }
    Ok(Channel {
        kind: text.kind,
        extranonce_prefix: hex::decode_vec("extranonce_prefix", text.extranonce_prefix, MAX_PREFIX_BYTES)?,
        extranonce_size: text.extranonce_size,
        version_mask: text.version_mask.map(|mask| hex::decode_u32("version_mask", mask)).transpose()?,
        assigned_q32: parse_difficulty_q32(text.assigned_difficulty)?,
    })
}

/// Reads a job.
///
/// # Errors
/// [`WireError`], with the first field that cannot be read.
pub fn decode_job<S: AsRef<str>>(text: &JobText<'_, S>) -> Result<Job, WireError> {
    let work = match &text.work {
        WorkText::Root(root) => Work::Root(hex::decode_array("merkle_root", root)?),
        WorkText::Coinbase { prefix, suffix, path } => decode_coinbase(prefix, suffix, path)?,
    };
    Ok(Job {
        job_id: decode_job_id(text.job_id)?,
        work,
        prev_hash: hex::decode_array("prev_hash", text.prev_hash)?,
        version: hex::decode_u32("version", text.version)?,
        version_rolling_allowed: text.version_rolling_allowed,
        nbits: hex::decode_u32("nbits", text.nbits)?,
        min_ntime: hex::decode_u32("min_ntime", text.min_ntime)?,
    })
}

fn decode_coinbase<S: AsRef<str>>(prefix: &str, suffix: &str, path: &[S]) -> Result<Work, WireError> {
    if path.len() > MAX_BRANCH_HASHES {
        return Err(WireError::BranchTooLong { hashes: path.len() });
    }
    let prefix = hex::decode_vec("coinbase_tx_prefix", prefix, MAX_COINBASE_BYTES)?;
    let suffix = hex::decode_vec("coinbase_tx_suffix", suffix, MAX_COINBASE_BYTES)?;
    let bytes = prefix.len() + suffix.len();
    if bytes > MAX_COINBASE_BYTES {
        return Err(WireError::CoinbaseTooLong { bytes });
    }
    let path =
        path.iter().map(|hash| hex::decode_array("merkle_path", hash.as_ref())).collect::<Result<_, _>>()?;
    Ok(Work::Coinbase { prefix, suffix, path })
}

/// Reads a submit.
///
/// # Errors
/// [`WireError`], with the first field that cannot be read. An extranonce of the wrong size is no error here: such a
/// share is rejected later.
pub fn decode_submit(text: &SubmitText<'_>) -> Result<Submit, WireError> {
    let extranonce = text
        .extranonce
        .map(|extranonce| hex::decode_vec("extranonce", extranonce, MAX_EXTRANONCE_BYTES))
        .transpose()?;
    Ok(Submit {
        job_id: decode_job_id(text.job_id)?,
        version: hex::decode_u32("version", text.version)?,
        ntime: hex::decode_u32("ntime", text.ntime)?,
        nonce: hex::decode_u32("nonce", text.nonce)?,
        extranonce,
    })
}

fn decode_job_id(job_id: &str) -> Result<String, WireError> {
    match job_id.len() {
        0 => Err(WireError::JobIdEmpty),
        bytes if bytes > MAX_JOB_ID_BYTES => Err(WireError::JobIdTooLong { bytes }),
        _ => Ok(job_id.to_owned()),
    }
}
