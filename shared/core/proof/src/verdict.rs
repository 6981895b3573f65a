//! Whether a header counts in its context, the reason if not, and whether it solves a block.

use std::fmt;
use std::str::FromStr;

use crate::hash::Hash256;
use crate::header::{HEADER_BYTES, Header};
use crate::lanes::Chain;
use crate::share_id::ShareId;
use crate::target::{Target, meets_credit_q32};

/// How far a share's own time may lie from the moment its source received it, either way, in seconds. Two hours is also
/// what nodes allow a block to be ahead of their clock.
pub const MAX_TIME_SKEW_S: i64 = 7_200;

/// Why a share does not count, in the order of the checks: if several reasons hold, the first is given.
///
/// Texts and codes are stored and exported; they never change and are never reused. Code 0 is not used, so that an
/// empty field is not read as a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// The job was never given out, or not in this session.
    UnknownJob = 1,
    /// The extranonce2 has another size than the session's.
    BadExtranonceSize = 2,
    /// The work belongs to no assignment: no job of the operator's, or no assigned difficulty.
    UnboundWork = 3,
    /// Version bits outside the session's mask.
    BadVersionBits = 4,
    /// The header's nBits are not the network's, or the network's encode no target.
    WrongNetworkBits = 5,
    /// The chain's tip had moved on when the source received the share.
    Stale = 6,
    /// The header's time is before its job's, or more than [`MAX_TIME_SKEW_S`] before the event's.
    TimeTooOld = 7,
    /// The header's time is more than [`MAX_TIME_SKEW_S`] after the event's.
    TimeTooNew = 8,
    /// The hash is greater than the assigned target.
    LowDifficulty = 9,
    /// The same proof was counted before.
    Duplicate = 10,
}

impl Reason {
    /// All reasons, in order of code.
    pub const ALL: [Self; 10] = [
        Self::UnknownJob,
        Self::BadExtranonceSize,
        Self::UnboundWork,
        Self::BadVersionBits,
        Self::WrongNetworkBits,
        Self::Stale,
        Self::TimeTooOld,
        Self::TimeTooNew,
        Self::LowDifficulty,
        Self::Duplicate,
    ];

    /// The stable text, snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownJob => "unknown_job",
            Self::BadExtranonceSize => "bad_extranonce_size",
            Self::UnboundWork => "unbound_work",
            Self::BadVersionBits => "bad_version_bits",
            Self::WrongNetworkBits => "wrong_network_bits",
            Self::Stale => "stale",
            Self::TimeTooOld => "time_too_old",
            Self::TimeTooNew => "time_too_new",
            Self::LowDifficulty => "low_difficulty",
            Self::Duplicate => "duplicate",
        }
    }

    /// The stable code, 1 and up.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::UnknownJob => 1,
            Self::BadExtranonceSize => 2,
            Self::UnboundWork => 3,
            Self::BadVersionBits => 4,
            Self::WrongNetworkBits => 5,
            Self::Stale => 6,
            Self::TimeTooOld => 7,
            Self::TimeTooNew => 8,
            Self::LowDifficulty => 9,
            Self::Duplicate => 10,
        }
    }

    /// The reason of a stored code.
    ///
    /// # Errors
    /// [`UnknownReason`] for 0 and for codes of later versions.
    pub fn from_code(code: u8) -> Result<Self, UnknownReason> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.code() == code)
            .ok_or_else(|| UnknownReason { given: code.to_string() })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| UnknownReason { given: text.to_owned() })
    }
}

/// A text or code that is not a reason of this version.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[code("WB-1140")]
#[error("{given:?} is no reason for refusing a share; codes are 1 to 10, texts such as low_difficulty")]
pub struct UnknownReason {
    /// What was given.
    pub given: String,
}

/// Whether a share counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It counts, with the difficulty assigned to it.
    Accepted,
    /// It would count, and did so before.
    Duplicate,
    /// It does not count.
    Rejected(Reason),
}

impl Verdict {
    /// "accepted", "duplicate" or "rejected".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Why it does not count; nothing for an accepted share.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Accepted => None,
            Self::Duplicate => Some(Reason::Duplicate),
            Self::Rejected(reason) => Some(reason),
        }
    }
}

/// The context in which a header is judged. It has no `Default`, because each field must be stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareContext {
    /// The difficulty assigned before the share was made, in units of 2^-32. Zero is no assignment: `unbound_work`.
    pub assigned_q32: u128,
    /// The network's target at the job's height, compact: the block check uses this, not what the header says.
    pub network_nbits: u32,
    /// The time the job was given out with, seconds since 1970 (a bare header has no job: its own time).
    pub job_ntime: u32,
    /// When the share's source received it, seconds since 1970 (a replay source: the header's time).
    pub event_time_s: i64,
    /// Whether the chain's tip at the event time was another block than the one the share builds on.
    pub stale: bool,
}

