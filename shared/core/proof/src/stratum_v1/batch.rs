//! Many submits of one job rebuilt at once.
//!
//! The common parts of a job's shares are computed once: the state of SHA-256 after the constant front of the
//! coinbase, the message schedules of its constant back, the Merkle branch as words. The rest runs in lanes, one
//! share in each, from the coinbase to the root without leaving the vectors.

use std::collections::BTreeMap;

use sha2::block_api::compress256;

use super::{Job, Reject, Session, Submit, accepted_version, swap_words};
use crate::hash::Hash256;
use crate::header::Header;
use crate::lanes::constants::{INITIAL, scheduled, words_of};
use crate::lanes::{Chain, RootWork};

/// A job prepared for rebuilding shares, many at a time and in as many batches as come.
#[derive(Debug, Clone)]
pub struct JobBatch<'a> {
    job: &'a Job,
    prev: Hash256,
    /// State after the whole blocks of coinb1.
    midstate: [u32; 8],
    /// What coinb1 has beyond its whole blocks.
    front: &'a [u8],
    branch: Vec<[u32; 8]>,
}

impl<'a> JobBatch<'a> {
    /// Prepares a job: hashes the whole blocks of its coinb1.
    #[must_use]
    pub fn new(job: &'a Job) -> Self {
        let (blocks, front) = job.coinb1.as_chunks::<64>();
        let mut midstate = INITIAL;
        compress256(&mut midstate, blocks);
        let words = |hash: &Hash256| {
            let mut words = [0; 8];
            for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<4>().0) {
                *word = u32::from_be_bytes(*bytes);
            }
            words
        };
        let branch = job.branch.iter().map(words).collect();
        Self { job, prev: swap_words(&job.prevhash_wire), midstate, front, branch }
    }

    /// Rebuilds the header of each share; `result[i]` is what [`super::rebuild`] gives for `shares[i]`.
    ///
    /// The sessions may differ in everything. Shares with the same total size of extranonces are hashed side by side;
    /// a pool's sessions all have one size.
    #[must_use]
    pub fn rebuild(&self, shares: &[(&Session, &Submit)]) -> Vec<Result<Header, Reject>> {
        self.rebuild_by(Chain::best(), shares)
    }

    pub(crate) fn rebuild_by(
        &self,
        chain: &Chain,
        shares: &[(&Session, &Submit)],
    ) -> Vec<Result<Header, Reject>> {
        let mut by_size: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut headers: Vec<Result<Header, Reject>> = Vec::with_capacity(shares.len());
        for (share, (session, submit)) in shares.iter().enumerate() {
            let header = accepted_version(session, self.job, submit).map(|version| Header {
                version,
                prev: self.prev,
                root: [0; 32],
                ntime: submit.ntime,
                nbits: self.job.nbits,
                nonce: submit.nonce,
            });
            if header.is_ok() {
                let bytes = session.extranonce1.len() + submit.extranonce2.len();
                by_size.entry(bytes).or_default().push(share);
            }
            headers.push(header);
        }
        for (extranonce_bytes, members) in by_size {
            let roots = self.roots(chain, extranonce_bytes, members.iter().map(|share| shares[*share]));
            for (share, root) in members.into_iter().zip(roots) {
                if let Ok(header) = &mut headers[share] {
                    header.root = root;
                }
            }
        }
        headers
    }

    /// The Merkle roots of shares whose extranonces have `extranonce_bytes` each.
    fn roots<'s>(
        &self,
        chain: &Chain,
        extranonce_bytes: usize,
        shares: impl ExactSizeIterator<Item = (&'s Session, &'s Submit)>,
    ) -> Vec<Hash256> {
        // All that follows the midstate, with zeros where the extranonces go.
        let mut rest = self.front.to_vec();
        rest.resize(self.front.len() + extranonce_bytes, 0);
        // The blocks up to the last byte of the extranonces are a share's own.
        let own_blocks = rest.len().div_ceil(64);
        rest.extend_from_slice(&self.job.coinb2);
        let whole_bytes = self.job.coinb1.len() - self.front.len() + rest.len();
        pad(&mut rest, whole_bytes);
        let (template, common) = rest.as_chunks::<64>().0.split_at(own_blocks);

        let work = RootWork {
            midstate: self.midstate,
            own_blocks,
            common_blocks: common.to_vec(),
            common_sums: common.iter().map(|block| scheduled(&words_of(block))).collect(),
            branch: self.branch.clone(),
        };
        let mut roots = vec![[0; 32]; shares.len()];
        let mut blocks = Vec::with_capacity(shares.len() * own_blocks);
        for (session, submit) in shares {
            let start = blocks.len();
            blocks.extend_from_slice(template);
            let own = blocks[start..].as_flattened_mut();
            let (_, own) = own.split_at_mut(self.front.len());
            let (first, second) = own.split_at_mut(session.extranonce1.len());
            first.copy_from_slice(&session.extranonce1);
            second[..submit.extranonce2.len()].copy_from_slice(&submit.extranonce2);
        }
        chain.roots(&work, &blocks, &mut roots);
        roots
    }
}

/// Rebuilds many submits of one job; `result[i]` is what [`super::rebuild`] gives for `shares[i]`.
///
/// For several batches of the same job, [`JobBatch`] keeps the common parts.
#[must_use]
pub fn rebuild_batch(job: &Job, shares: &[(&Session, &Submit)]) -> Vec<Result<Header, Reject>> {
    JobBatch::new(job).rebuild(shares)
}

/// SHA-256's padding for a message of `message_bytes`, of which `rest` is what is left of it after whole blocks.
fn pad(rest: &mut Vec<u8>, message_bytes: usize) {
    rest.push(0x80);
    // Eight bytes for the length in bits end the last block.
    let padded_bytes = (rest.len() + 8).next_multiple_of(64);
    rest.resize(padded_bytes - 8, 0);
    let bits = u64::try_from(message_bytes).unwrap_or(u64::MAX).wrapping_mul(8);
    rest.extend_from_slice(&bits.to_be_bytes());
}
