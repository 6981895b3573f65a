//! Stratum V1: the header that a submit stands for, rebuilt from the session, the job and the submit.
//!
//! ```text
//! coinbase = coinb1 | extranonce1 | extranonce2 | coinb2
//! root     = sha256d(coinbase); for b in branch: root = sha256d(root | b)
//! version  = (job version & ~mask) | (submitted bits & mask)
//! ```
//!
//! [`rebuild`] does one submit, [`rebuild_batch`] and [`JobBatch`] many of one job at a small part of the cost.

mod batch;
mod wire;

pub use batch::{JobBatch, rebuild_batch};
pub use wire::{
    MAX_BRANCH_HASHES, MAX_COINBASE_BYTES, MAX_EXTRANONCE_BYTES, MAX_JOB_ID_BYTES, NotifyText, SessionText,
    SubmitText, WireError, decode_notify, decode_session, decode_submit,
};

use crate::hash::{Hash256, sha256d_parts};
use crate::header::Header;
use crate::verdict::Reason;

/// One `mining.notify`: a job that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The server's id for it, unique in the session.
    pub job_id: String,
    /// Hash of the block before, as notify carries it: the bytes of each 4-byte word swapped.
    pub prevhash_wire: [u8; 32],
    /// Coinbase transaction up to the extranonces, without witness data.
    pub coinb1: Vec<u8>,
    /// Coinbase transaction after the extranonces.
    pub coinb2: Vec<u8>,
    /// Merkle branch from the coinbase upwards, internal byte order.
    pub branch: Vec<Hash256>,
    /// Block version.
    pub version: u32,
    /// Network target, compact.
    pub nbits: u32,
    /// Time the job was given out with, seconds since 1970.
    pub ntime: u32,
    /// Whether older jobs became void with this one.
    pub clean_jobs: bool,
}

/// What was agreed with one connection, as it stood when the share was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The server's part of the extranonce.
    pub extranonce1: Vec<u8>,
    /// Bytes of the miner's part.
    pub extranonce2_size: usize,
    /// Version bits the miner may roll (BIP310), the last mask sent; none if version rolling was never agreed.
    pub version_mask: Option<u32>,
    /// Assigned difficulty in units of 2^-32.
    pub assigned_q32: u128,
}

/// One `mining.submit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The job it answers.
    pub job_id: String,
    /// The miner's part of the extranonce.
    pub extranonce2: Vec<u8>,
    /// Header time, seconds since 1970.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// The sixth parameter of BIP310, where given: the rolled bits.
    pub version_bits: Option<u32>,
}

/// Why no header can be rebuilt. Each belongs to one [`Reason`].
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The submit answers another job.
    #[code("WB-1150")]
    #[error("the submit answers job {submitted:?}, which is not the job {job:?} it is judged by")]
    UnknownJob {
        /// The job of the submit.
        submitted: String,
        /// The job it is judged by.
        job: String,
    },
    /// extranonce2 of another size than agreed.
    #[code("WB-1151")]
    #[error("extranonce2 has {submitted_bytes} bytes; this session takes exactly {expected_bytes}")]
    BadExtranonceSize {
        /// Size agreed with the session.
        expected_bytes: usize,
        /// Size submitted.
        submitted_bytes: usize,
    },
    /// Version bits that the session's mask does not allow.
    #[code("WB-1152")]
    #[error(
        "version bits {submitted:08x} go outside the session's mask {mask:08x} (no mask agreed counts as 00000000)"
    )]
    BadVersionBits {
        /// Bits submitted.
        submitted: u32,
        /// Mask of the session, 0 where there is none.
        mask: u32,
    },
}

impl Reject {
    /// The reason under which the share is counted as rejected.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::UnknownJob { .. } => Reason::UnknownJob,
            Self::BadExtranonceSize { .. } => Reason::BadExtranonceSize,
            Self::BadVersionBits { .. } => Reason::BadVersionBits,
        }
    }
}

/// Rebuilds the header that `submit` claims to have worked on.
///
/// # Errors
/// [`Reject`], the first that holds of: another job, wrong extranonce2 size, version bits outside the mask.
pub fn rebuild(session: &Session, job: &Job, submit: &Submit) -> Result<Header, Reject> {
    let version = accepted_version(session, job, submit)?;
    let coinbase = sha256d_parts(&[&job.coinb1, &session.extranonce1, &submit.extranonce2, &job.coinb2]);
    let root = job.branch.iter().fold(coinbase, |below, beside| sha256d_parts(&[&below, beside]));
    Ok(Header {
        version,
        prev: swap_words(&job.prevhash_wire),
        root,
        ntime: submit.ntime,
        nbits: job.nbits,
        nonce: submit.nonce,
    })
}

/// The header's version, if the submit fits the session and the job.
fn accepted_version(session: &Session, job: &Job, submit: &Submit) -> Result<u32, Reject> {
    if submit.job_id != job.job_id {
        return Err(Reject::UnknownJob { submitted: submit.job_id.clone(), job: job.job_id.clone() });
    }
    if submit.extranonce2.len() != session.extranonce2_size {
        return Err(Reject::BadExtranonceSize {
            expected_bytes: session.extranonce2_size,
            submitted_bytes: submit.extranonce2.len(),
        });
    }
    rolled_version(job.version, session.version_mask, submit.version_bits)
}

