//! Decides when a partition's state is saved.

use std::time::{Duration, Instant};

/// The shortest time between two snapshots.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(30);
/// The shortest time between two snapshots, in lengths of the last one: saving takes at most a twentieth of the time.
const SNAPSHOT_PAUSE_FACTOR: u32 = 20;

/// When the next snapshot is due.
#[derive(Debug)]
pub(crate) struct Snapshots {
    due: Instant,
    /// The next block of the last saved cursor.
    pub(crate) saved_block: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { due: Instant::now() + SNAPSHOT_EVERY, saved_block: 0 }
    }
}

impl Snapshots {
    pub(crate) fn are_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Notes that the cursor was saved before this block, and how long saving took.
    pub(crate) fn saved(&mut self, next_block: u64, took: Duration) {
        self.due = Instant::now() + SNAPSHOT_EVERY.max(took.saturating_mul(SNAPSHOT_PAUSE_FACTOR));
        self.saved_block = next_block;
    }
}
