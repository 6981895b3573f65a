//! From the texts of Stratum V1's JSON parameters to sessions, jobs and submits, each field bounded.

use super::{Job, Session, Submit};
use crate::difficulty::{DifficultyError, parse_difficulty_q32};
use crate::hex::{self, HexError};

/// Most bytes of coinb1 and coinb2 together. A coinbase transaction with a few hundred payouts has some 15,000.
pub const MAX_COINBASE_BYTES: usize = 65_536;

/// Most hashes in a Merkle branch: a tree of 2^32 transactions, far more than a block can hold.
pub const MAX_BRANCH_HASHES: usize = 32;

/// Most bytes of extranonce1, and of extranonce2: consensus ends the input script that holds both at 100 bytes.
pub const MAX_EXTRANONCE_BYTES: usize = 100;

/// Most bytes in a job's id.
pub const MAX_JOB_ID_BYTES: usize = 256;

/// Why a Stratum V1 message cannot be read.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A hex field that cannot be read.
    #[code(source)]
    #[error(transparent)]
    Hex(#[from] HexError),
    /// An assigned difficulty that cannot be read.
    #[code(source)]
    #[error(transparent)]
    Difficulty(#[from] DifficultyError),
    /// coinb1 and coinb2 each fit, but not together.
    #[code("WB-1160")]
    #[error("coinb1 and coinb2 have {bytes} bytes together; at most {MAX_COINBASE_BYTES} are taken")]
    CoinbaseTooLong {
        /// Bytes of both.
        bytes: usize,
    },
    /// A longer Merkle branch than any block can have.
    #[code("WB-1161")]
    #[error("the Merkle branch has {hashes} hashes; at most {MAX_BRANCH_HASHES} are taken")]
    BranchTooLong {
        /// Hashes given.
        hashes: usize,
    },
    /// A job id beyond the bound.
    #[code("WB-1162")]
    #[error("the job id has {bytes} bytes; at most {MAX_JOB_ID_BYTES} are taken")]
    JobIdTooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// An empty job id could be any job.
    #[code("WB-1163")]
    #[error("the job id is empty; give the id that mining.notify carried")]
    JobIdEmpty,
    /// A session with a larger extranonce2 than any coinbase can hold.
    #[code("WB-1164")]
    #[error("extranonce2_size is {bytes}; at most {MAX_EXTRANONCE_BYTES} bytes fit a coinbase script")]
    ExtranonceTooLong {
        /// Size given, in bytes.
        bytes: usize,
    },
}

/// The terms of a session, as the texts that Stratum V1 carries.
#[derive(Debug, Clone, Copy)]
pub struct SessionText<'a> {
    /// Second result of `mining.subscribe`, hex.
    pub extranonce1: &'a str,
    /// Third result of `mining.subscribe`, bytes.
    pub extranonce2_size: usize,
    /// `version-rolling.mask` of `mining.configure` or the last `mining.set_version_mask`, eight hex digits.
    pub version_mask: Option<&'a str>,
    /// Parameter of `mining.set_difficulty`, the JSON number's own text.
    pub assigned_difficulty: &'a str,
}

/// The nine parameters of `mining.notify`, in order.
#[derive(Debug, Clone, Copy)]
pub struct NotifyText<'a, S> {
    /// The job's id.
    pub job_id: &'a str,
    /// Hash of the block before, 64 hex digits, words swapped.
    pub prevhash: &'a str,
    /// Coinbase up to the extranonces, hex.
    pub coinb1: &'a str,
    /// Coinbase after the extranonces, hex.
    pub coinb2: &'a str,
    /// Merkle branch, 64 hex digits each.
    pub branch: &'a [S],
    /// Block version, eight hex digits.
    pub version: &'a str,
    /// Network target, eight hex digits.
    pub nbits: &'a str,
    /// Time, eight hex digits.
    pub ntime: &'a str,
    /// Whether older jobs became void.
    pub clean_jobs: bool,
}

