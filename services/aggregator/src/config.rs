//! What the aggregator needs to run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wb_events::frame::FrameKey;
use wb_framearchive::FrameArchive;

/// Where something waits, a punctuation closes the block after this long.
pub const PUNCTUATE_AFTER: Duration = Duration::from_secs(1);

/// What the aggregator needs to run.
#[derive(Debug, Clone)]
pub struct AggregatorConfig {
    /// The key that frames are signed with.
    pub frame_key: FrameKey,
    /// Its name in the punctuations it writes.
    pub name: String,
    /// Where proofs of older tips and snapshots are kept, one folder a partition.
    pub state_dir: PathBuf,
    /// Where the records of blocks are archived before they are committed, if anywhere.
    pub frame_archive: Option<Arc<dyn FrameArchive>>,
    /// How long something waits before a punctuation closes its block.
    pub punctuate_after: Duration,
    /// How often days are sealed.
    pub seal_pace: SealPace,
    /// Membership of the group that shares the partitions; without it, it is alone and works on all of them.
    pub member: Option<GroupMember>,
}

/// A member of the group of aggregators.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// Its id: the same one again gets its partitions back at once.
    pub id: String,
    /// How long the group waits for a member that says nothing.
    pub session_timeout: Duration,
}

/// How often days are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealPace {
    /// How often it is looked whether there is something to seal.
    pub look_every: Duration,
    /// A pass begins once this many blocks are committed above the seals ...
    pub after_blocks: u64,
    /// ... or once any block has waited for this long: so a day is sealed by then after its end.
    pub after: Duration,
    /// The time from one pass to the next is at least this, ...
    pub pause_min: Duration,
    /// ... and this many times what the last one took.
    pub pause_factor: u32,
}

impl Default for SealPace {
    fn default() -> Self {
        Self {
            look_every: Duration::from_secs(15),
            after_blocks: 64,
            after: Duration::from_secs(900),
            pause_min: Duration::from_secs(300),
            pause_factor: 20,
        }
    }
}
