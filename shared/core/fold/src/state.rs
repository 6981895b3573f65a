//! What the fold keeps of a partition between blocks: which events and proofs it has seen.

use std::collections::{BTreeMap, HashMap, HashSet};

use wb_events::Event;
use wb_events::identity::{EventId, content_tag};

use crate::archive::{ArchiveError, FrozenTip, ProofArchive};
use crate::ids::IdSet;
use crate::rules::FOLD_VERSION;

/// How many sequences of a key are remembered; older ones cannot be told from repeats.
pub const WINDOW_SEQUENCES_MAX: usize = 1_024;

/// How long the proofs of a chain tip are remembered after the last one, in append time:
/// eight days.
pub const TIP_RETENTION_US: i64 = 8 * 86_400 * 1_000_000;

/// How many tips keep their proofs in memory: the newest, and the one before it for late shares.
pub const LIVE_TIPS: usize = 2;

/// Whether an event came before, by its source, epoch, key and sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Never seen.
    New,
    /// Seen with the same content.
    Repeat,
    /// Seen with other content.
    Conflict,
    /// Below the window: it cannot be told whether it was seen.
    TooOld,
}

/// Whether a share's proof came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofSeen {
    /// Never seen.
    New,
    /// Seen, and counted.
    Counted,
    /// Seen, but refused then.
    Refused,
    /// Its tip was forgotten: it cannot be told whether it was seen.
    TipForgotten,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    pub(crate) tags: BTreeMap<u64, u64>,
    pub(crate) floor: u64,
}

/// What is kept of a tip, wherever its proofs lie.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    /// The tip's place in the order in which this partition first saw tips.
    pub(crate) ordinal: u64,
    pub(crate) last_append_us: i64,
    pub(crate) archived: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct LiveProofs {
    pub(crate) counted: IdSet,
    pub(crate) refused: IdSet,
}

/// The state of one partition.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) windows: HashMap<(String, u64, String), Window>,
    pub(crate) tips: HashMap<[u8; 32], Tip>,
    pub(crate) live: HashMap<[u8; 32], LiveProofs>,
    pub(crate) next_ordinal: u64,
    pub(crate) forgotten_tips: HashSet<[u8; 32]>,
    pub(crate) fold_version: u32,
}

impl Default for State {
    /// The state of a partition of a new log.
    fn default() -> Self {
        Self::beginning(FOLD_VERSION)
    }
}

impl State {
    /// The state of a partition before its first block, in a log that begins with this version of the rules, as the
    /// first record of `commits` gives it.
    #[must_use]
    pub fn beginning(fold_version: u32) -> Self {
        Self {
            windows: HashMap::new(),
            tips: HashMap::new(),
            live: HashMap::new(),
            next_ordinal: 0,
            forgotten_tips: HashSet::new(),
            fold_version,
        }
    }

    /// The version of the rules that the next block is folded by.
    #[must_use]
    pub fn fold_version(&self) -> u32 {
        self.fold_version
    }

    pub(crate) fn switch_fold(&mut self, fold_version: u32) {
        self.fold_version = fold_version;
    }

    /// Forgets the tips whose time is over at the append time of the block's first record. That time stands in the
    /// log; no clock is read.
    pub(crate) fn begin_block(
        &mut self,
        first_append_us: Option<i64>,
        archive: &mut dyn ProofArchive,
    ) -> Result<(), ArchiveError> {
        let Some(now_us) = first_append_us else { return Ok(()) };
        let over: Vec<[u8; 32]> = self
            .tips
            .iter()
            .filter(|(_, tip)| tip.last_append_us.saturating_add(TIP_RETENTION_US) < now_us)
            .map(|(hash, _)| *hash)
            .collect();
        for hash in over {
            archive.forget(&hash)?;
            self.tips.remove(&hash);
            self.live.remove(&hash);
            self.forgotten_tips.insert(hash);
        }
        Ok(())
    }

    /// Moves the proofs of all but the newest tips to the archive. On failure everything stays where it was.
    pub(crate) fn end_block(&mut self, archive: &mut dyn ProofArchive) -> Result<(), ArchiveError> {
        if self.live.len() <= LIVE_TIPS {
            return Ok(());
        }
        let mut order: Vec<([u8; 32], u64)> =
            self.live.keys().map(|hash| (*hash, self.tips.get(hash).map_or(0, |tip| tip.ordinal))).collect();
        order.sort_by_key(|(hash, ordinal)| (std::cmp::Reverse(*ordinal), *hash));
        let mut leaving: Vec<FrozenTip> = Vec::new();
        for (hash, _) in order.into_iter().skip(LIVE_TIPS) {
            if let Some(proofs) = self.live.remove(&hash) {
                leaving.push(FrozenTip { tip: hash, counted: proofs.counted, refused: proofs.refused });
            }
        }
        if let Err(error) = archive.freeze(&leaving) {
            for frozen in leaving {
                let proofs = LiveProofs { counted: frozen.counted, refused: frozen.refused };
                self.live.insert(frozen.tip, proofs);
            }
            return Err(error);
        }
        for frozen in leaving {
            if let Some(tip) = self.tips.get_mut(&frozen.tip) {
                tip.archived = true;
            }
        }
        Ok(())
    }

