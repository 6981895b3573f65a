//! GPU time: spans of an allocation, split exactly at any boundary.
//!
//! - [`sacct`] reads Slurm's rows, [`rows`] lets a later row close an open one.
//! - [`kubernetes`] reads what pods hold, [`dcgm`] the GPUs' own samples, [`usage`] adds them up.
//! - [`allocation`] refuses a GPU that is held twice.
//! - [`accounts`] says whose an allocation is.

pub mod accounts;
pub mod allocation;
pub mod dcgm;
pub mod hostlist;
pub mod kubernetes;
pub mod rows;
pub mod sacct;
pub mod usage;

use wb_units::time::SECOND_US;
use wb_units::{Interval, Micros};

/// GPUs of one node held by one account from start to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The scheduler's allocation (job) id.
    pub allocation_id: String,
    /// The account that pays.
    pub account: String,
    /// The node whose GPUs are held.
    pub node_id: String,
    /// Its state in the scheduler's word: `COMPLETED`, `NODE_FAIL`, `RUNNING`, ...
    pub state: String,
    /// How many GPUs are held.
    pub gpus: u32,
    /// The first instant held.
    pub start_us: Micros,
    /// The first instant no longer held; `None` while it goes on.
    pub end_us: Option<Micros>,
    /// How long the scheduler had seen it when the row was taken, in seconds.
    pub elapsed_s: u64,
}

impl Span {
    /// The span as an allocation of whole GPUs, to be checked against other allocations of the node.
    #[must_use]
    pub fn allocation(&self) -> allocation::Allocation {
        allocation::Allocation {
            start_us: self.start_us,
            end_us: self.end_us,
            allocation_id: self.allocation_id.clone(),
            account: self.account.clone(),
            node_id: self.node_id.clone(),
            device: String::new(),
            share: allocation::Share::Whole { gpus: self.gpus },
        }
    }
}

/// GPU-seconds of a span inside an interval.
///
/// An open span counts through the interval's end: end the interval where the records end. Each GPU's time from the
/// span's start is rounded down to whole seconds at either end of the interval, so that adjoining intervals add up to
/// exactly what the whole holds.
#[must_use]
pub fn gpu_seconds(span: &Span, interval: Interval) -> u128 {
    let end_us = span.end_us.unwrap_or(i64::MAX);
    let Some(held) = Interval::new(span.start_us, end_us).and_then(|whole| whole.intersect(&interval)) else {
        return 0;
    };
    until(span, held.end_us) - until(span, held.start_us)
}

/// GPU-seconds from the span's start until an instant of it.
fn until(span: &Span, at_us: Micros) -> u128 {
    let held_us = u128::from(at_us.abs_diff(span.start_us)) * u128::from(span.gpus);
    held_us / u128::from(SECOND_US.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(gpus: u32, start_us: i64, end_us: Option<i64>) -> Span {
        Span {
            allocation_id: "7".to_owned(),
            account: "acme".to_owned(),
            node_id: "n1".to_owned(),
            state: "COMPLETED".to_owned(),
            gpus,
            start_us,
            end_us,
            elapsed_s: 0,
        }
    }

    #[test]
    fn a_span_counts_only_inside_the_interval() {
        let ten_s = span(2, 10 * SECOND_US, Some(20 * SECOND_US));
        for (start_s, end_s, gpu_s) in
            [(0, 30, 20), (0, 10, 0), (20, 30, 0), (0, 11, 2), (19, 40, 2), (12, 15, 6)]
        {
            let interval = Interval::new(start_s * SECOND_US, end_s * SECOND_US).unwrap();
            assert_eq!(gpu_seconds(&ten_s, interval), gpu_s, "[{start_s}, {end_s})");
        }
        let open = span(1, 10 * SECOND_US, None);
        assert_eq!(gpu_seconds(&open, Interval::new(0, 15 * SECOND_US).unwrap()), 5);
    }

    proptest! {
        #[test]
        fn a_span_split_anywhere_adds_up(
            gpus in 0_u32..100, start_us in 0_i64..10_000_000, length_us in 0_i64..50_000_000,
            mut cuts in prop::collection::vec(0_i64..80_000_000, 2..8),
        ) {
            let span = span(gpus, start_us, Some(start_us + length_us));
            cuts.sort_unstable();
            let inside = |start, end| gpu_seconds(&span, Interval::new(start, end).unwrap());
            let parts: u128 = cuts.windows(2).map(|cut| inside(cut[0], cut[1])).sum();
            prop_assert_eq!(parts, inside(cuts[0], cuts[cuts.len() - 1]));
        }
    }
}
