//! A site's meters against the sum of its machines: measured PUE and loss.

use crate::ratio::ppm;

/// What the site took in against what its machines account for, over the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciliation {
    /// By the site's meters, in nanojoules.
    pub site_nj: u128,
    /// By the machines' best witnesses, in nanojoules.
    pub machines_nj: u128,
    /// What no machine accounts for; negative where they claim more than came in.
    pub overhead_nj: i128,
    /// Power usage effectiveness, site over machines; `None` where the machines have none.
    pub pue_ppm: Option<u64>,
    /// The part of the site's energy that no machine accounts for; `None` where the machines claim
    /// more than came in.
    pub loss_ppm: Option<u64>,
    /// The part of the machines' energy that a meter or PDU measured: how far the PUE is measured.
    pub measured_ppm: Option<u64>,
}

/// Reconciles amounts of one period. `measured_nj` is the part of `machines_nj` whose witness is a
/// meter or PDU.
#[must_use]
pub fn reconcile(site_nj: u128, machines_nj: u128, measured_nj: u128) -> Reconciliation {
    let size = i128::try_from(site_nj.abs_diff(machines_nj)).unwrap_or(i128::MAX);
    let is_short = site_nj < machines_nj;
    Reconciliation {
        site_nj,
        machines_nj,
        overhead_nj: if is_short { -size } else { size },
        pue_ppm: ppm(site_nj, machines_nj),
        loss_ppm: if is_short { None } else { ppm(site_nj - machines_nj, site_nj) },
        measured_ppm: ppm(measured_nj, machines_nj),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pue_and_loss_are_integers() {
        let usual = reconcile(1_060, 1_000, 971);
        assert_eq!((usual.pue_ppm, usual.loss_ppm), (Some(1_060_000), Some(56_604)));
        assert_eq!((usual.overhead_nj, usual.measured_ppm), (60, Some(971_000)));
        let short = reconcile(900, 1_000, 0);
        assert_eq!((short.pue_ppm, short.loss_ppm, short.overhead_nj), (Some(900_000), None, -100));
        assert_eq!(reconcile(5, 0, 0).pue_ppm, None);
        assert_eq!(reconcile(0, 0, 0).loss_ppm, None);
    }
}