/// BIP310: nVersion = (job version & ~mask) | (version bits & mask), and version bits & ~mask must be 0.
///
/// The two cases BIP310 leaves open:
/// - No mask was agreed, yet bits were sent. That is a mask of 0: the rule above then allows the bits 0, which change
///   nothing, and refuses all others.
/// - A mask was agreed, yet no bits were sent. The header is then taken to hold the job's version as given out. Nothing is
///   conceded by that: if the miner rolled bits without sending them, the hash will not meet the target.
fn rolled_version(job_version: u32, mask: Option<u32>, bits: Option<u32>) -> Result<u32, Reject> {
    let mask = mask.unwrap_or(0);
    match bits {
        None => Ok(job_version),
        Some(submitted) if submitted & !mask != 0 => Err(Reject::BadVersionBits { submitted, mask }),
        Some(submitted) => Ok((job_version & !mask) | submitted),
    }
}

/// Swaps the bytes of each 4-byte word: notify's previous hash to header order, and back.
fn swap_words(bytes: &[u8; 32]) -> [u8; 32] {
    let mut swapped = *bytes;
    for word in swapped.chunks_exact_mut(4) {
        word.reverse();
    }
    swapped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> (Session, Job, Submit) {
        let session =
            Session { extranonce1: vec![1], extranonce2_size: 2, version_mask: None, assigned_q32: 1 << 32 };
        let job = Job {
            job_id: "a".to_owned(),
            prevhash_wire: [0; 32],
            coinb1: vec![0xaa],
            coinb2: vec![0xbb],
            branch: vec![[7; 32]],
            version: 0x2000_0004,
            nbits: 0x1d00_ffff,
            ntime: 10,
            clean_jobs: true,
        };
        let submit = Submit {
            job_id: "a".to_owned(),
            extranonce2: vec![2, 3],
            ntime: 11,
            nonce: 12,
            version_bits: None,
        };
        (session, job, submit)
    }

    #[test]
    fn coinbase_root_and_fields_go_where_they_belong() {
        let (session, mut job, submit) = parts();
        for (n, byte) in (0_u8..).zip(job.prevhash_wire.iter_mut()) {
            *byte = n;
        }
        let header = rebuild(&session, &job, &submit).unwrap();
        let coinbase = crate::sha256d(&[0xaa, 1, 2, 3, 0xbb]);
        let root = crate::sha256d(&[coinbase, [7; 32]].concat());
        assert_eq!(header.root, root);
        assert_eq!(header.prev[..8], [3, 2, 1, 0, 7, 6, 5, 4]);
        assert_eq!((header.ntime, header.nbits, header.nonce), (11, 0x1d00_ffff, 12));
        assert_eq!(header.version, 0x2000_0004);
    }

    #[test]
    fn version_bits_follow_bip310() {
        let mask = 0x1fff_e000;
        let bad = |submitted, mask| Err(Reject::BadVersionBits { submitted, mask });
        for (mask, bits, expected) in [
            (Some(mask), Some(0x1000_0000), Ok(0x3000_0004)),
            (Some(mask), Some(0), Ok(0x2000_0004)),
            (Some(mask), None, Ok(0x2000_0004)),
            (Some(mask), Some(mask), Ok(0x3fff_e004)),
            (Some(mask), Some(0x1000_0001), bad(0x1000_0001, mask)),
            (Some(mask), Some(0x2000_0000), bad(0x2000_0000, mask)),
            // The wider mask of BIP323 is data like any other.
            (Some(0x1fff_ffe0), Some(0x20), Ok(0x2000_0024)),
            (Some(0x1fff_ffe0), Some(0x10), bad(0x10, 0x1fff_ffe0)),
            (None, None, Ok(0x2000_0004)),
            (None, Some(0), Ok(0x2000_0004)),
            (None, Some(0x2000), bad(0x2000, 0)),
            (Some(0), Some(1), bad(1, 0)),
            (Some(u32::MAX), Some(5), Ok(5)),
        ] {
            assert_eq!(rolled_version(0x2000_0004, mask, bits), expected, "{mask:x?} {bits:x?}");
        }
        // Bits of the job under the mask are replaced, not added to.
        assert_eq!(rolled_version(0x3000_0000, Some(mask), Some(0x2000)), Ok(0x2000_2000));
    }

    #[test]
    fn rejects_come_in_order_and_carry_their_reason() {
        let (session, job, mut submit) = parts();
        submit.job_id = "b".to_owned();
        submit.extranonce2 = vec![];
        submit.version_bits = Some(1);
        let mut reasons = vec![];
        for _ in 0..3 {
            let reject = rebuild(&session, &job, &submit).unwrap_err();
            assert!(reject.to_string().contains(reject.code()), "{reject}");
            match reject.reason() {
                Reason::UnknownJob => submit.job_id = "a".to_owned(),
                Reason::BadExtranonceSize => submit.extranonce2 = vec![0, 0],
                _ => submit.version_bits = None,
            }
            reasons.push(reject.reason());
        }
        assert_eq!(reasons, [Reason::UnknownJob, Reason::BadExtranonceSize, Reason::BadVersionBits]);
        assert!(rebuild(&session, &job, &submit).is_ok());
    }
}
