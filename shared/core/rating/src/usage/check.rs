//! Refuses usage that contradicts itself before it reaches a line.

use std::collections::BTreeMap;

use wb_units::time::{interval_start, rfc3339};
use wb_units::{Interval, Micros};

use super::Usage;
use crate::error::UsageError;

impl Usage {
    /// Checks that interval energy is on the grid, inside the stretch and equal to the metered energy.
    pub(crate) fn check_energy_slices(&self, stretch: Interval) -> Result<(), UsageError> {
        check_places("energy", self.energy_slices.iter().map(|slice| slice.start_us), stretch)?;
        let by_interval = add(self.energy_slices.iter().map(|slice| slice.energy_mwh));
        let by_group = add(self.energy.iter().map(|group| group.energy_mwh));
        equal("energy in mWh", by_interval, by_group)
    }

    /// Checks the same of work, chain by chain.
    pub(crate) fn check_work_slices(&self, stretch: Interval) -> Result<(), UsageError> {
        check_places("work", self.work_slices.iter().map(|slice| slice.start_us), stretch)?;
        let mut chains: BTreeMap<&str, (Option<u128>, Option<u128>)> = BTreeMap::new();
        for slice in &self.work_slices {
            let sums = chains.entry(&slice.chain).or_insert((Some(0), Some(0)));
            sums.0 = sums.0.and_then(|sum| sum.checked_add(slice.credited_q32));
        }
        for group in &self.work {
            let sums = chains.entry(&group.chain).or_insert((Some(0), Some(0)));
            sums.1 = sums.1.and_then(|sum| sum.checked_add(group.credited_q32));
        }
        chains.into_iter().try_for_each(|(chain, (by_interval, by_group))| {
            equal(&format!("work on {chain} in q32"), by_interval, by_group)
        })
    }

    /// Checks that curtailed energy is on the grid and inside the stretch.
    pub(crate) fn check_curtailed(&self, stretch: Interval) -> Result<(), UsageError> {
        check_places("curtailed energy", self.curtailed.iter().map(|slice| slice.start_us), stretch)
    }

    /// Checks that no machine ran longer, or was left out for longer, than it was to run.
    pub(crate) fn check_uptime(&self) -> Result<(), UsageError> {
        for group in &self.uptime {
            if group.up_us.checked_add(group.left_out_us).is_none_or(|sum_us| sum_us > group.expected_us) {
                return Err(UsageError::Contradiction {
                    what: format!("the uptime of machine {}", group.machine_id),
                    detail: format!(
                        "it ran for {} us and was left out for {} us of {} us",
                        group.up_us, group.left_out_us, group.expected_us
                    ),
                });
            }
        }
        Ok(())
    }

    /// Checks that machines did not operate for longer than they were assigned.
    pub(crate) fn check_fleet(&self) -> Result<(), UsageError> {
        match self.fleet.iter().find(|group| group.operational_us > group.assigned_us) {
            None => Ok(()),
            Some(group) => Err(UsageError::Contradiction {
                what: format!("the operation of machines of {} mW", group.rated_power_mw),
                detail: format!(
                    "{} machine-us operational of {} assigned",
                    group.operational_us, group.assigned_us
                ),
            }),
        }
    }

    /// Checks that no GPU was available for longer than promised.
    pub(crate) fn check_availability(&self) -> Result<(), UsageError> {
        match self.gpu_availability.iter().find(|group| group.available_us > group.promised_us) {
            None => Ok(()),
            Some(group) => Err(UsageError::Contradiction {
                what: format!("the availability of {}", group.node_id),
                detail: format!("{} GPU-us available of {} promised", group.available_us, group.promised_us),
            }),
        }
    }

    /// Checks that payments lie inside the stretch.
    pub(crate) fn check_receipts(&self, stretch: Interval) -> Result<(), UsageError> {
        match self.receipts.iter().find(|receipt| !stretch.contains(receipt.at_us)) {
            None => Ok(()),
            Some(receipt) => Err(UsageError::Contradiction {
                what: format!("the payment of {}", rfc3339(receipt.at_us)),
                detail: "it lies outside the stretch that is rated".to_owned(),
            }),
        }
    }
}

fn check_places(
    what: &str,
    starts_us: impl Iterator<Item = Micros>,
    stretch: Interval,
) -> Result<(), UsageError> {
    for start_us in starts_us {
        let off_grid = interval_start(start_us) != start_us;
        if off_grid || !stretch.contains(start_us) {
            let detail = if off_grid {
                "that is no five-minute boundary"
            } else {
                "that lies outside the stretch that is rated"
            };
            return Err(UsageError::Contradiction {
                what: format!("{what} of the interval from {}", rfc3339(start_us)),
                detail: detail.to_owned(),
            });
        }
    }
    Ok(())
}

fn add(mut values: impl Iterator<Item = u128>) -> Option<u128> {
    values.try_fold(0_u128, u128::checked_add)
}

fn equal(what: &str, by_interval: Option<u128>, by_group: Option<u128>) -> Result<(), UsageError> {
    if by_interval.is_some() && by_interval == by_group {
        return Ok(());
    }
    let words =
        |sum: Option<u128>| sum.map_or_else(|| "more than 128 bits".to_owned(), |sum| sum.to_string());
    Err(UsageError::Unequal {
        what: what.to_owned(),
        by_interval: words(by_interval),
        by_group: words(by_group),
    })
}
