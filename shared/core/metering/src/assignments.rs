//! Who holds what when, with two clocks: when a fact holds, and when it was recorded.
//!
//! A fact takes effect at the first settlement boundary at or after its instant and holds until the
//! next fact of its entity takes effect, or until the boundary of its own end; what was superseded
//! does not come back. Of two facts of one instant, the one recorded later holds. So a machine
//! that moves never rewrites what was: only a fact that names an earlier instant does.
//!
//! The second clock answers "what did we believe on 3 August about July": facts recorded later
//! are left out. What a fact recorded since has changed is a list of intervals: those are computed
//! again, as adjustments.

use std::collections::BTreeMap;

use wb_units::time::boundary_at_or_after;
use wb_units::{Interval, Micros};

/// A dated fact of an entity: a machine's site, rack, customer or contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// What it is about.
    pub entity: String,
    /// From when it holds.
    pub valid_from_us: Micros,
    /// Until when, where it says.
    pub valid_to_us: Option<Micros>,
    /// When it was recorded.
    pub recorded_at_us: Micros,
    /// Its place among the records of one instant: the log's order.
    pub record: u64,
    /// What it says.
    pub body: T,
}

/// A fact's time on the settlement grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<T> {
    /// When it holds. Open ends reach to the end of `i64`.
    pub interval: Interval,
    /// When it was recorded.
    pub recorded_at_us: Micros,
    /// What it says.
    pub body: T,
}

/// What is believed about every entity: spans in order of time, none empty, none overlapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beliefs<T> {
    spans: BTreeMap<String, Vec<Span<T>>>,
}

impl<T: Clone> Beliefs<T> {
    /// What the facts recorded until an instant, that one included, say. The facts may come in any
    /// order and with repeats.
    #[must_use]
    pub fn as_of(facts: &[Fact<T>], recorded_until_us: Micros) -> Self {
        let mut known: Vec<&Fact<T>> =
            facts.iter().filter(|fact| fact.recorded_at_us <= recorded_until_us).collect();
        known.sort_by(|left, right| order(left).cmp(&order(right)));
        let mut spans: BTreeMap<String, Vec<Span<T>>> = BTreeMap::new();
        for fact in known {
            let start_us = boundary_at_or_after(fact.valid_from_us);
            let end_us = fact.valid_to_us.map_or(Micros::MAX, boundary_at_or_after);
            let held = spans.entry(fact.entity.clone()).or_default();
            // Whatever held until now ends here, also where this fact itself holds for no time.
            while let Some(last) = held.last_mut() {
                last.interval.end_us = last.interval.end_us.min(start_us);
                if last.interval.start_us < last.interval.end_us {
                    break;
                }
                held.pop();
            }
            if start_us < end_us {
                held.push(Span {
                    interval: Interval { start_us, end_us },
                    recorded_at_us: fact.recorded_at_us,
                    body: fact.body.clone(),
                });
            }
        }
        Self { spans }
    }

    /// What holds for an entity at an instant.
    #[must_use]
    pub fn at(&self, entity: &str, at_us: Micros) -> Option<&T> {
        let spans = self.of(entity);
        let after = spans.partition_point(|span| span.interval.end_us <= at_us);
        spans.get(after).filter(|span| span.interval.contains(at_us)).map(|span| &span.body)
    }

    /// All spans of an entity.
    #[must_use]
    pub fn of(&self, entity: &str) -> &[Span<T>] {
        self.spans.get(entity).map_or(&[], Vec::as_slice)
    }

    /// The parts of a period in which an entity is held, and by what; `None` for parts in which
    /// nothing holds: usage there is in suspense.
    #[must_use]
    pub fn in_period(&self, entity: &str, period: Interval) -> Vec<(Interval, Option<&T>)> {
        let mut parts = Vec::new();
        let mut at_us = period.start_us;
        for span in self.of(entity) {
            let Some(part) = span.interval.intersect(&period) else { continue };
            if at_us < part.start_us {
                parts.push((Interval { start_us: at_us, end_us: part.start_us }, None));
            }
            at_us = part.end_us;
            parts.push((part, Some(&span.body)));
        }
        if at_us < period.end_us {
            parts.push((Interval { start_us: at_us, end_us: period.end_us }, None));
        }
        parts
    }

    /// All entities that anything was ever said about.
    pub fn entities(&self) -> impl Iterator<Item = &str> {
        self.spans.keys().map(String::as_str)
    }
}

/// A part of a period about which another belief holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// The entity.
    pub entity: String,
    /// The part.
    pub interval: Interval,
    /// What was believed.
    pub before: Option<T>,
    /// What is believed now.
    pub after: Option<T>,
}

/// Where two beliefs about a period differ, by entity and time: what must be computed again.
#[must_use]
pub fn changes<T: Clone + PartialEq>(
    before: &Beliefs<T>,
    after: &Beliefs<T>,
    period: Interval,
) -> Vec<Change<T>> {
    let mut entities: Vec<&str> = before.entities().chain(after.entities()).collect();
    entities.sort_unstable();
    entities.dedup();
    let mut found: Vec<Change<T>> = Vec::new();
    for entity in entities {
        let (old, new) = (before.in_period(entity, period), after.in_period(entity, period));
        let starts = |parts: &[(Interval, Option<&T>)]| -> Vec<Micros> {
            parts.iter().map(|(interval, _)| interval.start_us).collect()
        };
        let mut edges = [starts(&old), starts(&new), vec![period.end_us]].concat();
        edges.sort_unstable();
        edges.dedup();
        for pair in edges.windows(2) {
            let [start_us, end_us] = *pair else { continue };
            let was = before.at(entity, start_us);
            let is = after.at(entity, start_us);
            if was == is {
                continue;
            }
            match found.last_mut() {
                Some(last)
                    if last.entity == entity
                        && last.interval.end_us == start_us
                        && last.before.as_ref() == was
                        && last.after.as_ref() == is =>
                {
                    last.interval.end_us = end_us;
                }
                _ => found.push(Change {
                    entity: entity.to_owned(),
                    interval: Interval { start_us, end_us },
                    before: was.cloned(),
                    after: is.cloned(),
                }),
            }
        }
    }
    found
}

