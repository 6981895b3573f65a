//! Real work at a tiny difficulty: tries nonces until a hash meets the share's target.

use wb_proof::stratum_v1::{Job, Session, Submit, rebuild};
use wb_proof::{HEADER_BYTES, Hash256, meets_credit_q32, sha256d_headers};

use crate::TestkitError;

/// Headers per call of the batch hash.
const BATCH: usize = 1024;
const BATCH_NONCES: u32 = 1024;

/// The offset of the nonce in a header.
const NONCE_AT: usize = 76;

/// Nonces, from zero up, with which a submit's header meets its session's target: `wanted` of them, or fewer if the
/// nonces run out. `submit.nonce` is ignored.
pub(crate) fn nonces(
    session_id: &str,
    session: &Session,
    job: &Job,
    submit: &Submit,
    wanted: usize,
) -> Result<Vec<u32>, TestkitError> {
    let mining = |what: String| TestkitError::Mining { session: session_id.to_owned(), what };
    let header = rebuild(session, job, submit).map_err(|error| mining(error.to_string()))?;
    let mut headers = [header.to_bytes(); BATCH];
    let mut hashes: [Hash256; BATCH] = [[0; 32]; BATCH];
    let mut found = Vec::with_capacity(wanted);
    let mut first = 0_u32;
    loop {
        for (header, nonce) in headers.iter_mut().zip(first..=u32::MAX) {
            header[NONCE_AT..HEADER_BYTES].copy_from_slice(&nonce.to_le_bytes());
        }
        sha256d_headers(&headers, &mut hashes).map_err(|error| mining(error.to_string()))?;
        for (hash, nonce) in hashes.iter().zip(first..=u32::MAX) {
            if found.len() < wanted && meets_credit_q32(hash, session.assigned_q32) {
                found.push(nonce);
            }
        }
        let Some(next) = first.checked_add(BATCH_NONCES).filter(|_| found.len() < wanted) else {
            return Ok(found);
        };
        first = next;
    }
}

/// Converts a hash between internal order and the word order of `mining.notify`, by reversing the bytes of each
/// 4-byte word.
pub(crate) fn notify_order(hash: &Hash256) -> Hash256 {
    let mut swapped = *hash;
    for word in swapped.chunks_exact_mut(4) {
        word.reverse();
    }
    swapped
}
