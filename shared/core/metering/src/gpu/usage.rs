//! GPU use by the GPUs' own samples: how much of their time they were used, and their faults.
//!
//! Use is a mean over a settlement interval with samples of a GPU or slice, and covers that interval; an interval
//! without a sample is not covered. It is counted as held time is, in microseconds x parts of a GPU: parts per
//! million of a GPU of 7,000,000 parts are whole parts, so nothing is rounded and an interval's parts add up to it.

use std::collections::{BTreeMap, BTreeSet};

use wb_units::time::SECOND_US;
use wb_units::{Interval, Micros};

use super::allocation::{Allocation, MigProfile, Share};
use crate::ratio::ONE_PPM;

/// A GPU, or a slice of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Device {
    /// The GPU's UUID or index; of a slice, its parent's.
    pub device: String,
    /// The slice's profile; empty for a whole GPU.
    pub profile: String,
    /// The slice's instance; empty for a whole GPU.
    pub instance: String,
}

impl Device {
    /// Its parts of a GPU; `None` for a profile of unknown size.
    #[must_use]
    pub fn parts(&self) -> Option<u64> {
        if self.instance.is_empty() {
            return Some(Share::Whole { gpus: 1 }.parts());
        }
        let profile = MigProfile::parse(&self.profile).ok()?;
        Some(Share::Mig { profile, instance: String::new() }.parts())
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.device)?;
        if self.instance.is_empty() {
            Ok(())
        } else {
            write!(formatter, "/{}/{}", self.profile, self.instance)
        }
    }
}

/// How much of an interval a GPU or slice was used, as the mean of its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The GPU or slice.
    pub device: Device,
    /// The settlement interval.
    pub interval: Interval,
    /// How much of it, in parts per million; more than all counts as all.
    pub used_ppm: u64,
}

/// Use within some time, in microseconds x parts of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Used {
    /// What was used.
    pub utilised: u128,
    /// The GPU time that samples cover, used or not.
    pub sampled: u128,
    /// The times with a sample of any GPU, in order.
    pub intervals: Vec<Interval>,
}

/// Adds up the use within a time. A divided GPU counts by its slices: where they have samples, its own are left out.
/// Of two samples for one device and interval, the first in order of use counts.
#[must_use]
pub fn used(uses: &[Use], within: Interval) -> Used {
    let mut by_place: BTreeMap<(Micros, &Device), &Use> = BTreeMap::new();
    let mut divided: BTreeSet<(Micros, &str)> = BTreeSet::new();
    for one in uses {
        let kept = by_place.entry((one.interval.start_us, &one.device)).or_insert(one);
        if (one.used_ppm, one.interval.end_us) < (kept.used_ppm, kept.interval.end_us) {
            *kept = one;
        }
        if !one.device.instance.is_empty() {
            divided.insert((one.interval.start_us, &one.device.device));
        }
    }
    let mut sum = Used::default();
    for ((start_us, device), one) in by_place {
        let is_parent = device.instance.is_empty() && divided.contains(&(start_us, &device.device));
        let (Some(parts), Some(time)) = (device.parts(), one.interval.intersect(&within)) else { continue };
        if is_parent {
            continue;
        }
        let held = u128::from(parts) * u128::from(time.end_us.abs_diff(time.start_us));
        sum.sampled += held;
        // Parts are a multiple of a million: this is exact.
        sum.utilised += held / u128::from(ONE_PPM) * u128::from(one.used_ppm.min(ONE_PPM));
        sum.intervals.push(time);
    }
    sum.intervals = Interval::union(sum.intervals);
    sum
}

/// The last fault that a device reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastXid {
    /// Which device.
    pub device: Device,
    /// When it was reported.
    pub at_us: Micros,
    /// The event's identity.
    pub id: [u8; 16],
    /// The fault's number; zero for none.
    pub xid: u64,
}

