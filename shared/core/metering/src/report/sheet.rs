//! A report as it is shown: its terms with their changes, its energy by witness, the comparisons of its witnesses,
//! and what is not known.

use wb_units::time::interval_start;
use wb_units::{Currency, Interval, Micros};

use super::machine::Rules;
use super::site::{MachineFault, SiteReport};
use super::sources::Sources;
use super::truth::Comparison;
use super::{TermChange, changes, terms};
use crate::energy::witness::Witness;

/// Energy by one witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessShare {
    /// The witness.
    pub witness: Witness,
    /// Its energy in nanojoules.
    pub energy_nj: u128,
    /// Its part of all energy, in parts per million that sum to one.
    pub share_ppm: u64,
}

/// A report, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The figures, in the order in which they are shown.
    pub terms: Vec<TermChange>,
    /// Energy by witness, the best one first; those without any are left out.
    pub witnesses: Vec<WitnessShare>,
    /// Witnesses beside each other: those of the whole, then those of single machines.
    pub comparisons: Vec<Comparison>,
    /// Faults of GPUs, in order of time.
    pub faults: Vec<MachineFault>,
    /// What was expected of the sources and came.
    pub sources: Sources,
    /// The currency of the terms in minor units.
    pub currency: Option<Currency>,
    /// What is not known or was refused, as text.
    pub notes: Vec<String>,
}

impl Sheet {
    /// Puts a period's report beside the one of the period before, where there is one.
    #[must_use]
    pub fn new(
        report: &SiteReport,
        period: Interval,
        before: Option<(&SiteReport, Interval)>,
        rules: &Rules,
    ) -> Self {
        let earlier = before.map(|(report, period)| terms(&report.sums, period)).unwrap_or_default();
        let shares = report.witness_shares_ppm();
        let witnesses =
            Witness::ALL.into_iter().zip(report.by_witness_nj).filter_map(|(witness, energy_nj)| {
                let (_, share_ppm) = *shares.iter().find(|(of, _)| *of == witness)?;
                Some(WitnessShare { witness, energy_nj, share_ppm })
            });
        let (of_whole, of_machines): (Vec<_>, Vec<_>) =
            report.comparisons.iter().cloned().partition(|comparison| comparison.machine_id.is_none());
        let mut comparisons = report.truth.comparisons(rules);
        comparisons.extend(of_whole);
        comparisons.extend(of_machines);
        Self {
            terms: changes(terms(&report.sums, period), &earlier),
            witnesses: witnesses.collect(),
            comparisons,
            faults: report.faults.clone(),
            sources: report.sources.clone(),
            currency: report.currency,
            notes: report.notes.clone(),
        }
    }
}

/// The part of a period that can be known: until the settlement boundary at or before now. `None` where the period
/// has not begun.
#[must_use]
pub fn known_part(period: Interval, now_us: Micros) -> Option<Interval> {
    let end_us = period.end_us.min(interval_start(now_us));
    (period.start_us < end_us).then_some(Interval { start_us: period.start_us, end_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_that_goes_on_ends_at_the_last_boundary() {
        let step = wb_units::SETTLEMENT_INTERVAL_US;
        let period = Interval { start_us: 2 * step, end_us: 10 * step };
        let until = |now_us| known_part(period, now_us).map(|part| part.end_us / step);
        assert_eq!((until(2 * step + 1), until(3 * step), until(5 * step + 1)), (None, Some(3), Some(5)));
        assert_eq!((until(0), until(99 * step)), (None, Some(10)));
    }
}
