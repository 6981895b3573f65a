//! Dated prices: spot power, hashprice, fixings.
//!
//! A price takes effect at the first five-minute boundary at or after its instant. It holds until the next price of
//! its series takes effect, or until the boundary of its own end. Outside of that there is no price: none is carried
//! on after an end, and none is taken from a later time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wb_units::Micros;
use wb_units::time::{boundary_at_or_after, rfc3339};

use crate::error::PriceError;
use crate::exact::Exact;

/// A price as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceFact {
    /// The series, such as `ercot-west`.
    pub series: String,
    /// The instant from which it holds.
    pub valid_from_us: Micros,
    /// The instant until which it holds; open where there is none.
    pub valid_to_us: Option<Micros>,
    /// Its unit, such as `USD/MWh`.
    pub unit: String,
    /// Its decimal text; a price of power may be negative.
    pub value: String,
    /// Who published it.
    pub source: String,
    /// Its place in the record: of two prices of one instant, the greater holds.
    pub order: u64,
}

/// A price that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The price.
    pub value: Exact,
    /// Its decimal text as published.
    pub text: String,
    /// Its unit.
    pub unit: String,
    /// Who published it.
    pub source: String,
    /// The boundary from which it holds.
    pub from_us: Micros,
    to_us: Micros,
}

/// Why there is no price for an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Nothing was ever recorded for the series.
    Series,
    /// The instant is before the first price.
    Before,
    /// The last price before the instant had ended.
    Ended {
        /// When.
        at_us: Micros,
    },
    /// The last price before the instant is older than the contract allows.
    Old {
        /// From when it is.
        from_us: Micros,
    },
}

/// All prices, by series, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    series: BTreeMap<String, Vec<Price>>,
}

impl Prices {
    /// Puts prices in order; they may be given in any order.
    ///
    /// # Errors
    /// [`PriceError`] for a value that is no number, and for two different prices of one series, instant
    /// and place in the record.
    pub fn new(mut facts: Vec<PriceFact>) -> Result<Self, PriceError> {
        facts.sort_by(|left, right| {
            (&left.series, left.valid_from_us, left.order).cmp(&(
                &right.series,
                right.valid_from_us,
                right.order,
            ))
        });
        for pair in facts.windows(2) {
            let (left, right) = (&pair[0], &pair[1]);
            let same_place = (&left.series, left.valid_from_us, left.order)
                == (&right.series, right.valid_from_us, right.order);
            if same_place && left != right {
                return Err(PriceError::Conflict {
                    series: left.series.clone(),
                    first: format!("{} {}", left.value, left.unit),
                    second: format!("{} {}", right.value, right.unit),
                    at: rfc3339(left.valid_from_us),
                });
            }
        }
        let mut series: BTreeMap<String, Vec<Price>> = BTreeMap::new();
        for fact in facts {
            let value = Exact::decimal(&fact.value).map_err(|source| PriceError::Value {
                series: fact.series.clone(),
                value: fact.value.chars().take(64).collect(),
                at: rfc3339(fact.valid_from_us),
                source,
            })?;
            series.entry(fact.series).or_default().push(Price {
                value,
                text: fact.value,
                unit: fact.unit,
                source: fact.source,
                from_us: boundary_at_or_after(fact.valid_from_us),
                to_us: fact.valid_to_us.map_or(Micros::MAX, boundary_at_or_after),
            });
        }
        Ok(Self { series })
    }

    /// The price that holds at an instant, not older than `max_age_us` where that is given.
    ///
    /// # Errors
    /// [`Missing`], with the nearest price that there is.
    pub fn at(&self, series: &str, at_us: Micros, max_age_us: Option<i64>) -> Result<&Price, Missing> {
        let prices = self.series.get(series).ok_or(Missing::Series)?;
        let after = prices.partition_point(|price| price.from_us <= at_us);
        let price = after.checked_sub(1).and_then(|index| prices.get(index)).ok_or(Missing::Before)?;
        if price.to_us <= at_us {
            return Err(Missing::Ended { at_us: price.to_us });
        }
        if max_age_us.is_some_and(|age_us| at_us.saturating_sub(price.from_us) >= age_us) {
            return Err(Missing::Old { from_us: price.from_us });
        }
        Ok(price)
    }
}

impl Missing {
    /// As text that follows "has no price for INSTANT".
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Series => " (nothing is recorded for this series)".to_owned(),
            Self::Before => " (the first one holds later)".to_owned(),
            Self::Ended { at_us } => format!(" (the one before it ended at {})", rfc3339(*at_us)),
            Self::Old { from_us } => {
                format!(" (the one before it is of {}, older than the contract allows)", rfc3339(*from_us))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

    fn fact(valid_from_us: i64, valid_to_us: Option<i64>, value: &str, order: u64) -> PriceFact {
        PriceFact {
            series: "spot".to_owned(),
            valid_from_us,
            valid_to_us,
            unit: "USD/MWh".to_owned(),
            value: value.to_owned(),
            source: "test".to_owned(),
            order,
        }
    }

    #[test]
    fn a_price_holds_from_its_boundary_until_the_next_or_its_end() {
        let s = STEP_US;
        let facts = vec![
            fact(4 * s + 1, Some(6 * s), "-30.5", 2),
            fact(0, None, "10", 0),
            fact(2 * s, None, "20", 1),
            fact(2 * s, None, "21", 5),
        ];
        let mut reversed = facts.clone();
        reversed.reverse();
        let prices = Prices::new(facts).unwrap();
        assert_eq!(prices, Prices::new(reversed).unwrap());
        for (at_us, max_age_us, expected) in [
            (-1, None, Err(Missing::Before)),
            (0, None, Ok("10")),
            (2 * s - 1, None, Ok("10")),
            (2 * s, None, Ok("21")),
            (4 * s + 1, None, Ok("21")),
            (5 * s, None, Ok("-30.5")),
            (6 * s, None, Err(Missing::Ended { at_us: 6 * s })),
            (4 * s, Some(2 * s), Err(Missing::Old { from_us: 2 * s })),
            (4 * s - 1, Some(2 * s), Ok("21")),
        ] {
            let found = prices.at("spot", at_us, max_age_us).map(|price| price.text.as_str());
            assert_eq!(found, expected, "{at_us}");
        }
        assert_eq!(prices.at("other", 0, None), Err(Missing::Series));
    }

    #[test]
    fn conflicts_and_words_are_refused() {
        let conflict = vec![fact(0, None, "1", 0), fact(0, None, "2", 0)];
        assert_eq!(Prices::new(conflict).unwrap_err().code(), "WB-5131");
        assert!(Prices::new(vec![fact(0, None, "1", 0), fact(0, None, "1", 0)]).is_ok());
        assert_eq!(Prices::new(vec![fact(0, None, "free", 0)]).unwrap_err().code(), "WB-5130");
    }
}
