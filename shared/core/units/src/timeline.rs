//! Facts and the times for which they hold.
//!
//! A fact holds from its instant until the next fact of its entity begins, or until its own end. Of two facts of one
//! instant, the one recorded later holds. A superseded fact does not hold again: where a fact ends early, nothing
//! holds until the next begins.
//!
//! Where usage is billed, facts take effect on the settlement grid: [`Timeline::settled`] does that, and nothing else
//! rounds their times.

use std::collections::BTreeMap;

use crate::time::{Interval, Micros, boundary_at_or_after};

/// The facts of one entity, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline<T> {
    facts: BTreeMap<Micros, Fact<T>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fact<T> {
    valid_to_us: Option<Micros>,
    body: T,
}

/// A fact with the time it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// When, never empty. Open ends reach to the end of `i64`.
    pub interval: Interval,
    /// The fact.
    pub body: T,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { facts: BTreeMap::new() }
    }
}

impl<T> Timeline<T> {
    /// Takes in a fact. Facts come in the order in which they were recorded; their instants may be in any order.
    pub fn record(&mut self, valid_from_us: Micros, valid_to_us: Option<Micros>, body: T) {
        self.facts.insert(valid_from_us, Fact { valid_to_us, body });
    }

    /// The same facts on the settlement grid: each takes effect, and ends, at the first boundary at or after its
    /// instant.
    /// Of two that take effect at one boundary, the one of the later instant holds.
    #[must_use]
    pub fn settled(self) -> Self {
        let mut settled = Self::default();
        for (valid_from_us, fact) in self.facts {
            let valid_to_us = fact.valid_to_us.map(boundary_at_or_after);
            settled.record(boundary_at_or_after(valid_from_us), valid_to_us, fact.body);
        }
        settled
    }

    /// The latest fact for an instant, whether or not it had ended by then.
    #[must_use]
    pub fn last_said(&self, at_us: Micros) -> Option<&T> {
        self.facts.range(..=at_us).next_back().map(|(_, fact)| &fact.body)
    }

    /// The earliest fact.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.facts.first_key_value().map(|(_, fact)| &fact.body)
    }

    /// The facts that hold at some time, in order; no two overlap.
    pub fn held(self) -> impl Iterator<Item = Held<T>> {
        let mut facts = self.facts.into_iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let (start_us, fact) = facts.next()?;
                let next_us = facts.peek().map_or(Micros::MAX, |(next_us, _)| *next_us);
                let end_us = fact.valid_to_us.map_or(next_us, |end_us| end_us.min(next_us));
                if start_us < end_us {
                    return Some(Held { interval: Interval { start_us, end_us }, body: fact.body });
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SETTLEMENT_INTERVAL_US as STEP_US;
    use proptest::prelude::*;

    type Said = (Micros, Option<Micros>, &'static str);

    fn timeline(facts: &[Said]) -> Timeline<&'static str> {
        let mut timeline = Timeline::default();
        for (from_us, to_us, body) in facts {
            timeline.record(*from_us, *to_us, *body);
        }
        timeline
    }

    fn shown(timeline: Timeline<&'static str>) -> Vec<(Micros, Micros, &'static str)> {
        timeline.held().map(|held| (held.interval.start_us, held.interval.end_us, held.body)).collect()
    }

    #[test]
    fn facts_hold_from_their_instant_until_the_next_or_their_end() {
        const EVER: i64 = i64::MAX;
        type Held = (Micros, Micros, &'static str);
        let cases: [(&[Said], &[Held]); 7] = [
            (&[], &[]),
            // The later instant holds, however early it was recorded.
            (&[(5, None, "b"), (0, None, "a")], &[(0, 5, "a"), (5, EVER, "b")]),
            // Of one instant, the later record; also where it holds for no time.
            (&[(0, None, "a"), (0, None, "b")], &[(0, EVER, "b")]),
            (&[(0, None, "a"), (0, Some(0), "b")], &[]),
            // An end leaves nobody; what was superseded does not come back.
            (
                &[(0, None, "a"), (2, Some(3), "b"), (9, None, "c")],
                &[(0, 2, "a"), (2, 3, "b"), (9, EVER, "c")],
            ),
            // A fact of no length still ends what was before it.
            (&[(0, None, "a"), (2, Some(2), "b")], &[(0, 2, "a")]),
            // An end after the next fact's instant changes nothing.
            (&[(0, Some(7), "a"), (2, Some(4), "b")], &[(0, 2, "a"), (2, 4, "b")]),
        ];
        for (facts, expected) in cases {
            assert_eq!(shown(timeline(facts)), expected, "{facts:?}");
        }
    }

    #[test]
    fn on_the_grid_changes_take_effect_at_the_next_boundary() {
        let s = STEP_US;
        let settled = |facts: &[Said]| shown(timeline(facts).settled());
        assert_eq!(settled(&[(0, None, "a"), (s + 1, None, "b")]), [(0, 2 * s, "a"), (2 * s, i64::MAX, "b")]);
        // Of two instants before one boundary, the later instant, whichever was recorded first.
        assert_eq!(settled(&[(2, None, "b"), (1, None, "a")]), [(s, i64::MAX, "b")]);
        assert_eq!(settled(&[(0, Some(s + 1), "a")]), [(0, 2 * s, "a")]);
        // It ends before the boundary at which it would have begun.
        assert_eq!(settled(&[(1, Some(2), "a")]), []);
    }

    #[test]
    fn what_was_said_last_is_known_after_its_end_and_the_first_before_it() {
        let timeline = timeline(&[(5, Some(6), "a"), (9, None, "b")]);
        let said = [4, 5, 7, 9, 10].map(|at_us| timeline.last_said(at_us).copied());
        assert_eq!(said, [None, Some("a"), Some("a"), Some("b"), Some("b")]);
        assert_eq!(timeline.first(), Some(&"a"));
    }

    proptest! {
        #[test]
        fn at_every_instant_the_greatest_instant_and_record_holds_unless_it_ended(
            times in prop::collection::vec((0_i64..20, prop::option::of(0_i64..25)), 0..12),
            grid in any::<bool>(),
        ) {
            let half = STEP_US / 2;
            let facts: Vec<_> =
                times.iter().map(|(from, to)| (from * half, to.map(|to| to * half))).collect();
            let mut timeline = Timeline::default();
            for (record, (from_us, to_us)) in facts.iter().enumerate() {
                timeline.record(*from_us, *to_us, record);
            }
            let round = |at_us: i64| if grid { boundary_at_or_after(at_us) } else { at_us };
            let held: Vec<_> = if grid { timeline.settled() } else { timeline }.held().collect();
            for pair in held.windows(2) {
                prop_assert!(pair[0].interval.end_us <= pair[1].interval.start_us);
            }
            prop_assert!(held.iter().all(|held| held.interval.start_us < held.interval.end_us));
            for at_us in (0..30).map(|step| step * half) {
                let begun = facts.iter().enumerate().filter(|(_, (from_us, _))| round(*from_us) <= at_us);
                let latest = begun.max_by_key(|(record, (from_us, _))| (*from_us, *record));
                let expected = latest
                    .filter(|(_, (_, to_us))| to_us.is_none_or(|to_us| at_us < round(to_us)))
                    .map(|(record, _)| record);
                let found = held.iter().find(|held| held.interval.contains(at_us)).map(|held| held.body);
                prop_assert_eq!(found, expected);
            }
        }
    }
}
