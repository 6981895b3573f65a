//! The fact that a quarantined event was sent through the fold again.

use serde::{Deserialize, Serialize};

/// The kind of this fact.
pub const REDRIVE: &str = "redrive";

/// Who sent a quarantined event through the fold again, and why. Its entity is the quarantined item's id; its time is
/// the fact's `valid_from_us`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// The item: topic, partition, offset and index, with slashes between them.
    pub id: String,
    /// Who asked for it.
    pub who: String,
    /// The reason given.
    pub why: String,
    /// How many events were appended again.
    pub events: u32,
    /// Whether they stood in a frame with a wrong signature, and were signed again because somebody vouched for them.
    pub resigned: bool,
}