/// A fault of a GPU, from the sample that first showed it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The first sample with it; a fault in the very first sample may be older.
    pub start_us: Micros,
    /// The next sample without it, or the end of the allocation that held the GPU, whichever came first; `None` where
    /// neither came yet.
    pub end_us: Option<Micros>,
    /// Which device.
    pub device: Device,
    /// The fault's number.
    pub xid: u64,
}

impl Fault {
    /// How long it lasted in whole seconds, once it is over.
    #[must_use]
    pub fn duration_s(&self) -> Option<u64> {
        Some(self.end_us?.abs_diff(self.start_us) / SECOND_US.unsigned_abs())
    }

    /// The time of the fault; a fault that goes on has no end.
    #[must_use]
    pub fn interval(&self) -> Interval {
        Interval { start_us: self.start_us, end_us: self.end_us.unwrap_or(Micros::MAX) }
    }
}

/// The faults in devices' last values, in any order and with any repeats. The value stands until the driver is loaded
/// again, so a fault that ended a job is over for its holder when the job is. Samples that repeat the value of the
/// one before them may be left out.
#[must_use]
pub fn faults(said: &[LastXid], held: &[Allocation]) -> Vec<Fault> {
    let mut ordered: Vec<&LastXid> = said.iter().collect();
    ordered.sort_unstable();
    ordered.dedup_by(|after, before| (&after.device, after.at_us) == (&before.device, before.at_us));
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = ordered.get(at) {
        let next = ordered.iter().skip(at + 1);
        let same = next.take_while(|other| other.device == first.device && other.xid == first.xid).count();
        let after = ordered.get(at + 1 + same).filter(|other| other.device == first.device);
        if first.xid != 0 {
            let released_us = released(held, &first.device, first.at_us);
            let cleared_us = after.map(|after| after.at_us);
            let end_us = match (released_us, cleared_us) {
                (Some(released_us), Some(cleared_us)) => Some(released_us.min(cleared_us)),
                (known, None) | (None, known) => known,
            };
            found.push(Fault { start_us: first.at_us, end_us, device: first.device.clone(), xid: first.xid });
        }
        at += 1 + same;
    }
    found.sort_unstable();
    found
}

