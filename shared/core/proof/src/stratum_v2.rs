//! Stratum V2: the header that a submit stands for, rebuilt from the channel, the job and the submit.
//!
//! ```text
//! standard channel: root = the job's merkle_root, or that of its coinbase with the prefix alone
//! extended channel: coinbase = coinbase_tx_prefix | extranonce_prefix | extranonce | coinbase_tx_suffix
//!                   root = sha256d(coinbase); for p in merkle_path: root = sha256d(root | p)
//! header           = LE32(version) | prev_hash | root | LE32(ntime) | LE32(nbits) | LE32(nonce)
//! ```
//!
//! Source: the Stratum V2 specification, sections 5.3.11, 5.3.12 and 5.3.15 to 5.3.17. A submit carries the whole
//! version of the header; it may differ from the job's only in bits that the channel's mask holds, and only where the
//! job allows rolling. All hashes are in the header's own byte order.

mod frame;
mod wire;

pub use frame::{
    MAX_SUBMIT_BYTES, SUBMIT_SHARES_EXTENDED, SUBMIT_SHARES_STANDARD, SubmitFrame, SubmitFrameError,
    decode_submit_frame,
};
pub use wire::{
    ChannelText, JobText, MAX_PREFIX_BYTES, SubmitText, WorkText, decode_channel, decode_job, decode_submit,
};

use crate::hash::{Hash256, sha256d_parts};
use crate::header::Header;
use crate::verdict::Reason;

/// The 16 version bits of BIP320, which most hardware rolls: 13 to 28.
pub const BIP320_MASK: u32 = 0x1fff_e000;

/// The 24 version bits of BIP323, which replaces BIP320 and to which Stratum V2 refers: 5 to 28.
pub const BIP323_MASK: u32 = 0x1fff_ffe0;

/// What a channel may vary beside version, time and nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// Nothing: the Merkle root is given.
    Standard,
    /// The extranonce.
    Extended,
}

/// What was agreed with one channel, as it stood when the share was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Which kind.
    pub kind: ChannelKind,
    /// The server's part of the extranonce.
    pub extranonce_prefix: Vec<u8>,
    /// Bytes of the miner's part; without meaning for a standard channel.
    pub extranonce_size: usize,
    /// Version bits the miner may roll, where the job allows rolling; none is the mask 0.
    pub version_mask: Option<u32>,
    /// Assigned difficulty in units of 2^-32.
    pub assigned_q32: u128,
}

/// The source of the Merkle root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// `NewMiningJob`: the root itself.
    Root(Hash256),
    /// `NewExtendedMiningJob`: the coinbase around the extranonce, and the path from it upwards.
    Coinbase {
        /// `coinbase_tx_prefix`, without witness data.
        prefix: Vec<u8>,
        /// `coinbase_tx_suffix`, without witness data.
        suffix: Vec<u8>,
        /// `merkle_path`, deepest first.
        path: Vec<Hash256>,
    },
}

/// A job together with the `SetNewPrevHash` that made it valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The server's id for it: the decimal text of `job_id`.
    pub job_id: String,
    /// The source of the Merkle root.
    pub work: Work,
    /// `prev_hash`, the header's bytes.
    pub prev_hash: Hash256,
    /// Block version.
    pub version: u32,
    /// Whether bits of the version may be rolled. A standard job has no such field and allows it.
    pub version_rolling_allowed: bool,
    /// Network target, compact.
    pub nbits: u32,
    /// Smallest header time, seconds since 1970.
    pub min_ntime: u32,
}

/// One `SubmitSharesStandard` or `SubmitSharesExtended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The job it answers.
    pub job_id: String,
    /// The whole version of the header.
    pub version: u32,
    /// Header time, seconds since 1970.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// The miner's part of the extranonce: only in an extended submit.
    pub extranonce: Option<Vec<u8>>,
}

