//! Dated prices in a report: the cost of energy, and the worth of bitcoin and GPU time.

use ruint::aliases::U512;
use wb_units::decimal::{self, Excess};
use wb_units::rounding::div_half_even;
use wb_units::{Currency, Interval, Micros};

use crate::energy::witness::NJ_PER_WH;
use crate::gpu::allocation::WHOLE_GPU;

/// Decimal places of a price that are kept.
const PLACES: u32 = 12;

/// What a price is for, in the unit that a report counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Energy, counted in nanojoules.
    Energy,
    /// Bitcoin, counted in satoshi.
    Bitcoin,
    /// GPU time, counted in microseconds x parts of a GPU.
    GpuHour,
}

impl Per {
    /// How much of the counted unit a price's unit stands for.
    fn size(self, unit: &str) -> Option<u128> {
        match (self, unit) {
            (Self::Energy, "kWh") => Some(NJ_PER_WH * 1_000),
            (Self::Energy, "MWh") => Some(NJ_PER_WH * 1_000_000),
            (Self::Bitcoin, "BTC") => Some(100_000_000),
            (Self::GpuHour, "GPU-hour") => Some(u128::from(WHOLE_GPU) * 3_600_000_000),
            _ => None,
        }
    }
}

/// A price from one instant to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Price {
    interval: Interval,
    /// In units of 10^-12 of the currency.
    value_e12: i128,
    size: u128,
}

/// A series of prices in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    currency: Currency,
    per: Per,
    prices: Vec<Price>,
}

impl Prices {
    /// Reads a series given as (interval, unit, value), in order of time and not overlapping.
    ///
    /// # Errors
    /// Which price cannot be used, and why, as text.
    pub fn read<'a>(
        per: Per,
        given: impl IntoIterator<Item = (Interval, &'a str, &'a str)>,
    ) -> Result<Option<Self>, String> {
        let mut found: Option<Self> = None;
        for (interval, unit, value) in given {
            let read = || {
                let (currency, of) = unit.split_once('/')?;
                Some((Currency::from_code(currency).ok()?, per.size(of)?))
            };
            let Some((currency, size)) = read() else {
                return Err(format!("the unit {unit:?} of a price is none of what it prices"));
            };
            let value_e12 = decimal::parse(value, PLACES, Excess::Refuse)
                .map_err(|error| format!("the price {value:?} cannot be used: {error}"))?;
            let series = found.get_or_insert_with(|| Self { currency, per, prices: Vec::new() });
            if series.currency != currency {
                return Err("the prices of a series are in two currencies".to_owned());
            }
            series.prices.push(Price { interval, value_e12, size });
        }
        Ok(found)
    }

    /// Its currency.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// What it prices.
    #[must_use]
    pub fn per(&self) -> Per {
        self.per
    }

    fn at(&self, at_us: Micros) -> Option<&Price> {
        let after = self.prices.partition_point(|price| price.interval.end_us <= at_us);
        self.prices.get(after).filter(|price| price.interval.contains(at_us))
    }

    /// What amounts are worth, each at the price of its instant, in minor units, rounded once; `None` where an amount
    /// has no price.
    #[must_use]
    pub fn worth(&self, amounts: impl IntoIterator<Item = (Micros, u128)>) -> Option<i128> {
        // Sums by unit share one denominator: amount x price over size, for the few sizes there are.
        let (mut above, mut below) = (U512::ZERO, U512::ZERO);
        let common = self.prices.iter().map(|price| price.size).max()?;
        for (at_us, amount) in amounts {
            if amount == 0 {
                continue;
            }
            let price = self.at(at_us)?;
            // Sizes of one kind are multiples of each other.
            let value = U512::from(amount)
                .checked_mul(U512::from(price.value_e12.unsigned_abs()))?
                .checked_mul(U512::from(common / price.size))?;
            let sum = if price.value_e12 < 0 { &mut below } else { &mut above };
            *sum = sum.checked_add(value)?;
        }
        let negative = below > above;
        let size = if negative { below - above } else { above - below };
        let minor = U512::from(10_u128.pow(self.currency.scale()));
        let denominator = U512::from(common).checked_mul(U512::from(10_u128.pow(PLACES)))?;
        div_half_even(size.checked_mul(minor)?, denominator, negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(start: i64, end: i64) -> Interval {
        Interval { start_us: start * 3_600_000_000, end_us: end * 3_600_000_000 }
    }

    #[test]
    fn energy_is_worth_its_hours_price_and_rounded_once() {
        let given = [(hours(0, 1), "USD/MWh", "31.5"), (hours(1, 2), "USD/kWh", "-0.012")];
        let prices = Prices::read(Per::Energy, given).unwrap().unwrap();
        let mwh = NJ_PER_WH * 1_000_000;
        let at = |hour: i64| hour * 3_600_000_000;
        assert_eq!(prices.worth([(at(0), 2 * mwh)]), Some(6_300));
        assert_eq!(prices.worth([(at(0), 2 * mwh), (at(1), mwh)]), Some(5_100));
        assert_eq!(prices.worth([(at(1), mwh)]), Some(-1_200));
        assert_eq!(prices.worth([(at(2), 1)]), None, "an hour without a price is not free");
        assert_eq!(prices.worth([(at(2), 0)]), Some(0));
        // A cent is 1/3150 MWh: two thirds of one and another two thirds are a cent and a third.
        let part = mwh * 2 / 9_450;
        assert_eq!(prices.worth([(at(0), part), (at(0) + 1, part)]), Some(1));
    }

    #[test]
    fn prices_that_cannot_be_used_are_told() {
        let read = |per, unit, value| Prices::read(per, [(hours(0, 1), unit, value)]);
        assert!(read(Per::Energy, "USD/MWh", "1").is_ok());
        assert!(read(Per::Bitcoin, "USD/BTC", "64000.25").is_ok());
        for (per, unit, value) in [
            (Per::Energy, "USD/BTC", "1"),
            (Per::Energy, "USD", "1"),
            (Per::Energy, "QQQ/kWh", "1"),
            (Per::GpuHour, "USD/GPU-hour", "two"),
        ] {
            assert!(read(per, unit, value).is_err(), "{unit} {value}");
        }
        let mixed = [(hours(0, 1), "USD/kWh", "1"), (hours(1, 2), "EUR/kWh", "1")];
        assert!(Prices::read(Per::Energy, mixed).is_err());
        assert_eq!(Prices::read(Per::Energy, []), Ok(None));
    }
}