/// The end of the last allocation that held a device at an instant.
fn released(held: &[Allocation], device: &Device, at_us: Micros) -> Option<Micros> {
    let holds = |allocation: &&Allocation| {
        allocation.start_us <= at_us
            && allocation.end_us.is_none_or(|end_us| end_us > at_us)
            && (allocation.device.is_empty() || allocation.device == device.device)
    };
    held.iter()
        .filter(holds)
        .map(|allocation| allocation.end_us)
        .max_by_key(|end_us| end_us.unwrap_or(Micros::MAX))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SLOT: i64 = 300_000_000;

    fn whole(device: &str) -> Device {
        Device { device: device.to_owned(), ..Device::default() }
    }

    fn slice(device: &str, profile: &str, instance: &str) -> Device {
        Device { device: device.to_owned(), profile: profile.to_owned(), instance: instance.to_owned() }
    }

    fn in_slot(device: Device, slot: i64, used_ppm: u64) -> Use {
        Use { device, interval: Interval { start_us: slot * SLOT, end_us: (slot + 1) * SLOT }, used_ppm }
    }

    fn all() -> Interval {
        Interval { start_us: 0, end_us: 100 * SLOT }
    }

    #[test]
    fn a_divided_gpu_counts_by_its_slices() {
        let slot = u128::from(SLOT.unsigned_abs());
        let uses = [
            in_slot(whole("a"), 0, 500_000),
            in_slot(whole("a"), 1, 900_000),
            in_slot(slice("a", "2g.10gb", "3"), 1, 250_000),
            in_slot(slice("a", "1g.5gb", "7"), 1, 1_000_000),
            in_slot(slice("a", "odd", "8"), 1, 1_000_000),
            in_slot(whole("b"), 5, 2_000_000),
            in_slot(whole("b"), 5, 2_000_000),
        ];
        let found = used(&uses, all());
        assert_eq!(found.utilised, slot * (3_500_000 + 500_000 + 1_000_000 + 7_000_000));
        assert_eq!(found.sampled, slot * (7_000_000 + 3_000_000 + 7_000_000));
        let spoken = [(0, 2), (5, 6)].map(|(from, to)| Interval { start_us: from * SLOT, end_us: to * SLOT });
        assert_eq!(found.intervals, spoken);
        assert_eq!(used(&[], all()), Used::default());
    }

    fn said(device: &str, at_us: i64, xid: u64) -> LastXid {
        LastXid { device: whole(device), at_us, id: [0; 16], xid }
    }

    fn job(device: &str, start_us: i64, end_us: Option<i64>) -> Allocation {
        Allocation {
            start_us,
            end_us,
            allocation_id: "7".to_owned(),
            account: "a".to_owned(),
            node_id: "n".to_owned(),
            device: device.to_owned(),
            share: Share::Whole { gpus: 1 },
        }
    }

    fn shown(faults: &[Fault]) -> Vec<(&str, u64, i64, Option<i64>)> {
        let one = |fault: &Fault| (fault.xid, fault.start_us, fault.end_us);
        faults
            .iter()
            .map(|fault| {
                let (xid, start_us, end_us) = one(fault);
                (fault.device.device.as_str(), xid, start_us, end_us)
            })
            .collect()
    }

    #[test]
    fn a_fault_lasts_until_a_sample_without_it_or_the_end_of_what_held_the_gpu() {
        let said = [
            said("b", 15, 31),
            said("a", 40, 0),
            said("a", 10, 0),
            said("a", 20, 79),
            said("a", 30, 79),
            said("a", 20, 79),
            said("a", 50, 79),
            said("a", 60, 48),
        ];
        let found = faults(&said, &[]);
        let expected =
            [("b", 31, 15, None), ("a", 79, 20, Some(40)), ("a", 79, 50, Some(60)), ("a", 48, 60, None)];
        assert_eq!(shown(&found), expected);
        // A job on the whole node, one on another GPU, and one that was over before.
        let held = [job("", 0, Some(35)), job("b", 0, Some(70)), job("", 0, Some(12))];
        let expected =
            [("b", 31, 15, Some(70)), ("a", 79, 20, Some(35)), ("a", 79, 50, Some(60)), ("a", 48, 60, None)];
        assert_eq!(shown(&faults(&said, &held)), expected);
        assert_eq!(shown(&faults(&said, &[job("", 0, None)]))[0], ("b", 31, 15, None));
    }

    proptest! {
        #[test]
        fn use_split_anywhere_adds_up_in_any_order(
            mut uses in prop::collection::vec((0_i64..6, 0_usize..4, 0_u64..1_200_000), 0..40),
            mut cuts in prop::collection::vec(0_i64..7 * SLOT, 2..6),
        ) {
            let devices = [whole("a"), whole("b"), slice("a", "1g.5gb", "1"), slice("b", "3g.20gb", "2")];
            let made = |uses: &[(i64, usize, u64)]| -> Vec<Use> {
                uses.iter().map(|(slot, device, ppm)| in_slot(devices[*device].clone(), *slot, *ppm)).collect()
            };
            let forwards = made(&uses);
            uses.reverse();
            let backwards = made(&uses);
            cuts.sort_unstable();
            let of = |uses: &[Use], start_us, end_us| {
                let found = used(uses, Interval { start_us, end_us });
                (found.utilised, found.sampled)
            };
            let parts = cuts.windows(2).map(|cut| of(&forwards, cut[0], cut[1]));
            let sum = parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            prop_assert_eq!(sum, of(&backwards, cuts[0], cuts[cuts.len() - 1]));
        }
    }
}
