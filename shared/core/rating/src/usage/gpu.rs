//! GPU allocations over time, and their billed length.
//!
//! An allocation is billed by its cumulative length, rounded up to whole units of the contract's rounding. A month
//! bills the rounded cumulative length at its end minus that at its start, so that an allocation across a month's end
//! is rounded once, not twice:
//!
//! ```text
//! billed units = ceil(length until the end / unit) - ceil(length until the start / unit)
//! ```
//!
//! The length is counted for each (allocation, device, profile, number of GPUs); its spans need not touch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros};

use crate::error::UsageError;

/// A time for which GPUs or a slice of one were allocated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuSpan {
    /// The allocation.
    pub allocation_id: String,
    /// The GPU, where the source gives it.
    pub device: String,
    /// The slice's profile, such as `1g.10gb`; empty for whole GPUs.
    pub profile: String,
    /// How many GPUs or slices.
    pub gpus: u32,
    /// The exact start, which may lie before the period: the rounding needs the whole history.
    pub start_us: Micros,
    /// The exact end; open where it still runs.
    pub end_us: Option<Micros>,
}

/// A time for which GPUs of a node were down; outages of one node do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuOutage {
    /// The node.
    pub node_id: String,
    /// When it began.
    pub start_us: Micros,
    /// When it was over.
    pub end_us: Micros,
    /// How many of its GPUs were down.
    pub gpus: u32,
}

impl GpuOutage {
    pub(crate) fn interval(&self) -> Interval {
        Interval { start_us: self.start_us, end_us: self.end_us }
    }
}

/// How long the GPUs of a node were there to be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuAvailability {
    /// The node.
    pub node_id: String,
    /// GPU-microseconds that were promised.
    #[serde(with = "super::text")]
    pub promised_us: u128,
    /// GPU-microseconds of them that could be used.
    #[serde(with = "super::text")]
    pub available_us: u128,
}

/// What must be equal for lengths to be counted together.
pub(crate) type SpanKey<'a> = (&'a str, &'a str, &'a str, u32);

/// Spans of equal keys, in order of time.
type Parts = Vec<(Micros, Option<Micros>)>;

/// The spans of a profile by what is counted together.
///
/// # Errors
/// [`UsageError::Contradiction`] for a span that ends before it starts and for two spans of one key at one time.
pub(crate) fn spans_by_key<'a>(
    spans: &'a [GpuSpan],
    profile: &str,
) -> Result<BTreeMap<SpanKey<'a>, Parts>, UsageError> {
    let mut keys: BTreeMap<SpanKey<'a>, Parts> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.profile == profile) {
        if span.end_us.is_some_and(|end_us| end_us < span.start_us) {
            return Err(UsageError::Contradiction {
                what: format!(
                    "the span of allocation {} from {}",
                    span.allocation_id,
                    rfc3339(span.start_us)
                ),
                detail: "it ends before it starts".to_owned(),
            });
        }
        let key: SpanKey<'a> = (&span.allocation_id, &span.device, &span.profile, span.gpus);
        keys.entry(key).or_default().push((span.start_us, span.end_us));
    }
    for ((allocation_id, device, _, _), parts) in &mut keys {
        parts.sort_unstable();
        for pair in parts.windows(2) {
            if pair[0].1.is_none_or(|end_us| end_us > pair[1].0) {
                return Err(UsageError::Contradiction {
                    what: format!("allocation {allocation_id} device {device:?} at {}", rfc3339(pair[1].0)),
                    detail: "two of its spans hold at one time, and it would be billed twice".to_owned(),
                });
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::reserved::allocated;

    const HOUR_US: i64 = 3_600_000_000;

    fn span(start_us: i64, end_us: Option<i64>) -> GpuSpan {
        GpuSpan {
            allocation_id: "a".to_owned(),
            device: String::new(),
            profile: String::new(),
            gpus: 2,
            start_us,
            end_us,
        }
    }

    fn units(spans: &[GpuSpan], start_us: i64, end_us: i64) -> u128 {
        let stretch = Interval { start_us, end_us };
        let unit_us = u128::try_from(HOUR_US).unwrap();
        let found = allocated(spans, "", &[], end_us).unwrap();
        found.iter().map(|one| one.units_above(unit_us, stretch).unwrap()).sum::<u128>() / 2
    }

    #[test]
    fn an_allocation_across_a_months_end_is_rounded_once() {
        let h = HOUR_US;
        // 3 h 20 min in all, 1 h 10 min of it before the end of the first month at 10 h.
        let spans = [span(10 * h - 70 * h / 60, Some(10 * h + 130 * h / 60))];
        assert_eq!((units(&spans, 0, 10 * h), units(&spans, 10 * h, 20 * h)), (2, 2));
        assert_eq!(units(&spans, 0, 20 * h), 4);
        // Pieces add up before the rounding, and an open end lasts to the end of the stretch.
        assert_eq!(units(&[span(0, Some(h / 2)), span(h, Some(h + h / 2))], 0, 2 * h), 1);
        assert_eq!(units(&[span(h, None)], 0, 4 * h), 3);
        assert_eq!(units(&[span(5 * h, None)], 0, 4 * h), 0);
    }

    #[test]
    fn overlaps_and_ends_before_starts_are_refused() {
        for spans in [
            vec![span(5, Some(4))],
            vec![span(0, Some(9)), span(8, None)],
            vec![span(0, None), span(8, None)],
        ] {
            assert_eq!(spans_by_key(&spans, "").unwrap_err().code(), "WB-5141");
        }
    }
}
