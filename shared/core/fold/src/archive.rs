//! The store for proofs of older tips: a port of the fold, which an adapter keeps on disk.

use std::collections::HashMap;

use wb_events::identity::EventId;

use crate::ids::IdSet;

/// The proofs of one tip that leave memory.
#[derive(Debug, Clone, Default)]
pub struct FrozenTip {
    /// The hash of the previous block they build on.
    pub tip: [u8; 32],
    /// The proofs that counted.
    pub counted: IdSet,
    /// The proofs that were refused.
    pub refused: IdSet,
}

/// The archive failed. The block is not folded; it is tried again.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-4021")]
#[error("the proofs of older tips could not be {operation}")]
pub struct ArchiveError {
    /// What was tried: `written` or `read`.
    pub operation: &'static str,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Proofs of older tips. A cache: it is rebuilt when the partition is folded again.
pub trait ProofArchive: Send {
    /// Takes proofs in. A tip may come several times; its proofs add up.
    ///
    /// # Errors
    /// [`ArchiveError`] where they could not be written; none of them are taken in then.
    fn freeze(&mut self, tips: &[FrozenTip]) -> Result<(), ArchiveError>;

    /// Whether a proof is here, and if so whether it counted.
    ///
    /// # Errors
    /// [`ArchiveError`] where it could not be looked up.
    fn seen(&self, tip: &[u8; 32], id: &EventId) -> Result<Option<bool>, ArchiveError>;

    /// Forgets a tip.
    ///
    /// # Errors
    /// [`ArchiveError`] where it could not be removed.
    fn forget(&mut self, tip: &[u8; 32]) -> Result<(), ArchiveError>;
}

/// An archive in memory, for partitions without shares and for tests.
#[derive(Debug, Default)]
pub struct MemoryArchive {
    tips: HashMap<[u8; 32], HashMap<EventId, bool>>,
}

impl ProofArchive for MemoryArchive {
    fn freeze(&mut self, tips: &[FrozenTip]) -> Result<(), ArchiveError> {
        for frozen in tips {
            let known = self.tips.entry(frozen.tip).or_default();
            for id in frozen.refused.iter() {
                known.entry(*id).or_insert(false);
            }
            for id in frozen.counted.iter() {
                known.insert(*id, true);
            }
        }
        Ok(())
    }

    fn seen(&self, tip: &[u8; 32], id: &EventId) -> Result<Option<bool>, ArchiveError> {
        Ok(self.tips.get(tip).and_then(|known| known.get(id)).copied())
    }

    fn forget(&mut self, tip: &[u8; 32]) -> Result<(), ArchiveError> {
        self.tips.remove(tip);
        Ok(())
    }
}
