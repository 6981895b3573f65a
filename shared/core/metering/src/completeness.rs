//! How much of what was expected came, and what happens to what comes late.
//!
//! A source must send a sample in each slot of its cadence while it is active. A slot is received where at least one
//! sample lies in it: repeats add nothing. A missing slot may still be known from a register that went on; such slots
//! count as estimated.

use std::collections::{BTreeMap, BTreeSet};

use wb_units::{Interval, Micros};

use crate::ratio::ppm;

/// What is expected of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The length of a slot in microseconds; nothing is expected where it is zero or less.
    pub every_us: i64,
    /// When the source is active, in order of time and not overlapping.
    pub active: Vec<Interval>,
    /// How long after a slot's end a sample may arrive before it is late.
    pub on_time_us: i64,
}

/// A sample's two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When it was made.
    pub event_time_us: Micros,
    /// When it was appended to the log.
    pub appended_at_us: Micros,
}

/// The state of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// A sample came in time.
    InTime,
    /// Samples came, all of them late.
    Late,
    /// None came, and its quantity is known from another source.
    Estimated,
    /// None came.
    Missing,
}

/// Slots of a source in a period; adds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Completeness {
    /// Slots in which a sample should have been made.
    pub expected: u64,
    /// Of them, those with a sample.
    pub received: u64,
    /// Of those received, the ones whose every sample came late.
    pub late: u64,
    /// Of those not received, the ones whose quantity is known otherwise.
    pub estimated: u64,
}

impl Completeness {
    /// Counts a source's slots in a period. A slot belongs to the period in which it begins. `estimated` are the
    /// times whose quantity is known without samples, such as a register that went on through a gap.
    #[must_use]
    pub fn of(promise: &Promise, arrivals: &[Arrival], estimated: &[Interval], period: Interval) -> Self {
        Self::of_slots(promise, arrivals, estimated, period, |_, _| {})
    }

    /// [`Completeness::of`], which also passes on each slot with its state, in order of time.
    #[must_use]
    pub fn of_slots(
        promise: &Promise,
        arrivals: &[Arrival],
        estimated: &[Interval],
        period: Interval,
        mut tell: impl FnMut(Interval, SlotState),
    ) -> Self {
        if promise.every_us <= 0 {
            return Self::default();
        }
        let slot_of = |at_us: Micros| at_us.div_euclid(promise.every_us);
        // Slot -> whether a sample of it came in time.
        let mut received: BTreeMap<i64, bool> = BTreeMap::new();
        for arrival in arrivals {
            let slot = slot_of(arrival.event_time_us);
            let due_us =
                slot.saturating_add(1).saturating_mul(promise.every_us).saturating_add(promise.on_time_us);
            *received.entry(slot).or_insert(false) |= arrival.appended_at_us <= due_us;
        }
        let mut counted = Self::default();
        for active in promise.active.iter().filter_map(|active| active.intersect(&period)) {
            // The first slot that begins inside.
            let mut slot = slot_of(active.start_us.saturating_sub(1)).saturating_add(1);
            let mut start_us = slot.saturating_mul(promise.every_us);
            while start_us < active.end_us {
                let state = match received.get(&slot) {
                    Some(true) => SlotState::InTime,
                    Some(false) => SlotState::Late,
                    None if estimated.iter().any(|time| time.contains(start_us)) => SlotState::Estimated,
                    None => SlotState::Missing,
                };
                counted.expected += 1;
                counted.received += u64::from(matches!(state, SlotState::InTime | SlotState::Late));
                counted.late += u64::from(state == SlotState::Late);
                counted.estimated += u64::from(state == SlotState::Estimated);
                let end_us = start_us.saturating_add(promise.every_us);
                tell(Interval { start_us, end_us }, state);
                slot += 1;
                start_us = end_us;
            }
        }
        counted
    }

    /// Adds another source's or period's slots.
    pub fn add(&mut self, other: &Self) {
        self.expected = self.expected.saturating_add(other.expected);
        self.received = self.received.saturating_add(other.received);
        self.late = self.late.saturating_add(other.late);
        self.estimated = self.estimated.saturating_add(other.estimated);
    }

    /// Received over expected, in parts per million; `None` where nothing was expected. Estimates do not count as
    /// received.
    #[must_use]
    pub fn received_ppm(&self) -> Option<u64> {
        ppm(u128::from(self.received), u128::from(self.expected))
    }

    /// Whether it is enough for an invoice, by its contract's threshold in parts per million.
    #[must_use]
    pub fn reaches(&self, threshold_ppm: u64) -> bool {
        self.received_ppm().is_none_or(|share| share >= threshold_ppm)
    }
}

/// Up to where events have come from all sources of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Everything before it has come from every source that is not idle; `None` where all are idle.
    pub at_us: Option<Micros>,
    /// The sources whose last event is at it.
    pub slowest: Vec<String>,
    /// Sources without events for so long that they are left out.
    pub idle: Vec<String>,
}

/// The watermark of a site: the lowest of its sources' last event times, leaving out those that
/// are more than `idle_us` behind the newest.
#[must_use]
pub fn watermark(last_event_us: &BTreeMap<String, Micros>, idle_us: i64) -> Watermark {
    let newest = last_event_us.values().max().copied().unwrap_or(Micros::MIN);
    let (idle, awake): (Vec<_>, Vec<_>) =
        last_event_us.iter().partition(|(_, last_us)| newest.saturating_sub(**last_us) > idle_us);
    let at_us = awake.iter().map(|(_, last_us)| **last_us).min();
    let names = |sources: Vec<(&String, &Micros)>| {
        sources.into_iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let slowest = awake.into_iter().filter(|(_, last_us)| Some(**last_us) == at_us).collect();
    Watermark { at_us, slowest: names(slowest), idle: names(idle) }
}

/// How a meter's contract treats late and early events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimePolicy {
    /// How far ahead of the log an event time may lie.
    pub future_max_us: i64,
    /// How long after its time an event is still taken.
    pub late_max_us: i64,
}

