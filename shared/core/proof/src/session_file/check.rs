//! Compares one session of a file with the file's expected result.

use super::{ExpectedVerdict, SessionCase};
use crate::decimal::Decimal;
use crate::difficulty::D1;
use crate::difficulty::achieved_difficulty_decimal;
use crate::hash::display_hash;
use crate::header::Header;
use crate::hex;
use crate::stratum_v1::rebuild;
use crate::target::Target;
use crate::verdict::{Judgement, Reason, ShareContext, Verdict, judge};
use ruint::aliases::U256;

/// Decimals in [`CaseOutcome::achieved_difficulty`].
pub const ACHIEVED_PLACES: usize = 12;

/// The result of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseOutcome {
    /// The session's name.
    pub name: String,
    /// "accepted" or "rejected".
    pub verdict: &'static str,
    /// Why it was rejected.
    pub reason: Option<Reason>,
    /// The header's hash as it is displayed; none where no header can be rebuilt.
    pub hash: Option<String>,
    /// Difficulty of the hash, D1 / hash, decimal text cut after [`ACHIEVED_PLACES`] decimals.
    pub achieved_difficulty: Option<String>,
    /// Whether the hash meets the target of the job's nBits.
    pub solves_block: bool,
    /// Whether everything that the file expects was found; true where it expects nothing.
    pub matches_expectation: bool,
    /// What differs, one sentence each.
    pub differences: Vec<String>,
}

/// Rebuilds and judges one session, and compares the result with the expected one.
#[must_use]
pub fn check(case: &SessionCase) -> CaseOutcome {
    let rebuilt = rebuild(&case.session, &case.job, &case.submit);
    let judged = rebuilt.map(|header| {
        let context = ShareContext {
            assigned_q32: case.session.assigned_q32,
            network_nbits: case.job.nbits,
            job_ntime: case.job.ntime,
            event_time_s: i64::from(case.submit.ntime),
            stale: false,
        };
        (header, judge(&header, &context))
    });
    let verdict = match &judged {
        Ok((_, judgement)) => judgement.verdict,
        Err(reject) => Verdict::Rejected(reject.reason()),
    };
    let header = judged.ok();
    let differences = differences(case, verdict, header.as_ref());
    let judgement = header.map(|(_, judgement)| judgement);
    CaseOutcome {
        name: case.name.clone(),
        verdict: verdict.as_str(),
        reason: verdict.reason(),
        hash: judgement.map(|found| display_hash(&found.hash)),
        achieved_difficulty: judgement.map(|found| achieved_difficulty_decimal(&found.hash, ACHIEVED_PLACES)),
        solves_block: judgement.is_some_and(|found| found.solves_block),
        matches_expectation: differences.is_empty(),
        differences,
    }
}

fn differences(case: &SessionCase, verdict: Verdict, found: Option<&(Header, Judgement)>) -> Vec<String> {
    let expected = &case.expected;
    let mut differences = Vec::new();
    let mut differ = |what: &str, wanted: String, got: String| {
        differences.push(format!("{what}: expected {wanted}, found {got}"));
    };
    let as_expected = match expected.verdict {
        None => true,
        Some(ExpectedVerdict::Accepted) => verdict == Verdict::Accepted,
        Some(ExpectedVerdict::Rejected(None)) => matches!(verdict, Verdict::Rejected(_)),
        Some(ExpectedVerdict::Rejected(Some(reason))) => verdict == Verdict::Rejected(reason),
    };
    if let (false, Some(wanted)) = (as_expected, expected.verdict) {
        differ("verdict", describe_expected(wanted), describe(verdict));
    }
    let solves_block = found.is_some_and(|(_, judgement)| judgement.solves_block);
    if let Some(wanted) = expected.solves_block
        && wanted != solves_block
    {
        differ("solves_block", wanted.to_string(), solves_block.to_string());
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "no header".to_owned());
    let hash = found.map(|(_, judgement)| judgement.hash);
    if expected.hash.is_some() && expected.hash != hash {
        let show = |hash: Option<_>| or_none(hash.as_ref().map(display_hash));
        differ("hash", show(expected.hash), show(hash));
    }
    let header = found.map(|(header, _)| header.to_bytes());
    if expected.header.is_some() && expected.header != header {
        let show = |bytes: Option<[u8; 80]>| or_none(bytes.map(|bytes| hex::encode(&bytes)));
        differ("header", show(expected.header), show(header));
    }
    if let Some(wanted) = &expected.achieved_difficulty {
        let divisor = hash.map(U256::from_le_bytes);
        if !divisor.is_some_and(|divisor| is_difficulty_of(wanted, divisor)) {
            let got = or_none(hash.map(|hash| achieved_difficulty_decimal(&hash, ACHIEVED_PLACES)));
            differ("achieved difficulty", wanted.clone(), got);
        }
    }
    if let Some(wanted) = &expected.network_difficulty {
        let target = Target::from_nbits(case.job.nbits);
        if !target.is_ok_and(|target| is_difficulty_of(wanted, target.as_u256())) {
            let got = target
                .map_or_else(|error| error.to_string(), |target| target.difficulty_decimal(ACHIEVED_PLACES));
            differ("network difficulty", wanted.clone(), got);
        }
    }
    differences
}

/// Whether `text` is D1 / `divisor` to the precision of a printed double.
fn is_difficulty_of(text: &str, divisor: U256) -> bool {
    Decimal::parse(text).is_ok_and(|stated| stated.is_near_ratio(D1, divisor))
}

fn describe(verdict: Verdict) -> String {
    match verdict.reason() {
        None => verdict.as_str().to_owned(),
        Some(reason) => format!("{} ({reason})", verdict.as_str()),
    }
}

fn describe_expected(verdict: ExpectedVerdict) -> String {
    match verdict {
        ExpectedVerdict::Accepted => "accepted".to_owned(),
        ExpectedVerdict::Rejected(None) => "rejected".to_owned(),
        ExpectedVerdict::Rejected(Some(reason)) => format!("rejected ({reason})"),
    }
}