/// The judgement of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Judgement {
    /// Whether it counts.
    pub verdict: Verdict,
    /// Whether the hash meets the network's target. It is separate from the verdict: a stale or repeated share, or
    /// one refused for its time, may still be a block.
    pub solves_block: bool,
    /// The header's hash, internal byte order.
    pub hash: Hash256,
    /// The share's identity.
    pub share_id: ShareId,
}

impl Judgement {
    /// The judgement of a proof that was counted before: an accepted share becomes a duplicate. A refused share keeps
    /// its reason, however often it comes.
    #[must_use]
    pub fn as_duplicate(self) -> Self {
        let verdict = match self.verdict {
            Verdict::Accepted | Verdict::Duplicate => Verdict::Duplicate,
            Verdict::Rejected(reason) => Verdict::Rejected(reason),
        };
        Self { verdict, ..self }
    }
}

/// Judges a header by everything that follows from it and its context.
///
/// Order: the block check, never skipped; then no assigned difficulty, wrong network bits, stale, time too old, time
/// too new, low difficulty. Unknown jobs, extranonce sizes and version bits are checked earlier
/// ([`crate::stratum_v1::rebuild`]). The caller checks whether the proof is new ([`Judgement::as_duplicate`]).
///
/// Network bits that encode no target solve nothing and are refused as `wrong_network_bits`, whatever the header holds.
#[must_use]
pub fn judge(header: &Header, context: &ShareContext) -> Judgement {
    judge_hashed(header, header.hash(), context)
}

/// [`judge`] for a batch: `result[i]` is what it gives for `shares[i]`. The headers are hashed side by side.
#[must_use]
pub fn judge_batch(shares: &[(Header, ShareContext)]) -> Vec<Judgement> {
    judge_batch_by(Chain::best(), shares)
}

pub(crate) fn judge_batch_by(chain: &Chain, shares: &[(Header, ShareContext)]) -> Vec<Judgement> {
    let headers: Vec<[u8; HEADER_BYTES]> = shares.iter().map(|(header, _)| header.to_bytes()).collect();
    let mut hashes = vec![[0; 32]; headers.len()];
    chain.headers(&headers, &mut hashes);
    shares.iter().zip(hashes).map(|((header, context), hash)| judge_hashed(header, hash, context)).collect()
}

/// [`judge`] for a header that was hashed already.
///
/// `hash` is not checked: it must come from hashing this very header, never from the sender of the share.
#[must_use]
pub fn judge_hashed(header: &Header, hash: Hash256, context: &ShareContext) -> Judgement {
    let network_target = Target::from_nbits(context.network_nbits).ok();
    let solves_block = network_target.is_some_and(|target| target.is_met_by(&hash));
    let refused = refusal(header, &hash, network_target.is_some(), context);
    Judgement {
        verdict: refused.map_or(Verdict::Accepted, Verdict::Rejected),
        solves_block,
        hash,
        share_id: ShareId::of_hash(&hash),
    }
}

