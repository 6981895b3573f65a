//! Corrections: facts that void an event, or say that a meter counted with a wrong transformer ratio.
//!
//! A correction changes nothing that is recorded. It is a later fact that refers to what it corrects, with who and
//! why, and is applied whenever quantities are computed at a cut that holds it. So a closed period, computed at the
//! cut of its close, stays as it was; the same period at a later cut differs by the correction, and that difference
//! is its adjustment.
//!
//! - A voided event does not count. A void can itself be voided, and its event then counts again.
//! - Only a later correction acts on an earlier one, so two corrections cannot void each other.
//! - Of two ratios of one meter and instant the later recorded holds.

mod ratio;

use std::collections::{BTreeMap, BTreeSet};

use wb_units::Interval;

pub(crate) use ratio::cut;
pub use ratio::{RatioCorrection, TransformerRatio};

/// The identity of an event.
pub type EventId = [u8; 16];

/// Where a fact stands in the log: the order in which corrections were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recorded {
    /// The partition of `reference`.
    pub partition: u32,
    /// The block.
    pub block: u64,
    /// The place in the block.
    pub idx: u32,
}

/// A fact that voids an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VoidFact {
    /// Where it stands.
    pub recorded: Recorded,
    /// Its own identity as an event, by which another void takes it back.
    pub id: EventId,
    /// The event that it voids.
    pub voids: EventId,
}

/// A fact that says which ratio of a meter was right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RatioFact {
    /// Where it stands.
    pub recorded: Recorded,
    /// Its own identity as an event.
    pub id: EventId,
    /// The meter.
    pub meter_id: String,
    /// When the wrong ratio was in force: from the exact instant to the exact instant.
    pub interval: Interval,
    /// The ratio that the meter counted with.
    pub used: TransformerRatio,
    /// The ratio that it should have counted with.
    pub right: TransformerRatio,
}

/// All corrections of a cut, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corrections {
    voided: BTreeSet<EventId>,
    by_meter: BTreeMap<String, Vec<RatioCorrection>>,
}

impl Corrections {
    /// Resolves facts, in any order and with any repeats. A ratio with a zero in it corrects nothing; ingest refuses
    /// such a fact.
    #[must_use]
    pub fn new(voids: &[VoidFact], ratios: &[RatioFact]) -> Self {
        let mut latest_first: Vec<&VoidFact> = voids.iter().collect();
        latest_first.sort_unstable_by(|left, right| right.cmp(left));
        latest_first.dedup();
        // The latest recorded first, so that each void is decided after all that may act on it.
        let mut voided = BTreeSet::new();
        for void in latest_first {
            if !voided.contains(&void.id) {
                voided.insert(void.voids);
            }
        }
        let mut in_force: Vec<&RatioFact> = ratios.iter().filter(|fact| !voided.contains(&fact.id)).collect();
        in_force.sort_unstable();
        in_force.dedup();
        let mut by_meter: BTreeMap<String, Vec<RatioCorrection>> = BTreeMap::new();
        for fact in in_force {
            let Some(correction) = RatioCorrection::new(fact.interval, fact.used, fact.right) else {
                continue;
            };
            let of_meter = by_meter.entry(fact.meter_id.clone()).or_default();
            ratio::lay_over(of_meter, correction);
        }
        by_meter.retain(|_, of_meter| {
            // A ratio that equals the used one only ends the correction before it.
            of_meter.retain(|correction| !correction.changes_nothing());
            !of_meter.is_empty()
        });
        Self { voided, by_meter }
    }

    /// Whether an event is voided.
    #[must_use]
    pub fn is_voided(&self, id: &EventId) -> bool {
        self.voided.contains(id)
    }

    /// All that is voided, in order.
    pub fn voided(&self) -> impl ExactSizeIterator<Item = &EventId> {
        self.voided.iter()
    }

    /// The corrections of a meter's ratio, in order of time and not overlapping.
    #[must_use]
    pub fn of_meter(&self, meter_id: &str) -> &[RatioCorrection] {
        self.by_meter.get(meter_id).map_or(&[], Vec::as_slice)
    }

    /// The meters with a corrected ratio, in order.
    pub fn meters(&self) -> impl ExactSizeIterator<Item = (&str, &[RatioCorrection])> {
        self.by_meter.iter().map(|(meter_id, of_meter)| (meter_id.as_str(), of_meter.as_slice()))
    }

    /// Whether nothing is corrected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.voided.is_empty() && self.by_meter.is_empty()
    }

    /// Keeps what still counts: readings, samples, spans or shares, by their identity.
    pub fn keep<T>(&self, events: &mut Vec<T>, id: impl Fn(&T) -> EventId) {
        if !self.voided.is_empty() {
            events.retain(|event| !self.voided.contains(&id(event)));
        }
    }
}

#[cfg(test)]
#[path = "corrections/tests.rs"]
mod tests;