/// Why no header can be rebuilt. Each belongs to one [`Reason`].
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The submit answers another job.
    #[code("WB-1153")]
    #[error("the submit answers job {submitted:?}, which is not the job {job:?} it is judged by")]
    UnknownJob {
        /// The job of the submit.
        submitted: String,
        /// The job it is judged by.
        job: String,
    },
    /// A job with a fixed Merkle root is never given to an extended channel.
    #[code("WB-1154")]
    #[error(
        "job {job:?} has a fixed Merkle root, so it was never given to an extended channel; that takes a job with a coinbase"
    )]
    JobOfStandardChannel {
        /// Job at hand.
        job: String,
    },
    /// An extranonce of another size than agreed.
    #[code("WB-1155")]
    #[error("the extranonce has {submitted_bytes} bytes; this channel takes exactly {expected_bytes}")]
    BadExtranonceSize {
        /// Size agreed with the channel; 0 for a standard channel.
        expected_bytes: usize,
        /// Size submitted; 0 where none was sent.
        submitted_bytes: usize,
    },
    /// A version that differs from the job's in bits that may not be rolled.
    #[code("WB-1156")]
    #[error(
        "version {submitted:08x} differs from the job's {job:08x} outside the mask {mask:08x} (no mask agreed, or rolling not allowed by the job, counts as 00000000)"
    )]
    BadVersionBits {
        /// Version submitted.
        submitted: u32,
        /// Version of the job.
        job: u32,
        /// Bits that may differ.
        mask: u32,
    },
}

impl Reject {
    /// The reason under which the share is counted as rejected.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::UnknownJob { .. } | Self::JobOfStandardChannel { .. } => Reason::UnknownJob,
            Self::BadExtranonceSize { .. } => Reason::BadExtranonceSize,
            Self::BadVersionBits { .. } => Reason::BadVersionBits,
        }
    }
}

/// Rebuilds the header that `submit` claims to have worked on.
///
/// A standard channel also takes a job with a coinbase: a server may send one such job to a whole group of channels, and
/// each standard channel puts its extranonce prefix alone between the two parts.
///
/// # Errors
/// [`Reject`], the first that holds of: another job, a job of another kind of channel, wrong extranonce size, version
/// bits that may not be rolled.
pub fn rebuild(channel: &Channel, job: &Job, submit: &Submit) -> Result<Header, Reject> {
    if submit.job_id != job.job_id {
        return Err(Reject::UnknownJob { submitted: submit.job_id.clone(), job: job.job_id.clone() });
    }
    if channel.kind == ChannelKind::Extended && matches!(job.work, Work::Root(_)) {
        return Err(Reject::JobOfStandardChannel { job: job.job_id.clone() });
    }
    let extranonce = extranonce_of(channel, submit)?;
    let mask = if job.version_rolling_allowed { channel.version_mask.unwrap_or(0) } else { 0 };
    if (submit.version ^ job.version) & !mask != 0 {
        return Err(Reject::BadVersionBits { submitted: submit.version, job: job.version, mask });
    }
    let root = match &job.work {
        Work::Root(root) => *root,
        Work::Coinbase { prefix, suffix, path } => {
            let coinbase = sha256d_parts(&[prefix, &channel.extranonce_prefix, extranonce, suffix]);
            path.iter().fold(coinbase, |below, beside| sha256d_parts(&[&below, beside]))
        }
    };
    Ok(Header {
        version: submit.version,
        prev: job.prev_hash,
        root,
        ntime: submit.ntime,
        nbits: job.nbits,
        nonce: submit.nonce,
    })
}