fn refusal(
    header: &Header,
    hash: &Hash256,
    network_has_target: bool,
    context: &ShareContext,
) -> Option<Reason> {
    let ntime_s = i64::from(header.ntime);
    let earliest_s = context.event_time_s.saturating_sub(MAX_TIME_SKEW_S);
    let latest_s = context.event_time_s.saturating_add(MAX_TIME_SKEW_S);
    if context.assigned_q32 == 0 {
        Some(Reason::UnboundWork)
    } else if !network_has_target || header.nbits != context.network_nbits {
        Some(Reason::WrongNetworkBits)
    } else if context.stale {
        Some(Reason::Stale)
    } else if header.ntime < context.job_ntime || ntime_s < earliest_s {
        Some(Reason::TimeTooOld)
    } else if ntime_s > latest_s {
        Some(Reason::TimeTooNew)
    } else if !meets_credit_q32(hash, context.assigned_q32) {
        Some(Reason::LowDifficulty)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// The first block: difficulty 1, achieved 2536.4.
    fn genesis() -> (Header, ShareContext) {
        let bytes = hex::decode_array("header", "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c").unwrap();
        let header = Header::from_bytes(&bytes);
        let context = ShareContext {
            assigned_q32: 2536 << 32,
            network_nbits: header.nbits,
            job_ntime: header.ntime,
            event_time_s: i64::from(header.ntime),
            stale: false,
        };
        (header, context)
    }

    #[test]
    fn reasons_keep_their_texts_and_codes() {
        let stored = [
            (1, "unknown_job"),
            (2, "bad_extranonce_size"),
            (3, "unbound_work"),
            (4, "bad_version_bits"),
            (5, "wrong_network_bits"),
            (6, "stale"),
            (7, "time_too_old"),
            (8, "time_too_new"),
            (9, "low_difficulty"),
            (10, "duplicate"),
        ];
        assert_eq!(Reason::ALL.map(|reason| (reason.code(), reason.as_str())), stored);
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Ok(reason));
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(reason.to_string(), reason.as_str());
        }
        for code in [0, 11, 255] {
            assert!(Reason::from_code(code).is_err(), "{code}");
        }
        for text in ["", "Stale", "accepted", "stale "] {
            assert!(text.parse::<Reason>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_honest_share_counts_up_to_the_difficulty_it_reached() {
        let (header, context) = genesis();
        let judgement = judge(&header, &context);
        assert_eq!((judgement.verdict, judgement.solves_block), (Verdict::Accepted, true));
        assert_eq!(judgement.hash, header.hash());
        assert_eq!(judgement.share_id, header.share_id());
        let harder = ShareContext { assigned_q32: 2537 << 32, ..context };
        assert_eq!(judge(&header, &harder).verdict, Verdict::Rejected(Reason::LowDifficulty));
    }

    #[test]
    fn each_rule_refuses_alone_and_the_block_is_kept() {
        let (header, good) = genesis();
        let ntime_s = i64::from(header.ntime);
        let table = [
            (ShareContext { assigned_q32: 0, ..good }, Reason::UnboundWork, true),
            (ShareContext { network_nbits: 0x1d00_fffe, ..good }, Reason::WrongNetworkBits, true),
            (ShareContext { network_nbits: 0, ..good }, Reason::WrongNetworkBits, false),
            (ShareContext { stale: true, ..good }, Reason::Stale, true),
            (ShareContext { job_ntime: header.ntime + 1, ..good }, Reason::TimeTooOld, true),
            (ShareContext { event_time_s: ntime_s + 7_201, ..good }, Reason::TimeTooOld, true),
            (ShareContext { event_time_s: i64::MAX, ..good }, Reason::TimeTooOld, true),
            (ShareContext { event_time_s: ntime_s - 7_201, ..good }, Reason::TimeTooNew, true),
            (ShareContext { event_time_s: i64::MIN, ..good }, Reason::TimeTooNew, true),
            (ShareContext { event_time_s: 0, ..good }, Reason::TimeTooNew, true),
            (ShareContext { assigned_q32: u128::MAX, ..good }, Reason::LowDifficulty, true),
        ];
        for (context, reason, solves_block) in table {
            let judgement = judge(&header, &context);
            assert_eq!(judgement.verdict, Verdict::Rejected(reason), "{context:?}");
            assert_eq!(judgement.solves_block, solves_block, "{context:?}");
            assert_eq!(judgement.as_duplicate(), judgement, "a refused share stays refused for its reason");
        }
        for skew_s in [-7_200, 7_200] {
            let context = ShareContext { event_time_s: ntime_s + skew_s, ..good };
            assert_eq!(judge(&header, &context).verdict, Verdict::Accepted, "{skew_s} s is within bounds");
        }
    }

    #[test]
    fn of_several_reasons_the_first_in_order_is_given() {
        let (header, good) = genesis();
        let mut context = ShareContext {
            assigned_q32: u128::MAX,
            network_nbits: 0x1d00_fffe,
            job_ntime: header.ntime + 1,
            event_time_s: 0,
            stale: true,
        };
        let mut verdicts = vec![judge(&header, &context).verdict];
        context.network_nbits = good.network_nbits;
        verdicts.push(judge(&header, &context).verdict);
        context.stale = false;
        verdicts.push(judge(&header, &context).verdict);
        context.job_ntime = good.job_ntime;
        verdicts.push(judge(&header, &context).verdict);
        context.event_time_s = good.event_time_s;
        verdicts.push(judge(&header, &context).verdict);
        assert_eq!(
            verdicts,
            [
                Reason::WrongNetworkBits,
                Reason::Stale,
                Reason::TimeTooOld,
                Reason::TimeTooNew,
                Reason::LowDifficulty
            ]
            .map(Verdict::Rejected)
        );
    }

    #[test]
    fn a_repeat_of_an_accepted_share_is_a_duplicate_that_still_solves_its_block() {
        let (header, context) = genesis();
        let repeat = judge(&header, &context).as_duplicate();
        assert_eq!(repeat.verdict, Verdict::Duplicate);
        assert!(repeat.solves_block);
        assert_eq!(repeat.as_duplicate(), repeat);
        assert_eq!(repeat.verdict.reason(), Some(Reason::Duplicate));
        assert_eq!(
            [Verdict::Accepted, Verdict::Duplicate, Verdict::Rejected(Reason::Stale)].map(Verdict::as_str),
            ["accepted", "duplicate", "rejected"]
        );
        assert_eq!(Verdict::Accepted.reason(), None);
    }
}
