//! The customer's share of what curtailed energy earned.
//!
//! ```text
//! credit = half_even( sum over intervals of curtailed_mwh x (market price - strike) x share percent / 100 )
//! ```
//!
//! The market price is that of its series at the start of each five-minute interval. An interval whose market price
//! is under the strike counts as it is (`count`) or as zero (`zero`), as the contract states. The line is negative:
//! it is a credit.

use crate::components::common::{by_instant, by_price, max_age_us, per};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Thousandths of a watt-hour in a megawatt-hour.
const MWH_PER_MEGAWATT_HOUR: u128 = 1_000_000_000;

/// Terms of a curtailment share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The series of market prices.
    pub series: String,
    /// What the energy would have cost, per megawatt-hour.
    pub strike: Decimal,
    /// The customer's share.
    pub share_percent: Decimal,
    /// Whether a market price under the strike reduces the credit.
    pub counts_negative: bool,
    /// How old a market price may be.
    pub max_age_us: Option<i64>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        fields.unit("unit", &[per(head.currency, "MWh")])?;
        Ok(Self {
            series: fields.id("series")?,
            strike: fields.decimal("strike")?,
            share_percent: fields.percent("share_percent")?,
            counts_negative: fields.word("negative_spread", &["zero", "count"])? == "count",
            max_age_us: max_age_us(fields)?,
            head,
        })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("curtailed energy");
        scope.usage.check_curtailed(scope.stretch()?).map_err(|error| scope.refused(error))?;
        let unit = per(self.head.currency, "MWh");
        let slices = scope.usage.curtailed.iter().map(|slice| (slice.start_us, slice.curtailed_mwh));
        let slices = by_instant(slices).ok_or_else(wide)?;
        let parts = by_price(scope, (&self.series, &unit, self.max_age_us), slices, "curtailed energy")?;
        let (mut quantity, mut value) = (Exact::ZERO, Exact::ZERO);
        let mut inputs = Vec::with_capacity(parts.len());
        for priced in parts {
            let megawatt_hours = Exact::ratio(priced.quantity, MWH_PER_MEGAWATT_HOUR).ok_or_else(wide)?;
            let mut spread = priced.value.minus(self.strike.value).ok_or_else(wide)?;
            if spread.is_negative() && !self.counts_negative {
                spread = Exact::ZERO;
            }
            quantity = quantity.plus(megawatt_hours).ok_or_else(wide)?;
            value = spread.times(megawatt_hours).and_then(|part| value.plus(part)).ok_or_else(wide)?;
            let mut listed = input([
                ("price", priced.text.to_owned()),
                ("source", priced.source.to_owned()),
                ("curtailed_megawatt_hours", megawatt_hours.to_string()),
                ("spread", spread.to_string()),
            ]);
            priced.evidence(&self.series, &mut listed);
            inputs.push(listed);
        }
        let credit = value.percent(self.share_percent.value).ok_or_else(|| scope.overflow("amount"))?;
        let draft = Draft {
            description: "Share of the value of curtailed energy".to_owned(),
            quantity,
            unit: "MWh".to_owned(),
            unit_price: format!(
                "{} - {} {unit}, {} percent",
                self.series, self.strike.text, self.share_percent.text
            ),
            formula: format!(
                "-(sum of curtailed MWh x {}({} - {} {unit})) x {} / 100",
                if self.counts_negative { "" } else { "max 0 of " },
                self.series,
                self.strike.text,
                self.share_percent.text
            ),
            amount: credit.negated(),
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "curtailment_share", draft)?])
    }
}