fn order<T>(fact: &Fact<T>) -> (&str, Micros, Micros, u64) {
    (&fact.entity, fact.valid_from_us, fact.recorded_at_us, fact.record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wb_units::SETTLEMENT_INTERVAL_US as STEP;

    const DAY: i64 = 288 * STEP;

    fn fact(valid_from_us: i64, valid_to_us: Option<i64>, recorded_at_us: i64, body: &str) -> Fact<String> {
        Fact {
            entity: "m1".to_owned(),
            valid_from_us,
            valid_to_us,
            recorded_at_us,
            record: 0,
            body: body.to_owned(),
        }
    }

    fn shown(parts: &[(Interval, Option<&String>)]) -> Vec<(i64, i64, String)> {
        let short = |(interval, body): &(Interval, Option<&String>)| {
            let name = body.map_or("suspense", String::as_str).to_owned();
            (interval.start_us / DAY, interval.end_us / DAY, name)
        };
        parts.iter().map(short).collect()
    }

    #[test]
    fn what_was_believed_is_a_query() {
        // Days count from 1 July. Acme from the first; on day 34 (4 August) it is recorded that the
        // machine had moved to Birch on day 14 already.
        let facts = [fact(0, None, 0, "acme"), fact(14 * DAY, None, 34 * DAY, "birch")];
        let july = Interval { start_us: 0, end_us: 31 * DAY };
        let on_3_august = Beliefs::as_of(&facts, 33 * DAY);
        assert_eq!(shown(&on_3_august.in_period("m1", july)), [(0, 31, "acme".to_owned())]);
        let later = Beliefs::as_of(&facts, 40 * DAY);
        assert_eq!(
            shown(&later.in_period("m1", july)),
            [(0, 14, "acme".to_owned()), (14, 31, "birch".to_owned())]
        );
        assert_eq!(
            changes(&on_3_august, &later, july),
            [Change {
                entity: "m1".to_owned(),
                interval: Interval { start_us: 14 * DAY, end_us: 31 * DAY },
                before: Some("acme".to_owned()),
                after: Some("birch".to_owned()),
            }]
        );
        assert_eq!(changes(&later, &later, july), []);
    }

    #[test]
    fn a_move_takes_effect_on_a_boundary_and_rewrites_nothing() {
        let moved = [fact(0, None, 0, "acme"), fact(10 * STEP + 1, None, 10 * STEP + 1, "birch")];
        let beliefs = Beliefs::as_of(&moved, i64::MAX);
        let at = |at_us| beliefs.at("m1", at_us).map(String::as_str);
        assert_eq!(
            (at(10 * STEP), at(11 * STEP - 1), at(11 * STEP)),
            (Some("acme"), Some("acme"), Some("birch"))
        );
        assert_eq!((at(-1), beliefs.at("m2", 0)), (None, None));
        let before = Interval { start_us: 0, end_us: 11 * STEP };
        assert_eq!(changes(&Beliefs::as_of(&moved, 0), &beliefs, before), []);
    }

    #[test]
    fn usage_of_nobody_is_in_suspense() {
        let facts = [fact(2 * DAY, Some(5 * DAY), 0, "acme"), fact(8 * DAY, None, 0, "birch")];
        let period = Interval { start_us: 0, end_us: 10 * DAY };
        let beliefs = Beliefs::as_of(&facts, 0);
        assert_eq!(
            shown(&beliefs.in_period("m1", period)),
            [
                (0, 2, "suspense".to_owned()),
                (2, 5, "acme".to_owned()),
                (5, 8, "suspense".to_owned()),
                (8, 10, "birch".to_owned()),
            ]
        );
        assert_eq!(shown(&beliefs.in_period("unknown", period)), [(0, 10, "suspense".to_owned())]);
    }

    proptest! {
        #[test]
        fn order_and_repeats_change_nothing_and_a_period_is_covered(
            times in prop::collection::vec((0_i64..20, prop::option::of(0_i64..25), 0_i64..9), 0..12),
            cut in 0_i64..9, turn in 0_usize..12,
        ) {
            let facts: Vec<_> = times
                .iter()
                .enumerate()
                .map(|(index, (from, to, recorded))| Fact {
                    record: u64::try_from(index).unwrap(),
                    ..fact(from * STEP / 2, to.map(|to| to * STEP / 2), *recorded, &index.to_string())
                })
                .collect();
            let beliefs = Beliefs::as_of(&facts, cut);
            let mut turned: Vec<_> = facts.iter().chain(&facts).cloned().collect();
            if !facts.is_empty() {
                turned.rotate_left(turn % facts.len());
            }
            prop_assert_eq!(&beliefs, &Beliefs::as_of(&turned, cut));
            // What is recorded after the cut might as well not be there.
            let known: Vec<_> = facts.iter().filter(|fact| fact.recorded_at_us <= cut).cloned().collect();
            prop_assert_eq!(&beliefs, &Beliefs::as_of(&known, i64::MAX));
            let period = Interval { start_us: STEP, end_us: 9 * STEP };
            let mut at_us = period.start_us;
            for (part, body) in beliefs.in_period("m1", period) {
                prop_assert_eq!(part.start_us, at_us);
                prop_assert_eq!(body, beliefs.at("m1", part.start_us));
                at_us = part.end_us;
            }
            prop_assert_eq!(at_us, period.end_us);
        }
    }
}
