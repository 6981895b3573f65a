//! Fee by proven hashrate, in bitcoin or any currency, at a fixed price or indexed to hashprice.
//!
//! ```text
//! PH/s x days = sum of credited_q32 on the main chain x 65536 / 65535 / (10^15 x 86400)
//! fixed       amount = half_even(PH/s x days x price)
//! indexed     amount = half_even( sum over intervals of  PH/s x days x hashprice at its start x percent / 100 )
//! ```
//!
//! Indexed, the work by interval must add up to the accepted work, chain by chain.

use crate::components::common::{by_instant, by_price, main_q32, max_age_us, per, ph_days};
use crate::components::pool_earnings::EARNING_CHAIN;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};

/// The unit of hashrate over time in prices.
const PH_DAY: &str = "PH/s/day";

/// Terms of a hashrate fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The price of a PH/s over a day.
    pub price: FeePrice,
}

/// The price of a PH/s over a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeePrice {
    /// Fixed in the contract.
    Fixed(Decimal),
    /// A percentage of a dated hashprice.
    Indexed {
        /// The series of hashprices.
        series: String,
        /// How much of it.
        percent: Decimal,
        /// How old a hashprice may be.
        max_age_us: Option<i64>,
    },
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        fields.unit("unit", &[per(head.currency, PH_DAY)])?;
        let price = if fields.exactly_one(&["unit_price", "series"])? == "unit_price" {
            FeePrice::Fixed(fields.price("unit_price")?)
        } else {
            FeePrice::Indexed {
                series: fields.id("series")?,
                percent: fields.percent("percent")?,
                max_age_us: max_age_us(fields)?,
            }
        };
        Ok(Self { head, price })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let quantity = main_q32(scope).and_then(ph_days).ok_or_else(|| scope.overflow("work"))?;
        let unit = per(self.head.currency, PH_DAY);
        let (amount, inputs, price) = match &self.price {
            FeePrice::Fixed(price) => {
                let amount = quantity.times(price.value).ok_or_else(|| scope.overflow("amount"))?;
                (amount, Vec::new(), format!("{} {unit}", price.text))
            }
            FeePrice::Indexed { series, percent, max_age_us } => {
                let (full, inputs) = self.indexed(scope, series, *max_age_us, &unit)?;
                let amount = full.percent(percent.value).ok_or_else(|| scope.overflow("amount"))?;
                (amount, inputs, format!("{} percent of {series} {unit}", percent.text))
            }
        };
        let draft = Draft {
            description: "Fee by proven hashrate".to_owned(),
            quantity,
            unit: PH_DAY.to_owned(),
            formula: format!("sum of credited_q32 on chain main x 65536 / 65535 / (10^15 x 86400) x {price}"),
            unit_price: price,
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "hashrate_fee", draft)?])
    }

    fn indexed(
        &self,
        scope: &Scope<'_>,
        series: &str,
        max_age_us: Option<i64>,
        unit: &str,
    ) -> Result<(Exact, Vec<Input>), RatingError> {
        scope.usage.check_work_slices(scope.stretch()?).map_err(|error| scope.refused(error))?;
        let wide = || scope.overflow("work");
        let earning = scope.usage.work_slices.iter().filter(|slice| slice.chain == EARNING_CHAIN);
        let slices = earning.map(|slice| (slice.start_us, slice.credited_q32));
        let slices = by_instant(slices).ok_or_else(wide)?;
        let parts = by_price(scope, (series, unit, max_age_us), slices, "work")?;
        let mut amount = Exact::ZERO;
        let mut inputs = Vec::with_capacity(parts.len());
        for priced in parts {
            let part = ph_days(priced.quantity).and_then(|days| days.times(priced.value));
            amount = part.and_then(|part| amount.plus(part)).ok_or_else(|| scope.overflow("amount"))?;
            let mut listed = input([
                ("hashprice", priced.text.to_owned()),
                ("source", priced.source.to_owned()),
                ("credited_q32", priced.quantity.to_string()),
            ]);
            priced.evidence(series, &mut listed);
            inputs.push(listed);
        }
        Ok((amount, inputs))
    }
}