/// The extranonce that goes into the coinbase. An extended submit must carry one even where its agreed size is 0: the
/// message has the field, and a share without it has another form.
fn extranonce_of<'a>(channel: &Channel, submit: &'a Submit) -> Result<&'a [u8], Reject> {
    let expected_bytes = match channel.kind {
        ChannelKind::Standard => 0,
        ChannelKind::Extended => channel.extranonce_size,
    };
    let extranonce = submit.extranonce.as_deref();
    let of_form = extranonce.is_some() == (channel.kind == ChannelKind::Extended);
    let sent = extranonce.unwrap_or_default();
    if !of_form || sent.len() != expected_bytes {
        return Err(Reject::BadExtranonceSize { expected_bytes, submitted_bytes: sent.len() });
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(kind: ChannelKind) -> (Channel, Job, Submit) {
        let channel = Channel {
            kind,
            extranonce_prefix: vec![1],
            extranonce_size: 2,
            version_mask: Some(BIP320_MASK),
            assigned_q32: 1 << 32,
        };
        let work = Work::Coinbase { prefix: vec![0xaa], suffix: vec![0xbb], path: vec![[7; 32]] };
        let job = Job {
            job_id: "7".to_owned(),
            work,
            prev_hash: [9; 32],
            version: 0x2000_0004,
            version_rolling_allowed: true,
            nbits: 0x1d00_ffff,
            min_ntime: 10,
        };
        let submit = Submit {
            job_id: "7".to_owned(),
            version: 0x2000_0004,
            ntime: 11,
            nonce: 12,
            extranonce: (kind == ChannelKind::Extended).then(|| vec![2, 3]),
        };
        (channel, job, submit)
    }

    #[test]
    fn the_fields_go_where_they_belong() {
        for (kind, coinbase) in [
            (ChannelKind::Extended, &[0xaa, 1, 2, 3, 0xbb][..]),
            (ChannelKind::Standard, &[0xaa, 1, 0xbb][..]),
        ] {
            let (channel, mut job, submit) = parts(kind);
            let header = rebuild(&channel, &job, &submit).unwrap();
            let root = crate::sha256d(&[crate::sha256d(coinbase), [7; 32]].concat());
            let expected = Header {
                version: 0x2000_0004,
                prev: [9; 32],
                root,
                ntime: 11,
                nbits: 0x1d00_ffff,
                nonce: 12,
            };
            assert_eq!(header, expected, "{kind:?}");
            job.work = Work::Root([5; 32]);
            let fixed = rebuild(&channel, &job, &submit);
            match kind {
                ChannelKind::Standard => assert_eq!(fixed.unwrap().root, [5; 32]),
                ChannelKind::Extended => {
                    assert_eq!(fixed, Err(Reject::JobOfStandardChannel { job: "7".to_owned() }));
                }
            }
        }
    }

    #[test]
    fn the_version_differs_only_where_mask_and_job_allow() {
        for (mask, allowed, version, rolled_by) in [
            (Some(BIP320_MASK), true, 0x2000_0004_u32, true),
            (Some(BIP320_MASK), true, 0x3fff_e004, true),
            (Some(BIP320_MASK), true, 0x2000_0024, false),
            (Some(BIP323_MASK), true, 0x2000_0024, true),
            (Some(BIP323_MASK), true, 0x2000_0014, false),
            (Some(BIP323_MASK), true, 0x0000_0004, false),
            (Some(BIP320_MASK), false, 0x2000_2004, false),
            (Some(BIP320_MASK), false, 0x2000_0004, true),
            (None, true, 0x2000_2004, false),
            (None, true, 0x2000_0004, true),
        ] {
            let (mut channel, mut job, mut submit) = parts(ChannelKind::Extended);
            channel.version_mask = mask;
            job.version_rolling_allowed = allowed;
            submit.version = version;
            let rebuilt = rebuild(&channel, &job, &submit);
            assert_eq!(rebuilt.is_ok(), rolled_by, "{mask:x?} {allowed} {version:08x}");
            match rebuilt {
                Ok(header) => assert_eq!(header.version, version),
                Err(reject) => assert_eq!(reject.reason(), Reason::BadVersionBits),
            }
        }
    }

    #[test]
    fn rejects_come_in_order_and_carry_their_reason() {
        let (channel, mut job, mut submit) = parts(ChannelKind::Extended);
        let path_work = std::mem::replace(&mut job.work, Work::Root([0; 32]));
        submit.job_id = "8".to_owned();
        submit.extranonce = None;
        submit.version = 0;
        let mut codes = vec![];
        for step in 0..4 {
            let reject = rebuild(&channel, &job, &submit).unwrap_err();
            assert!(reject.to_string().contains(reject.code()), "{reject}");
            codes.push((reject.code(), reject.reason()));
            match step {
                0 => submit.job_id = "7".to_owned(),
                1 => job.work = path_work.clone(),
                2 => submit.extranonce = Some(vec![0, 0]),
                _ => submit.version = 0x2000_0004,
            }
        }
        let expected = [
            ("WB-1153", Reason::UnknownJob),
            ("WB-1154", Reason::UnknownJob),
            ("WB-1155", Reason::BadExtranonceSize),
            ("WB-1156", Reason::BadVersionBits),
        ];
        assert_eq!(codes, expected);
        assert!(rebuild(&channel, &job, &submit).is_ok());
    }

    #[test]
    fn a_submit_of_the_other_form_is_refused() {
        for (kind, extranonce) in [
            (ChannelKind::Standard, Some(vec![])),
            (ChannelKind::Standard, Some(vec![1])),
            (ChannelKind::Extended, None),
            (ChannelKind::Extended, Some(vec![1])),
            (ChannelKind::Extended, Some(vec![1, 2, 3])),
        ] {
            let (channel, job, mut submit) = parts(kind);
            submit.extranonce = extranonce;
            let reason = rebuild(&channel, &job, &submit).unwrap_err().reason();
            assert_eq!(reason, Reason::BadExtranonceSize, "{kind:?} {:?}", submit.extranonce);
        }
    }
}
