//! Finds rolled version bits.
//!
//! A share log has the hash of a share but not the version bits that the miner rolled. No other part of the header is
//! missing, so all combinations under the pool's mask are tried until one gives the logged hash.

use wb_proof::stratum_v1::{Job, Session, Submit, rebuild};
use wb_proof::{Header, display_hash, sha256d_headers};

/// The most bits of a mask that are searched: 2^16 headers take some milliseconds. A wider mask is not searched.
const SEARCHED_BITS_MAX: u32 = 16;

/// Headers hashed at once.
const BATCH: usize = 512;

/// The version bits that give the hash: a number under the mask, or `None` if no combination does.
pub(crate) fn find(session: &Session, job: &Job, submit: &Submit, hash: &str) -> Option<u32> {
    let mask = session.version_mask.unwrap_or(0);
    let header = rebuild(session, job, &Submit { version_bits: None, ..submit.clone() }).ok()?;
    if display_hash(&header.hash()) == hash {
        return Some(header.version & mask);
    }
    let wanted = wb_proof::parse_display_hash("hash", hash).ok()?;
    if mask.count_ones() > SEARCHED_BITS_MAX {
        return None;
    }
    let mut all = combinations(mask);
    loop {
        let bits: Vec<u32> = all.by_ref().take(BATCH).collect();
        if bits.is_empty() {
            return None;
        }
        let version = |bits: u32| (header.version & !mask) | bits;
        let headers: Vec<_> =
            bits.iter().map(|bits| Header { version: version(*bits), ..header }.to_bytes()).collect();
        let mut hashes = vec![[0; 32]; headers.len()];
        sha256d_headers(&headers, &mut hashes).ok()?;
        if let Some(found) = hashes.iter().position(|hash| *hash == wanted) {
            return bits.get(found).copied();
        }
    }
}

/// All numbers with only bits of a mask: 0 first, the mask last.
fn combinations(mask: u32) -> impl Iterator<Item = u32> {
    // Subtracting the mask carries through the bits outside it, which gives the next number under the mask.
    std::iter::successors(Some(0_u32), move |last| (*last != mask).then(|| last.wrapping_sub(mask) & mask))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_proof::stratum_v2::BIP320_MASK;

    #[test]
    fn every_combination_comes_once() {
        let found: Vec<u32> = combinations(0b1010_0100).collect();
        let expected = [0, 0b100, 0b10_0000, 0b10_0100, 0b1000_0000, 0b1000_0100, 0b1010_0000, 0b1010_0100];
        assert_eq!(found, expected);
        assert_eq!(combinations(0).collect::<Vec<_>>(), [0]);
        assert_eq!(combinations(BIP320_MASK).count(), 1 << 16);
    }

    #[test]
    fn rolled_bits_are_found_by_the_hash_alone() {
        let session = Session {
            extranonce1: vec![1],
            extranonce2_size: 1,
            version_mask: Some(BIP320_MASK),
            assigned_q32: 1,
        };
        let job = Job {
            job_id: "a".into(),
            prevhash_wire: [3; 32],
            coinb1: vec![4],
            coinb2: vec![5],
            branch: vec![],
            version: 0x2000_2000,
            nbits: 0x1d00_ffff,
            ntime: 6,
            clean_jobs: true,
        };
        let mut submit =
            Submit { job_id: "a".into(), extranonce2: vec![2], ntime: 7, nonce: 8, version_bits: None };
        for bits in [0, 0x2000, 0x1000_0000, BIP320_MASK, 0x0abc_c000] {
            submit.version_bits = Some(bits);
            let hash = display_hash(&rebuild(&session, &job, &submit).unwrap().hash());
            assert_eq!(find(&session, &job, &submit, &hash), Some(bits), "{bits:08x}");
        }
        submit.nonce += 1;
        for hash in ["00".repeat(32), String::new(), "zz".repeat(32)] {
            assert_eq!(find(&session, &job, &submit, &hash), None);
        }
    }
}
