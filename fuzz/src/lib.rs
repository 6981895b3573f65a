//! The rules of proof of work written a second time, for comparison by the fuzz targets, without arithmetic of
//! `wb-proof`. Slow and plain on purpose: bytes, limbs and the `sha2` crate.

use sha2::{Digest, Sha256};
use wb_proof::stratum_v1::{Job, Session, Submit};
use wb_proof::{Header, Reason, ShareContext};

/// SHA-256 of SHA-256.
#[must_use]
pub fn sha256d(message: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(message)).into()
}

/// The target of compact bits, most significant byte first; none where they encode none.
///
/// Three mantissa bytes are laid down below byte `length`; what falls off at the low end is lost, at the high end is an
/// overflow.
#[must_use]
pub fn target_of(nbits: u32) -> Option<[u8; 32]> {
    let [length, high, middle, low] = nbits.to_be_bytes();
    let mut target = [0; 32];
    for (below, byte) in (1..).zip([high & 0x7f, middle, low]) {
        let Some(place) = usize::from(length).checked_sub(below) else { continue };
        match (target.iter_mut().rev().nth(place), byte) {
            (Some(at), byte) => *at = byte,
            (None, 0) => {}
            (None, _) => return None,
        }
    }
    (high & 0x80 == 0 && target != [0; 32]).then_some(target)
}

/// Whether a hash, its last byte the most significant, is not greater than a target, its first byte the most significant.
#[must_use]
pub fn meets(hash: &[u8; 32], target: &[u8; 32]) -> bool {
    hash.iter().rev().le(target)
}

/// Whether hash * q32 <= 0xffff * 2^240, by long multiplication in bytes.
#[must_use]
pub fn meets_credit(hash: &[u8; 32], q32: u128) -> bool {
    let mut product = [0_u8; 48];
    for (shift, factor) in q32.to_le_bytes().into_iter().enumerate() {
        let mut carry = 0_u16;
        for (at, byte) in product.iter_mut().enumerate().skip(shift) {
            let digit = hash.get(at - shift).copied().unwrap_or(0);
            let sum = u16::from(digit) * u16::from(factor) + u16::from(*byte) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0, "256 bits times 128 bits fit 384");
    }
    let mut limit = [0_u8; 48];
    limit[30..32].fill(0xff);
    q32 != 0 && product.iter().rev().le(limit.iter().rev())
}

/// The expected result for a header in a context: why it is refused, and whether it solves a block.
#[must_use]
pub fn verdict(header: &[u8; 80], context: &ShareContext) -> (Option<Reason>, bool) {
    let hash = sha256d(header);
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (ntime, nbits) = (i128::from(number(68)), number(72));
    let network = target_of(context.network_nbits);
    let after_event_s = ntime - i128::from(context.event_time_s);
    let rules = [
        (Reason::UnboundWork, context.assigned_q32 == 0),
        (Reason::WrongNetworkBits, network.is_none() || nbits != context.network_nbits),
        (Reason::Stale, context.stale),
        (Reason::TimeTooOld, ntime < i128::from(context.job_ntime) || after_event_s < -7_200),
        (Reason::TimeTooNew, after_event_s > 7_200),
        (Reason::LowDifficulty, !meets_credit(&hash, context.assigned_q32)),
    ];
    let refused = rules.into_iter().find(|(_, holds)| *holds).map(|(reason, _)| reason);
    (refused, network.is_some_and(|target| meets(&hash, &target)))
}

/// The header of a submit, if it may have one, put together as the protocol describes it.
#[must_use]
pub fn rebuilt(session: &Session, job: &Job, submit: &Submit) -> Option<[u8; 80]> {
    let mask = session.version_mask.unwrap_or(0);
    let bits = submit.version_bits.unwrap_or(job.version & mask);
    if submit.job_id != job.job_id
        || submit.extranonce2.len() != session.extranonce2_size
        || bits & !mask != 0
    {
        return None;
    }
    let coinbase = [&job.coinb1[..], &session.extranonce1, &submit.extranonce2, &job.coinb2].concat();
    let root = job.branch.iter().fold(sha256d(&coinbase), |root, beside| sha256d(&[root, *beside].concat()));
    let mut header = Vec::with_capacity(80);
    header.extend(((job.version & !mask) | bits).to_le_bytes());
    for word in job.prevhash_wire.chunks(4) {
        header.extend(word.iter().rev());
    }
    header.extend(root);
    for number in [submit.ntime, job.nbits, submit.nonce] {
        header.extend(number.to_le_bytes());
    }
    header.try_into().ok()
}

/// The context in which a recorded share is judged: received at its own time, not stale.
#[must_use]
pub fn context_of(session: &Session, job: &Job, submit: &Submit) -> ShareContext {
    ShareContext {
        assigned_q32: session.assigned_q32,
        network_nbits: job.nbits,
        job_ntime: job.ntime,
        event_time_s: i64::from(submit.ntime),
        stale: false,
    }
}

/// Compares the judgement of a header in a context, alone and in a batch, with [`verdict`].
///
/// # Panics
/// If any of them differ.
pub fn assert_judged(header: &Header, context: &ShareContext) {
    let bytes = header.to_bytes();
    let (refused, solves_block) = verdict(&bytes, context);
    let judgement = wb_proof::judge(header, context);
    assert_eq!(judgement.verdict.reason(), refused, "{header:?} {context:?}");
    assert_eq!(judgement.verdict == wb_proof::Verdict::Accepted, refused.is_none());
    assert_eq!(judgement.solves_block, solves_block);
    assert_eq!(judgement.hash, sha256d(&bytes));
    assert_eq!(wb_proof::judge_batch(&[(*header, *context); 9]), [judgement; 9]);
}
