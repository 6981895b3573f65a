//! Where a site's energy comes from: dated facts of its mix, applied to its energy by interval.

use wb_units::Interval;
use wb_units::rounding::split_largest_remainder;

use crate::counters::until;
use crate::energy::witness::{Piece, Witnessed};
use crate::ratio::{ONE_PPM, ppm};

/// A source of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The grid, whatever its sources.
    Grid,
    /// Solar at the site.
    Solar,
    /// Wind at the site.
    Wind,
    /// Water at the site.
    Hydro,
    /// Gas at the site, flared or piped.
    Gas,
}

impl Source {
    /// All sources, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Grid, Self::Solar, Self::Wind, Self::Hydro, Self::Gas];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Solar => "solar",
            Self::Wind => "wind",
            Self::Hydro => "hydro",
            Self::Gas => "gas",
        }
    }

    /// The source of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// A site's mix from one instant to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixFact {
    /// When it holds.
    pub interval: Interval,
    /// Each source's part, in parts per million that sum to one, in the order of [`Source::ALL`].
    pub parts_ppm: [u64; 5],
    /// Of the grid's energy, what is renewable, in parts per million.
    pub grid_renewable_ppm: u64,
}

impl MixFact {
    /// Whether the parts are the whole, and the grid's renewable part no more than all of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts_ppm.iter().try_fold(0_u64, |sum, part| sum.checked_add(*part)) == Some(ONE_PPM)
            && self.grid_renewable_ppm <= ONE_PPM
    }
}

/// Energy by source; adds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EnergyMix {
    /// Nanojoules by source, in the order of [`Source::ALL`].
    pub by_source_nj: [u128; 5],
    /// Of the grid's, what is renewable.
    pub grid_renewable_nj: u128,
    /// Energy in times for which no mix is known.
    pub unknown_nj: u128,
}

impl EnergyMix {
    /// Adds another's energy.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in self.by_source_nj.iter_mut().zip(other.by_source_nj) {
            *sum += part;
        }
        self.grid_renewable_nj += other.grid_renewable_nj;
        self.unknown_nj += other.unknown_nj;
    }

    /// The sources that gave energy.
    pub fn sources(&self) -> impl Iterator<Item = (Source, u128)> {
        Source::ALL.into_iter().zip(self.by_source_nj).filter(|(_, energy_nj)| *energy_nj > 0)
    }

    /// All energy.
    #[must_use]
    pub fn total_nj(&self) -> u128 {
        self.by_source_nj.iter().sum::<u128>() + self.unknown_nj
    }

    /// The renewable part of all energy: solar, wind, water, and the grid's own renewable part. Energy of unknown
    /// source counts as not renewable.
    #[must_use]
    pub fn renewable_ppm(&self) -> Option<u64> {
        let [_, solar, wind, hydro, _] = self.by_source_nj;
        ppm(solar + wind + hydro + self.grid_renewable_nj, self.total_nj())
    }
}

/// Splits energy by the mix of its time. The facts are in order of time and do not overlap; a fact whose parts do not
/// sum to the whole is ignored.
#[must_use]
pub fn split(quantities: &[Witnessed], facts: &[MixFact]) -> EnergyMix {
    let mut mix = EnergyMix::default();
    for quantity in quantities {
        let whole = Piece {
            interval: quantity.interval,
            energy_nj: quantity.energy_nj,
            is_timing_estimated: quantity.is_timing_estimated,
        };
        let mut known_nj = 0;
        for fact in facts.iter().filter(|fact| fact.is_whole()) {
            let Some(part) = fact.interval.intersect(&whole.interval) else { continue };
            let energy_nj = until(whole.energy_nj, &whole.interval, part.end_us)
                - until(whole.energy_nj, &whole.interval, part.start_us);
            let weights = fact.parts_ppm.map(u128::from);
            let Some(parts) = split_largest_remainder(energy_nj, &weights) else { continue };
            for (sum, part) in mix.by_source_nj.iter_mut().zip(&parts) {
                *sum += part;
            }
            let grid_nj = parts.first().copied().unwrap_or(0);
            mix.grid_renewable_nj += grid_nj * u128::from(fact.grid_renewable_ppm) / u128::from(ONE_PPM);
            known_nj += energy_nj;
        }
        mix.unknown_nj += whole.energy_nj - known_nj;
    }
    mix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::witness::Witness;

    fn quantity(start_us: i64, end_us: i64, energy_nj: u128) -> Witnessed {
        let interval = Interval { start_us, end_us };
        Witnessed { interval, energy_nj, witness: Witness::Meter, is_timing_estimated: false }
    }

    #[test]
    fn energy_is_split_by_the_mix_of_its_time() {
        let facts = [
            MixFact {
                interval: Interval { start_us: 0, end_us: 100 },
                parts_ppm: [600_000, 300_000, 100_000, 0, 0],
                grid_renewable_ppm: 250_000,
            },
            MixFact {
                interval: Interval { start_us: 100, end_us: 200 },
                parts_ppm: [0, 0, 0, 0, ONE_PPM],
                grid_renewable_ppm: 0,
            },
        ];
        let mix = split(&[quantity(0, 200, 2_000), quantity(200, 300, 1_000)], &facts);
        assert_eq!(mix.by_source_nj, [600, 300, 100, 0, 1_000]);
        assert_eq!((mix.grid_renewable_nj, mix.unknown_nj, mix.total_nj()), (150, 1_000, 3_000));
        assert_eq!(mix.renewable_ppm(), Some(183_333));
        let broken = MixFact { parts_ppm: [1, 0, 0, 0, 0], ..facts[0].clone() };
        assert_eq!(split(&[quantity(0, 100, 7)], &[broken]).unknown_nj, 7);
    }
}
