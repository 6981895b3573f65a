//! GPUs that are paid for whether used or not, and what of allocations and outages falls to them.
//!
//! At each instant the reservations cover allocated GPUs up to their number: the allocations that began first come
//! first, then by id and device. What is above is on demand. The split is exact to the microsecond; only the time
//! above is rounded to the units of a contract, for each GPU over the allocation's life.

use std::collections::{BTreeMap, BTreeSet};

use wb_units::{Interval, Micros};

use super::gpu::{GpuOutage, GpuSpan, SpanKey, spans_by_key};
use crate::error::UsageError;

/// A number of GPUs over a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) interval: Interval,
    pub(crate) gpus: u64,
    /// The nodes that the reserved GPUs are in; any where it is empty.
    pub(crate) nodes: BTreeSet<String>,
}

/// An allocation's GPUs over its life until an instant, in pieces of time within which none begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocated<'a> {
    pub(crate) key: SpanKey<'a>,
    pub(crate) pieces: Vec<Piece>,
}

/// A piece of an allocation's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) interval: Interval,
    /// GPUs that a reservation covers.
    pub(crate) covered: u32,
    /// GPUs that none covers.
    pub(crate) above: u32,
}

impl Allocated<'_> {
    /// Units of the contract's rounding above the reservations within a stretch, over all GPUs.
    ///
    /// GPUs that are above for equal times are counted together. Each GPU's time is rounded up over the allocation's
    /// life until the end, less the same until the start, so that an allocation across a month's end is rounded once.
    pub(crate) fn units_above(&self, unit_us: u128, stretch: Interval) -> Option<u128> {
        let levels: BTreeSet<u32> =
            self.pieces.iter().map(|piece| piece.above).filter(|above| *above > 0).collect();
        let (mut total, mut below) = (0_u128, 0_u32);
        for level in levels {
            let until = |at_us| self.length_us(at_us, |piece| piece.above >= level).div_ceil(unit_us);
            let units = until(stretch.end_us).saturating_sub(until(stretch.start_us));
            total = units.checked_mul(u128::from(level - below)).and_then(|part| total.checked_add(part))?;
            below = level;
        }
        Some(total)
    }

    /// GPU-microseconds within a stretch, exact.
    pub(crate) fn exact_us(&self, stretch: Interval, gpus: impl Fn(&Piece) -> u32) -> Option<u128> {
        let within = self.pieces.iter().filter_map(|piece| {
            let time = piece.interval.intersect(&stretch)?;
            Some(u128::from(time.end_us.abs_diff(time.start_us)) * u128::from(gpus(piece)))
        });
        within.into_iter().try_fold(0_u128, u128::checked_add)
    }

    fn length_us(&self, until_us: Micros, counts: impl Fn(&Piece) -> bool) -> u128 {
        let counted = self.pieces.iter().filter(|piece| counts(piece));
        counted
            .map(|piece| piece.interval.end_us.min(until_us).saturating_sub(piece.interval.start_us))
            .map(|length_us| u128::try_from(length_us).unwrap_or(0))
            .sum()
    }
}

