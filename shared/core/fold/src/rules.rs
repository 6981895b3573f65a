//! The versions of the rules, and what differs between them.
//!
//! The log states the rules by which it is folded: its pin gives the first version, and a record switches a partition
//! to another version from the next block on. So a program that has these versions replays a log as it was folded
//! first.

use wb_events::wire::event::Body;

/// One version of the rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Its number.
    pub version: u32,
    /// Whether events of this kind are counted. Others are quarantined whole, as of no known kind.
    pub counts: fn(&Body) -> bool,
}

/// The newest version of the rules that this crate knows, and the one that a new log begins with.
pub const FOLD_VERSION: u32 = 1;

/// The versions that this crate knows.
pub const RULES: &[Rules] = &[Rules { version: FOLD_VERSION, counts: |_| true }];

/// The rules of a version; `None` where they are not known.
pub(crate) fn find(rules: &[Rules], version: u32) -> Option<&Rules> {
    rules.iter().find(|rules| rules.version == version)
}

/// Whether this crate knows a version of the rules.
#[must_use]
pub fn knows(version: u32) -> bool {
    find(RULES, version).is_some()
}