    /// Looks an event up by its source, epoch, key and sequence, and remembers it if it is new.
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
    pub(crate) fn proof(
        &self,
        previous: &[u8; 32],
        id: &EventId,
        archive: &dyn ProofArchive,
    ) -> Result<ProofSeen, ArchiveError> {
        if self.forgotten_tips.contains(previous) {
            return Ok(ProofSeen::TipForgotten);
        }
        let Some(tip) = self.tips.get(previous) else { return Ok(ProofSeen::New) };
        let live = self.live.get(previous);
        if live.is_some_and(|live| live.counted.contains(id)) {
            return Ok(ProofSeen::Counted);
        }
        let archived = if tip.archived { archive.seen(previous, id)? } else { None };
        Ok(match archived {
            Some(true) => ProofSeen::Counted,
            Some(false) => ProofSeen::Refused,
            None if live.is_some_and(|live| live.refused.contains(id)) => ProofSeen::Refused,
            None => ProofSeen::New,
        })
    }

    /// Remembers a proof. One that was counted stays counted.
    pub(crate) fn remember(&mut self, previous: &[u8; 32], id: EventId, counted: bool, append_us: i64) {
        let next_ordinal = &mut self.next_ordinal;
        let tip = self.tips.entry(*previous).or_insert_with(|| {
            *next_ordinal += 1;
            Tip { ordinal: *next_ordinal, last_append_us: append_us, archived: false }
        });
        tip.last_append_us = tip.last_append_us.max(append_us);
        let live = self.live.entry(*previous).or_default();
        if counted {
            live.counted.insert(id)
        } else {
            live.refused.insert(id)
        };
    }

    /// How many proofs are in memory.
    #[must_use]
    pub fn live_proofs(&self) -> usize {
        self.live.values().map(|live| live.counted.len() + live.refused.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::MemoryArchive;

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
        let mut archive = MemoryArchive::default();
        let (tip, id) = ([1; 32], [2; 16]);
        assert_eq!(state.proof(&tip, &id, &archive).unwrap(), ProofSeen::New);
        state.remember(&tip, id, false, 0);
        assert_eq!(state.proof(&tip, &id, &archive).unwrap(), ProofSeen::Refused);
        state.remember(&tip, id, true, 0);
        state.remember(&tip, id, false, 0);
        assert_eq!(state.proof(&tip, &id, &archive).unwrap(), ProofSeen::Counted);
        state.begin_block(Some(TIP_RETENTION_US), &mut archive).unwrap();
        assert_eq!(state.proof(&tip, &id, &archive).unwrap(), ProofSeen::Counted);
        state.begin_block(Some(TIP_RETENTION_US + 1), &mut archive).unwrap();
        assert_eq!(state.proof(&tip, &id, &archive).unwrap(), ProofSeen::TipForgotten);
    }

    #[test]
    fn only_the_newest_tips_stay_in_memory_and_nothing_is_forgotten() {
        let mut state = State::default();
        let mut archive = MemoryArchive::default();
        for number in 0..10_u8 {
            state.remember(&[number; 32], [number; 16], number % 2 == 0, 0);
        }
        state.end_block(&mut archive).unwrap();
        assert_eq!(state.live_proofs(), LIVE_TIPS);
        for number in 0..10_u8 {
            let expected = if number % 2 == 0 { ProofSeen::Counted } else { ProofSeen::Refused };
            assert_eq!(state.proof(&[number; 32], &[number; 16], &archive).unwrap(), expected);
            assert_eq!(state.proof(&[number; 32], &[99; 16], &archive).unwrap(), ProofSeen::New);
        }
        // A proof that was refused, frozen and then counted stays counted when it is frozen again.
        state.remember(&[1; 32], [1; 16], true, 0);
        assert_eq!(state.proof(&[1; 32], &[1; 16], &archive).unwrap(), ProofSeen::Counted);
        state.end_block(&mut archive).unwrap();
        assert_eq!(state.proof(&[1; 32], &[1; 16], &archive).unwrap(), ProofSeen::Counted);
    }

    #[test]
    fn an_archive_that_fails_loses_nothing() {
        struct Full;
        impl ProofArchive for Full {
            fn freeze(&mut self, _: &[FrozenTip]) -> Result<(), ArchiveError> {
                Err(ArchiveError { operation: "written", source: "no space".into() })
            }
            fn seen(&self, _: &[u8; 32], _: &EventId) -> Result<Option<bool>, ArchiveError> {
                Ok(None)
            }
            fn forget(&mut self, _: &[u8; 32]) -> Result<(), ArchiveError> {
                Ok(())
            }
        }
        let mut state = State::default();
        for number in 0..5_u8 {
            state.remember(&[number; 32], [number; 16], true, 0);
        }
        assert!(state.end_block(&mut Full).is_err());
        for number in 0..5_u8 {
            assert_eq!(state.proof(&[number; 32], &[number; 16], &Full).unwrap(), ProofSeen::Counted);
        }
    }
}