/// The allocations of a profile, in order of key, with what reservations cover of them until an instant.
///
/// # Errors
/// [`UsageError::Contradiction`] for a span that ends before it starts and for two spans of one key at one time.
pub(crate) fn allocated<'a>(
    spans: &'a [GpuSpan],
    profile: &str,
    reserved: &[Reserved],
    until_us: Micros,
) -> Result<Vec<Allocated<'a>>, UsageError> {
    let by_key = spans_by_key(spans, profile)?;
    if reserved.is_empty() {
        let whole = |(key, parts): (SpanKey<'a>, Vec<(Micros, Option<Micros>)>)| Allocated {
            key,
            pieces: parts.into_iter().filter_map(|part| whole_piece(part, key.3, until_us)).collect(),
        };
        return Ok(by_key.into_iter().map(whole).collect());
    }
    let mut found: Vec<Allocated<'a>> =
        by_key.keys().map(|key| Allocated { key: *key, pieces: Vec::new() }).collect();
    // Who is covered first: by the first start, then by key.
    let mut ranked: Vec<(Micros, usize)> = by_key
        .values()
        .enumerate()
        .map(|(place, parts)| (parts.first().map_or(Micros::MAX, |first| first.0), place))
        .collect();
    ranked.sort_unstable();
    let mut rank = vec![0_usize; ranked.len()];
    for (order, (_, place)) in ranked.iter().enumerate() {
        rank[*place] = order;
    }
    let mut begins: BTreeMap<Micros, Vec<usize>> = BTreeMap::new();
    let mut ends: BTreeMap<Micros, Vec<usize>> = BTreeMap::new();
    let mut edges: BTreeSet<Micros> = BTreeSet::from([until_us]);
    for (place, parts) in by_key.values().enumerate() {
        for (start_us, end_us) in parts {
            let end_us = end_us.unwrap_or(until_us).min(until_us);
            if *start_us < end_us {
                begins.entry(*start_us).or_default().push(rank[place]);
                ends.entry(end_us).or_default().push(rank[place]);
                edges.extend([*start_us, end_us]);
            }
        }
    }
    for one in reserved {
        edges.extend([one.interval.start_us, one.interval.end_us]);
    }
    let edges: Vec<Micros> = edges.into_iter().collect();
    let mut alive: BTreeSet<usize> = BTreeSet::new();
    for pair in edges.windows(2) {
        let [start_us, end_us] = *pair else { continue };
        for order in ends.get(&start_us).into_iter().flatten() {
            alive.remove(order);
        }
        alive.extend(begins.get(&start_us).into_iter().flatten());
        let mut left = reserved
            .iter()
            .filter(|one| one.interval.contains(start_us))
            .fold(0_u64, |sum, one| sum.saturating_add(one.gpus));
        for order in &alive {
            let one = &mut found[ranked[*order].1];
            let gpus = one.key.3;
            let covered = u32::try_from(left).map_or(gpus, |left| left.min(gpus));
            left -= u64::from(covered);
            let piece = Piece { interval: Interval { start_us, end_us }, covered, above: gpus - covered };
            match one.pieces.last_mut() {
                Some(last)
                    if last.interval.end_us == start_us
                        && (last.covered, last.above) == (piece.covered, piece.above) =>
                {
                    last.interval.end_us = end_us;
                }
                _ => one.pieces.push(piece),
            }
        }
    }
    Ok(found)
}

/// A span that no reservation can cover.
fn whole_piece((start_us, end_us): (Micros, Option<Micros>), gpus: u32, until_us: Micros) -> Option<Piece> {
    let interval = Interval { start_us, end_us: end_us.unwrap_or(until_us).min(until_us) };
    (interval.start_us < interval.end_us).then_some(Piece { interval, covered: 0, above: gpus })
}