/// The parameters of `mining.submit` after the worker's name, in order.
#[derive(Debug, Clone, Copy)]
pub struct SubmitText<'a> {
    /// The job's id.
    pub job_id: &'a str,
    /// The miner's extranonce, hex.
    pub extranonce2: &'a str,
    /// Time, eight hex digits.
    pub ntime: &'a str,
    /// Nonce, eight hex digits.
    pub nonce: &'a str,
    /// BIP310's sixth parameter, eight hex digits.
    pub version_bits: Option<&'a str>,
}

/// Reads the terms of a session.
///
/// # Errors
/// [`WireError`], with the first field that cannot be read.
pub fn decode_session(text: &SessionText<'_>) -> Result<Session, WireError> {
    if text.extranonce2_size > MAX_EXTRANONCE_BYTES {
        return Err(WireError::ExtranonceTooLong { bytes: text.extranonce2_size });
    }
    Ok(Session {
        extranonce1: hex::decode_vec("extranonce1", text.extranonce1, MAX_EXTRANONCE_BYTES)?,
        extranonce2_size: text.extranonce2_size,
        version_mask: text.version_mask.map(|mask| hex::decode_u32("version_mask", mask)).transpose()?,
        assigned_q32: parse_difficulty_q32(text.assigned_difficulty)?,
    })
}

/// Reads a `mining.notify`.
///
/// # Errors
/// [`WireError`], with the first field that cannot be read.
pub fn decode_notify<S: AsRef<str>>(text: &NotifyText<'_, S>) -> Result<Job, WireError> {
    let job_id = decode_job_id(text.job_id)?;
    if text.branch.len() > MAX_BRANCH_HASHES {
        return Err(WireError::BranchTooLong { hashes: text.branch.len() });
    }
    let coinb1 = hex::decode_vec("coinb1", text.coinb1, MAX_COINBASE_BYTES)?;
    let coinb2 = hex::decode_vec("coinb2", text.coinb2, MAX_COINBASE_BYTES)?;
    let bytes = coinb1.len() + coinb2.len();
    if bytes > MAX_COINBASE_BYTES {
        return Err(WireError::CoinbaseTooLong { bytes });
    }
    let branch = text
        .branch
        .iter()
        .map(|hash| hex::decode_array("merkle_branch", hash.as_ref()))
        .collect::<Result<_, _>>()?;
    Ok(Job {
        job_id,
        prevhash_wire: hex::decode_array("prevhash", text.prevhash)?,
        coinb1,
        coinb2,
        branch,
        version: hex::decode_u32("version", text.version)?,
        nbits: hex::decode_u32("nbits", text.nbits)?,
        ntime: hex::decode_u32("ntime", text.ntime)?,
        clean_jobs: text.clean_jobs,
    })
}

/// Reads a `mining.submit`.
///
/// # Errors
/// [`WireError`], with the first field that cannot be read. An extranonce2 of the wrong size is no error here: such a
/// share is rejected later.
pub fn decode_submit(text: &SubmitText<'_>) -> Result<Submit, WireError> {
    Ok(Submit {
        job_id: decode_job_id(text.job_id)?,
        extranonce2: hex::decode_vec("extranonce2", text.extranonce2, MAX_EXTRANONCE_BYTES)?,
        ntime: hex::decode_u32("ntime", text.ntime)?,
        nonce: hex::decode_u32("nonce", text.nonce)?,
        version_bits: text.version_bits.map(|bits| hex::decode_u32("version_bits", bits)).transpose()?,
    })
}

fn decode_job_id(job_id: &str) -> Result<String, WireError> {
    match job_id.len() {
        0 => Err(WireError::JobIdEmpty),
        bytes if bytes > MAX_JOB_ID_BYTES => Err(WireError::JobIdTooLong { bytes }),
        _ => Ok(job_id.to_owned()),
    }
}
