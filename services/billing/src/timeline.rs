//! Which fact holds when.
//!
//! A fact takes effect at the first settlement boundary at or after its instant and holds until the
//! next fact of its entity takes effect, or until the boundary of its own end. Of two facts of one
//! instant, the one recorded later holds.

use std::collections::BTreeMap;

use wb_units::Interval;
use wb_units::time::boundary_at_or_after;

use crate::ports::{BlockId, FactRow};

/// A fact with the time it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// When, on the settlement grid. Open ends reach to the end of `i64`.
    pub interval: Interval,
    /// The fact's body.
    pub body: String,
    /// The block that holds the fact.
    pub block: BlockId,
}

/// The spans of every entity, in order of time, none empty, none overlapping.
#[must_use]
pub fn timelines(mut facts: Vec<FactRow>) -> BTreeMap<String, Vec<Span>> {
    facts.sort_by(|left, right| recorded_order(left).cmp(&recorded_order(right)));
    let mut entities: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for fact in facts {
        let start_us = boundary_at_or_after(fact.valid_from_us);
        let end_us = fact.valid_to_us.map_or(i64::MAX, boundary_at_or_after);
        let spans = entities.entry(fact.entity).or_default();
        // Whatever held until now ends here, also where this fact itself holds for no time.
        while let Some(last) = spans.last_mut() {
            last.interval.end_us = last.interval.end_us.min(start_us);
            if last.interval.start_us < last.interval.end_us {
                break;
            }
            spans.pop();
        }
        if let Some(interval) = Interval::new(start_us, end_us).filter(|interval| interval.duration_us() > 0)
        {
            spans.push(Span { interval, body: fact.body, block: fact.block });
        }
    }
    entities
}

fn recorded_order(fact: &FactRow) -> (&str, i64, u32, u64, u32) {
    (&fact.entity, fact.valid_from_us, fact.block.partition, fact.block.block, fact.idx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

    fn fact(valid_from_us: i64, valid_to_us: Option<i64>, block: u64, body: &str) -> FactRow {
        FactRow {
            entity: "e".to_owned(),
            valid_from_us,
            valid_to_us,
            block: BlockId { topic: "reference".to_owned(), partition: 0, block },
            idx: 0,
            body: body.to_owned(),
        }
    }

    fn shown(facts: Vec<FactRow>) -> Vec<(i64, i64, String)> {
        let spans = timelines(facts).remove("e").unwrap_or_default();
        spans
            .into_iter()
            .map(|span| {
                let end = if span.interval.end_us == i64::MAX { -1 } else { span.interval.end_us / STEP_US };
                (span.interval.start_us / STEP_US, end, span.body)
            })
            .collect()
    }

    fn spans(expected: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
        expected.iter().map(|(start, end, body)| (*start, *end, (*body).to_owned())).collect()
    }

    #[test]
    fn facts_hold_from_boundary_to_boundary() {
        let s = STEP_US;
        // A change inside an interval takes effect at its end.
        assert_eq!(
            shown(vec![fact(0, None, 0, "a"), fact(s + 1, None, 1, "b")]),
            spans(&[(0, 2, "a"), (2, -1, "b")])
        );
        // The later instant holds, however early it was recorded.
        assert_eq!(
            shown(vec![fact(5 * s, None, 0, "b"), fact(0, None, 1, "a")]),
            spans(&[(0, 5, "a"), (5, -1, "b")])
        );
        // Of one instant, the later record.
        assert_eq!(shown(vec![fact(0, None, 0, "a"), fact(0, None, 1, "b")]), spans(&[(0, -1, "b")]));
        // Of two instants before one boundary, the later instant.
        assert_eq!(shown(vec![fact(2, None, 0, "b"), fact(1, None, 1, "a")]), spans(&[(1, -1, "b")]));
        // An end leaves nobody; what was superseded does not come back.
        assert_eq!(
            shown(vec![fact(0, None, 0, "a"), fact(2 * s, Some(3 * s), 1, "b"), fact(9 * s, None, 2, "c")]),
            spans(&[(0, 2, "a"), (2, 3, "b"), (9, -1, "c")])
        );
        // A fact of no length still ends what was before it.
        assert_eq!(
            shown(vec![fact(0, None, 0, "a"), fact(2 * s, Some(2 * s), 1, "b")]),
            spans(&[(0, 2, "a")])
        );
    }

    proptest! {
        #[test]
        fn spans_are_ordered_and_at_most_one_holds(
            times in prop::collection::vec((0_i64..20, prop::option::of(0_i64..25)), 0..12),
        ) {
            let half = STEP_US / 2;
            let facts: Vec<_> = times
                .iter()
                .enumerate()
                .map(|(index, (from, to))| {
                    fact(from * half, to.map(|to| to * half), u64::try_from(index).unwrap(), &index.to_string())
                })
                .collect();
            let mut reversed = facts.clone();
            reversed.reverse();
            let spans = timelines(facts.clone()).remove("e").unwrap_or_default();
            prop_assert_eq!(&spans, &timelines(reversed).remove("e").unwrap_or_default());
            for pair in spans.windows(2) {
                prop_assert!(pair[0].interval.end_us <= pair[1].interval.start_us);
            }
            // The oracle: at each boundary, the greatest (instant, record) in effect, unless it ended.
            for step in 0..15 {
                let at_us = step * STEP_US;
                let latest = facts
                    .iter()
                    .filter(|fact| boundary_at_or_after(fact.valid_from_us) <= at_us)
                    .max_by_key(|fact| (fact.valid_from_us, fact.block.block));
                let expected = latest
                    .filter(|fact| fact.valid_to_us.is_none_or(|end_us| at_us < boundary_at_or_after(end_us)))
                    .map(|fact| fact.body.as_str());
                let held = spans.iter().find(|span| span.interval.contains(at_us)).map(|span| span.body.as_str());
                prop_assert_eq!(held, expected);
            }
        }
    }
}