/// GPU-microseconds that reservations promised within a stretch, and those of them that could be used.
///
/// An outage counts against reserved GPUs first, up to their number, whichever GPU it is; against a reservation that
/// names its nodes only outages of these count, and they count against no other.
pub(crate) fn availability(
    reserved: &[Reserved],
    outages: &[GpuOutage],
    stretch: Interval,
) -> Option<(u128, u128)> {
    let named: BTreeSet<&String> = reserved.iter().flat_map(|one| &one.nodes).collect();
    let (free, bound): (Vec<&Reserved>, Vec<&Reserved>) =
        reserved.iter().partition(|one| one.nodes.is_empty());
    let mut groups: Vec<(Vec<&Reserved>, Vec<&GpuOutage>)> = bound
        .into_iter()
        .map(|one| (vec![one], outages.iter().filter(|outage| one.nodes.contains(&outage.node_id)).collect()))
        .collect();
    groups.push((free, outages.iter().filter(|outage| !named.contains(&outage.node_id)).collect()));
    let (mut promised, mut available) = (0_u128, 0_u128);
    for (reserved, outages) in groups {
        let mut edges = BTreeSet::from([stretch.start_us, stretch.end_us]);
        let bounds = reserved.iter().map(|one| one.interval);
        for bound in bounds.chain(outages.iter().map(|outage| outage.interval())) {
            edges.extend([bound.start_us, bound.end_us].into_iter().filter(|at_us| stretch.contains(*at_us)));
        }
        let edges: Vec<Micros> = edges.into_iter().collect();
        for pair in edges.windows(2) {
            let [start_us, end_us] = *pair else { continue };
            let at = reserved.iter().filter(|one| one.interval.contains(start_us));
            let gpus = at.fold(0_u64, |sum, one| sum.saturating_add(one.gpus));
            let down = outages.iter().filter(|outage| outage.interval().contains(start_us));
            let down = down.fold(0_u64, |sum, outage| sum.saturating_add(u64::from(outage.gpus)));
            let length = u128::from(end_us.abs_diff(start_us));
            promised = promised.checked_add(length.checked_mul(u128::from(gpus))?)?;
            available = available.checked_add(length.checked_mul(u128::from(gpus.saturating_sub(down)))?)?;
        }
    }
    Some((promised, available))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;
    const MONTH: Interval = Interval { start_us: 0, end_us: 744 * HOUR_US };

    fn span(id: &str, gpus: u32, start_h: i64, end_h: i64) -> GpuSpan {
        GpuSpan {
            allocation_id: id.to_owned(),
            device: String::new(),
            profile: String::new(),
            gpus,
            start_us: start_h * HOUR_US,
            end_us: (end_h < i64::MAX).then(|| end_h * HOUR_US),
        }
    }

    fn eight(nodes: &[&str]) -> Reserved {
        let interval = Interval { start_us: Micros::MIN, end_us: Micros::MAX };
        Reserved { interval, gpus: 8, nodes: nodes.iter().map(|node| (*node).to_owned()).collect() }
    }

    fn hours(spans: &[GpuSpan], reserved: &[Reserved]) -> Vec<(String, u128)> {
        let unit = u128::try_from(HOUR_US).unwrap();
        let found = allocated(spans, "", reserved, MONTH.end_us).unwrap();
        found.iter().map(|one| (one.key.0.to_owned(), one.units_above(unit, MONTH).unwrap())).collect()
    }

    #[test]
    fn the_allocations_that_began_first_are_covered_first() {
        // 6 from hour 0 on, 4 from hour 10 to 30, 1 from hour 20 to 40: 2 of the 4 are covered, and the 1 from 30 on.
        let spans = [span("c", 1, 20, 40), span("b", 4, 10, 30), span("a", 6, 0, i64::MAX)];
        let of = |id: &str, hours: u128| (id.to_owned(), hours);
        assert_eq!(hours(&spans, &[eight(&[])]), [of("a", 0), of("b", 2 * 20), of("c", 10)]);
        assert_eq!(hours(&spans, &[]), [of("a", 6 * 744), of("b", 4 * 20), of("c", 20)]);
        // Two reservations cover together.
        assert_eq!(hours(&spans, &[eight(&[]), eight(&[])]), [of("a", 0), of("b", 0), of("c", 0)]);
    }

    #[test]
    fn part_hours_are_split_exactly() {
        // 12 GPUs for half an hour above 8: 4 x 30 minutes.
        let mut spans = [span("a", 8, 0, 1), span("b", 4, 0, 1)];
        spans[1].end_us = Some(HOUR_US / 2);
        let found = allocated(&spans, "", &[eight(&[])], MONTH.end_us).unwrap();
        let exact = |gpus: fn(&Piece) -> u32| -> u128 {
            found.iter().map(|one| one.exact_us(MONTH, gpus).unwrap()).sum()
        };
        let half = u128::try_from(HOUR_US / 2).unwrap();
        assert_eq!((exact(|piece| piece.above), exact(|piece| piece.covered)), (4 * half, 16 * half));
        assert_eq!(found[1].units_above(half / 30, MONTH), Some(4 * 30));
    }

    #[test]
    fn an_outage_counts_against_what_was_promised() {
        // A node of 8 is down for ten hours; 16 are assigned, 8 of them reserved.
        let outage = |node: &str| GpuOutage {
            node_id: node.to_owned(),
            start_us: 5 * HOUR_US,
            end_us: 15 * HOUR_US,
            gpus: 8,
        };
        let hours = |(promised, available): (u128, u128)| {
            let hour = u128::try_from(HOUR_US).unwrap();
            (promised / hour, available / hour)
        };
        let of = |reserved: &[Reserved], outages: &[GpuOutage]| {
            hours(availability(reserved, outages, MONTH).unwrap())
        };
        assert_eq!(of(&[eight(&[])], &[outage("n1")]), (8 * 744, 8 * 734));
        assert_eq!(of(&[eight(&[])], &[outage("n1"), outage("n2")]), (8 * 744, 8 * 734));
        assert_eq!(of(&[eight(&["n2"])], &[outage("n1")]), (8 * 744, 8 * 744));
        assert_eq!(of(&[eight(&["n2"]), eight(&[])], &[outage("n2")]), (16 * 744, 16 * 744 - 80));
        assert_eq!(of(&[], &[outage("n1")]), (0, 0));
    }
}
