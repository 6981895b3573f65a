//! The facts behind a bill, each with the time for which it holds.

use std::collections::BTreeMap;

use wb_units::Interval;
use wb_units::timeline::Timeline;

use crate::ports::{BlockId, FactRow};

/// A fact and the time for which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The time, on the settlement grid. An open end is the end of `i64`.
    pub interval: Interval,
    /// The fact's body.
    pub body: String,
    /// The block that holds the fact.
    pub block: BlockId,
}

/// The spans of the facts of every entity, in order of time, by the rule of [`Timeline`].
#[must_use]
pub fn timelines(mut facts: Vec<FactRow>) -> BTreeMap<String, Vec<Span>> {
    facts.sort_by_key(|fact| (fact.block.partition, fact.block.block, fact.idx));
    let mut entities: BTreeMap<String, Timeline<(String, BlockId)>> = BTreeMap::new();
    for fact in facts {
        let timeline = entities.entry(fact.entity).or_default();
        timeline.record(fact.valid_from_us, fact.valid_to_us, (fact.body, fact.block));
    }
    let spans = |timeline: Timeline<(String, BlockId)>| {
        let held = timeline.settled().held();
        held.map(|held| Span { interval: held.interval, body: held.body.0, block: held.body.1 }).collect()
    };
    entities.into_iter().map(|(entity, timeline)| (entity, spans(timeline))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

    #[test]
    fn the_order_of_recording_is_that_of_the_log_and_not_of_the_rows() {
        let fact = |block: u64, idx: u32, valid_from_us: i64, body: &str| FactRow {
            entity: "e".to_owned(),
            valid_from_us,
            valid_to_us: None,
            block: BlockId { topic: "reference".to_owned(), partition: 0, block },
            idx,
            body: body.to_owned(),
        };
        let rows =
            vec![fact(2, 0, 0, "c"), fact(1, 7, 0, "b"), fact(9, 0, STEP_US + 1, "d"), fact(2, 1, 0, "x")];
        let spans = timelines(rows).remove("e").unwrap_or_default();
        let shown: Vec<_> =
            spans.iter().map(|span| (span.interval.start_us / STEP_US, span.body.as_str())).collect();
        assert_eq!(shown, [(0, "x"), (2, "d")]);
        assert_eq!((spans[0].interval.end_us, spans[1].block.block), (2 * STEP_US, 9));
    }
}
