//! What a partition remembers from block to block: which events and which proofs came before.

use std::collections::{BTreeMap, HashMap, HashSet};

use wb_events::Event;
use wb_events::identity::{EventId, content_tag};

/// How many sequences of a key are remembered; older ones cannot be told from repeats.
pub const WINDOW_SEQUENCES_MAX: usize = 1_024;

/// How long the proofs of a chain tip are remembered after the last one, in append time:
/// eight days.
pub const TIP_RETENTION_US: i64 = 8 * 86_400 * 1_000_000;

/// What the sender's count says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Never seen.
    New,
    /// Seen with the same content.
    Repeat,
    /// Seen with other content.
    Conflict,
    /// Below the window: seen or not, nobody can tell.
    TooOld,
}

/// What the proofs seen so far say of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofSeen {
    /// Never seen.
    New,
    /// Seen, and counted.
    Counted,
    /// Seen, but refused then.
    Refused,
    /// Its tip was forgotten: seen or not, nobody can tell.
    TipForgotten,
}

#[derive(Debug, Clone, Default)]
struct Window {
    tags: BTreeMap<u64, u64>,
    floor: u64,
}

#[derive(Debug, Clone)]
struct Tip {
    counted: HashMap<EventId, bool>,
    last_append_us: i64,
}

/// The state of one partition.
#[derive(Debug, Clone, Default)]
pub struct State {
    windows: HashMap<(String, u64, String), Window>,
    tips: HashMap<[u8; 32], Tip>,
    forgotten_tips: HashSet<[u8; 32]>,
}

impl State {
    /// Forgets the tips that are over their time, as of the append time of the block's first
    /// record: a fact of the log, not of a clock.
    pub(crate) fn begin_block(&mut self, first_append_us: Option<i64>) {
        let Some(now_us) = first_append_us else { return };
        let over: Vec<[u8; 32]> = self
            .tips
            .iter()
            .filter(|(_, tip)| tip.last_append_us.saturating_add(TIP_RETENTION_US) < now_us)
            .map(|(hash, _)| *hash)
            .collect();
        for hash in over {
            self.tips.remove(&hash);
            self.forgotten_tips.insert(hash);
        }
    }

    /// Looks an event up by its sender's count, and remembers it if it is new.
    pub fn admit(&mut self, event: &Event) -> Admission {
        let key = (event.source.clone(), event.source_epoch, event.key.clone());
        let window = self.windows.entry(key).or_default();
        let tag = content_tag(event);
        match window.tags.get(&event.sequence) {
            Some(seen) if *seen == tag => return Admission::Repeat,
            Some(_) => return Admission::Conflict,
            None if event.sequence < window.floor => return Admission::TooOld,
            None => {}
        }
        window.tags.insert(event.sequence, tag);
        if window.tags.len() > WINDOW_SEQUENCES_MAX
            && let Some((lowest, _)) = window.tags.pop_first()
        {
            window.floor = lowest.saturating_add(1);
        }
        Admission::New
    }

    /// Looks a proof up on its tip (the hash of the previous block).
    pub(crate) fn proof(&self, previous: &[u8; 32], id: &EventId) -> ProofSeen {
        if self.forgotten_tips.contains(previous) {
            return ProofSeen::TipForgotten;
        }
        match self.tips.get(previous).and_then(|tip| tip.counted.get(id)) {
            None => ProofSeen::New,
            Some(true) => ProofSeen::Counted,
            Some(false) => ProofSeen::Refused,
        }
    }

    /// Remembers a proof. One that was counted stays counted.
    pub(crate) fn remember(&mut self, previous: &[u8; 32], id: EventId, counted: bool, append_us: i64) {
        let tip = self
            .tips
            .entry(*previous)
            .or_insert_with(|| Tip { counted: HashMap::new(), last_append_us: append_us });
        tip.last_append_us = tip.last_append_us.max(append_us);
        let entry = tip.counted.entry(id).or_insert(counted);
        *entry = *entry || counted;
    }

    /// How many proofs are remembered.
    #[must_use]
    pub fn proofs(&self) -> usize {
        self.tips.values().map(|tip| tip.counted.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, time_us: i64) -> Event {
        Event { source: "s".into(), key: "k".into(), sequence, event_time_us: time_us, ..Event::default() }
    }

    #[test]
    fn repeats_conflicts_and_the_far_past_are_told_apart() {
        let mut state = State::default();
        assert_eq!(state.admit(&event(5, 1)), Admission::New);
        assert_eq!(state.admit(&event(5, 1)), Admission::Repeat);
        assert_eq!(state.admit(&event(5, 2)), Admission::Conflict);
        assert_eq!(state.admit(&event(3, 1)), Admission::New, "out of order, but in the window");
        let window = u64::try_from(WINDOW_SEQUENCES_MAX).unwrap();
        for sequence in 6..window + 6 {
            assert_eq!(state.admit(&event(sequence, 1)), Admission::New);
        }
        assert_eq!(state.admit(&event(3, 1)), Admission::TooOld);
        assert_eq!(state.admit(&event(4, 1)), Admission::TooOld);
    }

    #[test]
    fn tips_are_forgotten_by_append_time_and_never_counted_again() {
        let mut state = State::default();
        let (tip, id) = ([1; 32], [2; 16]);
        assert_eq!(state.proof(&tip, &id), ProofSeen::New);
        state.remember(&tip, id, false, 0);
        assert_eq!(state.proof(&tip, &id), ProofSeen::Refused);
        state.remember(&tip, id, true, 0);
        state.remember(&tip, id, false, 0);
        assert_eq!(state.proof(&tip, &id), ProofSeen::Counted);
        state.begin_block(Some(TIP_RETENTION_US));
        assert_eq!(state.proof(&tip, &id), ProofSeen::Counted);
        state.begin_block(Some(TIP_RETENTION_US + 1));
        assert_eq!(state.proof(&tip, &id), ProofSeen::TipForgotten);
    }
}