/// How an event is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// It enters its own interval.
    Own,
    /// Its period is closed: it becomes an adjustment.
    Adjustment,
    /// It is too old for the policy: quarantined, this many microseconds too late.
    TooLate(u64),
    /// It lies too far ahead for a clock error: quarantined, this many microseconds too far.
    TooFarAhead(u64),
}

/// Decides by an event's two times and by when its period was closed. It depends on nothing else, so every reading of
/// the log gives the same.
#[must_use]
pub fn timing(arrival: Arrival, policy: &TimePolicy, closed_until_us: Option<Micros>) -> Timing {
    let ahead_us = arrival.event_time_us.saturating_sub(arrival.appended_at_us);
    let excess = |by_us: i64, allowed_us: i64| u64::try_from(by_us.saturating_sub(allowed_us)).unwrap_or(0);
    if ahead_us > policy.future_max_us {
        return Timing::TooFarAhead(excess(ahead_us, policy.future_max_us));
    }
    let behind_us = arrival.appended_at_us.saturating_sub(arrival.event_time_us);
    if behind_us > policy.late_max_us {
        return Timing::TooLate(excess(behind_us, policy.late_max_us));
    }
    match closed_until_us {
        Some(closed_us) if arrival.event_time_us < closed_us => Timing::Adjustment,
        _ => Timing::Own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrival(event_time_us: i64, appended_at_us: i64) -> Arrival {
        Arrival { event_time_us, appended_at_us }
    }

    #[test]
    fn slots_are_expected_received_late_or_estimated() {
        let promise = Promise {
            every_us: 10,
            active: vec![Interval { start_us: 0, end_us: 60 }, Interval { start_us: 80, end_us: 100 }],
            on_time_us: 5,
        };
        let arrivals = [arrival(1, 2), arrival(2, 3), arrival(12, 90), arrival(25, 35), arrival(85, 86)];
        let estimated = [Interval { start_us: 30, end_us: 50 }];
        let whole = Interval { start_us: 0, end_us: 100 };
        let counted = Completeness::of(&promise, &arrivals, &estimated, whole);
        assert_eq!(counted, Completeness { expected: 8, received: 4, late: 1, estimated: 2 });
        assert_eq!(counted.received_ppm(), Some(500_000));
        assert!(counted.reaches(500_000) && !counted.reaches(500_001));
        assert!(Completeness::default().reaches(1_000_000), "nothing promised, nothing missing");
    }

    #[test]
    fn the_slowest_awake_source_holds_the_watermark() {
        let last = |times: &[(&str, i64)]| -> BTreeMap<String, i64> {
            times.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect()
        };
        let found = watermark(&last(&[("a", 100), ("b", 90), ("c", 20), ("d", 90)]), 50);
        assert_eq!(found.at_us, Some(90));
        assert_eq!((found.slowest, found.idle), (vec!["b".to_owned(), "d".to_owned()], vec!["c".to_owned()]));
        assert_eq!(watermark(&last(&[]), 50).at_us, None);
    }

    #[test]
    fn an_event_out_of_time_has_its_place() {
        let policy = TimePolicy { future_max_us: 10, late_max_us: 100 };
        for (event, appended, closed, expected) in [
            (50, 50, None, Timing::Own),
            (60, 50, None, Timing::Own),
            (61, 50, None, Timing::TooFarAhead(1)),
            (50, 150, None, Timing::Own),
            (50, 151, None, Timing::TooLate(1)),
            (50, 60, Some(51), Timing::Adjustment),
            (51, 60, Some(51), Timing::Own),
        ] {
            assert_eq!(timing(arrival(event, appended), &policy, closed), expected, "{event} at {appended}");
        }
    }

    proptest! {
        #[test]
        fn slots_of_a_split_period_add_up(
            arrivals in prop::collection::vec((0_i64..500, 0_i64..100), 0..60),
            mut cuts in prop::collection::vec(0_i64..500, 2..6), turn in 0_usize..60,
        ) {
            let promise = Promise {
                every_us: 7,
                active: vec![Interval { start_us: 3, end_us: 200 }, Interval { start_us: 250, end_us: 490 }],
                on_time_us: 9,
            };
            let mut arrivals: Vec<_> =
                arrivals.into_iter().map(|(at, delay)| arrival(at, at + delay)).collect();
            cuts.sort_unstable();
            let of = |arrivals: &[Arrival], start_us, end_us| {
                Completeness::of(&promise, arrivals, &[], Interval { start_us, end_us })
            };
            let whole = of(&arrivals, cuts[0], cuts[cuts.len() - 1]);
            let mut sum = Completeness::default();
            for cut in cuts.windows(2) {
                sum.add(&of(&arrivals, cut[0], cut[1]));
            }
            prop_assert_eq!(sum, whole);
            let repeats = arrivals.clone();
            arrivals.extend(repeats);
            if !arrivals.is_empty() {
                let middle = turn % arrivals.len();
                arrivals.rotate_left(middle);
            }
            prop_assert_eq!(of(&arrivals, cuts[0], cuts[cuts.len() - 1]), whole);
        }
    }
}
