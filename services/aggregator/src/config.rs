//! What the aggregator needs to run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wb_events::frame::FrameKey;
use wb_framearchive::FrameArchive;

/// The default of [`AggregatorConfig::punctuate_after`].
pub const PUNCTUATE_AFTER: Duration = Duration::from_secs(1);

/// What the aggregator needs to run.
#[derive(Debug, Clone)]
pub struct AggregatorConfig {
    /// The key that frames are signed with.
    pub frame_key: FrameKey,
    /// This aggregator's name in its punctuations and claims.
    pub name: String,
    /// Folder for the state of partitions: snapshots and proofs of older tips, one folder per partition.
    pub state_dir: PathBuf,
    /// Archive for the records of blocks, filled before each commit.
    pub frame_archive: Option<Arc<dyn FrameArchive>>,
    /// How long an event waits before a punctuation closes its block.
    pub punctuate_after: Duration,
    /// How often days are sealed.
    pub seal_pace: SealPace,
    /// Membership of the group that shares the partitions. Without it the aggregator works on all of them.
    pub member: Option<GroupMember>,
}

/// A member of the group of aggregators.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// Its id. A member that comes back with the same id gets its partitions back at once.
    pub id: String,
    /// The group drops a member that has sent nothing for this long.
    pub session_timeout: Duration,
}

/// How often days are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealPace {
    /// How often to check whether there is something to seal.
    pub look_every: Duration,
    /// A pass begins once this many blocks are not sealed yet ...
    pub after_blocks: u64,
    /// ... or once a block has waited this long. This bounds how long after its end a day is sealed.
    pub after: Duration,
    /// The pause between two passes is at least this, ...
    pub pause_min: Duration,
    /// ... and at least this many times the length of the last pass.
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
