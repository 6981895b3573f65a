//! For this crate's tests and its bench alone: each way of hashing that this CPU has, by itself.
//!
//! The crate's own functions choose a way themselves; nothing here is part of its interface.

use crate::hash::Hash256;
use crate::header::Header;
use crate::lanes::Chain;
use crate::stratum_v1::{JobBatch, Reject, Session, Submit};
use crate::verdict::{Judgement, ShareContext, judge_batch_by};

/// One way of hashing, forced.
#[derive(Debug, Clone)]
pub struct Path(Chain);

impl Path {
    /// All ways that this CPU has, fastest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Chain::each().into_iter().map(Self).collect()
    }

    /// The way with a name, if this CPU has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|path| path.name() == name)
    }

    /// "avx512", "avx2", "sha-ni" or "portable".
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// [`crate::sha256d_headers`] by this way; as many results as the shorter slice has room for.
    pub fn sha256d_headers(&self, headers: &[[u8; 80]], out: &mut [Hash256]) {
        self.0.headers(headers, out);
    }

    /// [`crate::sha256d_many_64`] by this way; as many results as the shorter slice has room for.
    pub fn sha256d_many_64(&self, messages: &[[u8; 64]], out: &mut [Hash256]) {
        self.0.nodes(messages, out);
    }

    /// [`JobBatch::rebuild`] by this way.
    #[must_use]
    pub fn rebuild(&self, job: &JobBatch<'_>, shares: &[(&Session, &Submit)]) -> Vec<Result<Header, Reject>> {
        job.rebuild_by(&self.0, shares)
    }

    /// [`crate::judge_batch`] by this way.
    #[must_use]
    pub fn judge_batch(&self, shares: &[(Header, ShareContext)]) -> Vec<Judgement> {
        judge_batch_by(&self.0, shares)
    }
}
