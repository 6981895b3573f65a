//! The figures of a node's GPUs: how many there were, how much was held and used of them, and their faults.

use wb_units::time::interval_start;
use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

use super::holdings::Held;
use super::{Figures, Record, Rules, Stand};
use crate::compare::{GpuTime, SampledGpuTime};
use crate::gpu::allocation::{Allocation, Share};
use crate::gpu::usage::{Use, faults, used};
use crate::report::{Aggregates, both, either};

/// The GPU time of a stand, and how much of it was held.
pub(super) fn add_stand(
    found: &mut Figures,
    stand: &Stand,
    record: &Record,
    allocations: &[Allocation],
    rules: &Rules,
) {
    let whole = stand.gpus.map(|gpus| {
        u128::from(Share::Whole { gpus }.parts())
            * u128::from(stand.interval.end_us.abs_diff(stand.interval.start_us))
    });
    found.sums.has_gpus = true;
    found.sums.gpu_available = both(found.sums.gpu_available, whole);
    for allocation in allocations {
        let whose = rules.whose.times_of(&allocation.account, &record.assigned).into_iter();
        let whose = whose.filter_map(|held| held.intersect(&stand.interval));
        let somebodys: u128 = whose.map(|part| allocation.held(part)).sum();
        found.sums.suspense_gpu += allocation.held(stand.interval).saturating_sub(somebodys);
        add_sold(found, allocation, stand.interval);
    }
}

/// What was held of a machine's GPUs in a time.
fn add_sold(found: &mut Figures, allocation: &Allocation, time: Interval) {
    found.sums.gpu_sold += allocation.held(time);
    let mut from_us = allocation.start_us.max(time.start_us);
    let to_us = allocation.end_us.unwrap_or(Micros::MAX).min(time.end_us);
    while from_us < to_us {
        let start_us = interval_start(from_us);
        let end_us = to_us.min(start_us.saturating_add(SETTLEMENT_INTERVAL_US));
        let held = allocation.held(Interval { start_us: from_us, end_us });
        *found.gpu_sold.entry(start_us).or_default() += held;
        from_us = end_us;
    }
}

/// What a customer's accounts held of a machine that was not the customer's.
pub(super) fn add_lent(found: &mut Figures, record: &Record, allocations: &[Allocation]) {
    for stand in &record.lent {
        found.sums.has_gpus = true;
        for allocation in allocations {
            add_sold(found, allocation, stand.interval);
        }
    }
}

/// The figures of a machine that was never the customer's: nothing but what its accounts held.
pub(super) fn of_lent(record: &Record, allocations: &[Allocation], rules: &Rules) -> Figures {
    let mut found = Figures { sums: Aggregates::nothing(rules.carve_outs.clone()), ..Figures::default() };
    found.sums.site_nj = None;
    add_lent(&mut found, record, allocations);
    found
}

/// How much of a stand's GPU time was used, by the GPUs' samples.
pub(super) fn add_use(sums: &mut Aggregates, stand: &Stand, uses: &[Use]) {
    let found = used(uses, stand.interval);
    if found.sampled > 0 {
        sums.gpu_utilised = either(sums.gpu_utilised, Some(found.utilised));
        sums.gpu_sampled += found.sampled;
    }
}

/// The faults of the time in which the machine stood at the site. Only those that began in that time are counted, so
/// that each is counted in one period.
pub(super) fn add_faults(found: &mut Figures, record: &Record, held: &[Allocation]) {
    let standing = |test: &dyn Fn(&Interval) -> bool| record.stands.iter().any(|stand| test(&stand.interval));
    found.faults = faults(&record.gpu_xids, held);
    found.faults.retain(|fault| {
        let interval = fault.interval();
        standing(&|stand| stand.intersect(&interval).is_some())
    });
    if !record.gpu_xids.is_empty() {
        let begun = found.faults.iter().filter(|fault| standing(&|stand| stand.contains(fault.start_us)));
        found.sums.gpu_faults = Some(u64::try_from(begun.count()).unwrap_or(u64::MAX));
    }
}

/// GPU time outside an allocation in the settlement intervals of its start and end.
fn at_edges(allocation: &Allocation, sampled: &[Interval]) -> u128 {
    let before_us = allocation.start_us - interval_start(allocation.start_us);
    let start = (allocation.start_us, before_us);
    let end = allocation.end_us.map(|end_us| {
        let over_us = end_us - interval_start(end_us);
        (end_us.saturating_sub(1), if over_us == 0 { 0 } else { SETTLEMENT_INTERVAL_US - over_us })
    });
    let spoken = [Some(start), end]
        .into_iter()
        .flatten()
        .filter(|(at_us, _)| sampled.iter().any(|interval| interval.contains(*at_us)));
    let outside_us: u128 = spoken.map(|(_, outside_us)| u128::from(outside_us.unsigned_abs())).sum();
    outside_us * u128::from(allocation.share.parts())
}

/// GPU time by its three witnesses, where there is anything to compare.
pub(super) fn time(record: &Record, held: &Held, rules: &Rules) -> Option<GpuTime> {
    let has_rows = !record.spans.is_empty();
    let sum = |of: &[Allocation], times: &[Interval]| -> u128 {
        of.iter().flat_map(|one| times.iter().map(|time| one.held(*time))).sum()
    };
    let stands: Vec<Interval> = record.stands.iter().map(|stand| stand.interval).collect();
    let mut sampled: Option<SampledGpuTime> = None;
    for stand in &stands {
        let found = used(&record.gpu_uses, *stand);
        if found.sampled == 0 {
            continue;
        }
        let of_stand = sampled.get_or_insert_default();
        of_stand.utilised += found.utilised;
        of_stand.allocated += sum(&held.accepted, &found.intervals);
        of_stand.at_edges += held.accepted.iter().map(|one| at_edges(one, &found.intervals)).sum::<u128>();
        if has_rows {
            let scheduled = of_stand.scheduled.get_or_insert_default();
            *scheduled += sum(&held.scheduled, &found.intervals);
        }
    }
    (has_rows || sampled.is_some()).then(|| GpuTime {
        allocated: sum(&held.accepted, &stands),
        scheduled: has_rows.then(|| sum(&held.scheduled, &stands)),
        sampled,
        scheduler_class_ppm: rules.scheduler_class_ppm,
        sampling_class_ppm: rules.sampling_class_ppm,
    })
}
