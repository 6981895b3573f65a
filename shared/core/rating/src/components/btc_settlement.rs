//! Settlement in bitcoin at a named fixing.
//!
//! ```text
//! from = -(sum of billed amounts of the named components)                       in their currency
//! to   = half_even(sum of billed amounts / fixing, to a satoshi)                in bitcoin
//! ```
//!
//! Two lines, `contract/component/from` and `contract/component/to`, so that the invoice's sum in the first
//! currency falls by exactly what is settled. The fixing is the price of the series at the instant named, or
//! at the end of the period.

use wb_units::time::rfc3339;
use wb_units::{Currency, Micros};

use crate::components::common::per;
use crate::error::{ContractError, RatingError};
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, words and the currency that is settled.
    pub head: Head,
    /// The components that are settled.
    pub of: Vec<String>,
    /// The series of fixings.
    pub series: String,
    /// The instant of the fixing; the period's end where there is none.
    pub fixing_at_us: Option<Micros>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        if head.currency == Currency::BTC {
            return Err(ContractError::Currency {
                field: fields.required("currency")?.place.clone(),
                value: "BTC".to_owned(),
                right: "write the currency that is settled in bitcoin, such as \"USD\"".to_owned(),
                source: None,
            });
        }
        let of = fields.components("of", head.currency)?;
        fields.unit("unit", &[per(head.currency, "BTC")])?;
        let series = fields.id("series")?;
        let fixing_at_us = if fields.exactly_one(&["fixing", "fixing_at"])? == "fixing" {
            fields.word("fixing", &["period_end"])?;
            None
        } else {
            Some(fields.instant("fixing_at")?)
        };
        Ok(Self { head, of, series, fixing_at_us })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let (owed, mut inputs) = scope.billed_exact(&self.of, self.head.currency)?;
        let at_us = self.fixing_at_us.unwrap_or(scope.context()?.period().end_us);
        let unit = per(self.head.currency, "BTC");
        let fixing = scope.fixing(&self.series, at_us, &unit)?;
        inputs.push(input([
            ("fixing", fixing.text.clone()),
            ("fixing_series", self.series.clone()),
            ("fixing_at", rfc3339(at_us)),
            ("price_from", rfc3339(fixing.from_us)),
            ("fixing_source", fixing.source.clone()),
        ]));
        let price = format!("{} {unit}", fixing.text);
        let code = self.head.currency.code();
        let draft = |formula: String, amount| Draft {
            description: format!("Settled in bitcoin at {} {price}", self.series),
            quantity: owed,
            unit: code.to_owned(),
            unit_price: price.clone(),
            formula,
            amount,
            inputs: inputs.clone(),
        };
        let sum = self.of.join(" + ");
        let bitcoin = owed.over(fixing.value).ok_or_else(|| scope.overflow("amount"))?;
        let from = draft(format!("-({sum})"), owed.negated());
        let to = draft(format!("({sum}) / {price}"), bitcoin);
        let in_bitcoin = Head { currency: Currency::BTC, ..self.head.clone() };
        Ok(vec![
            scope.finish_part("from", &self.head, "btc_settlement", from)?,
            scope.finish_part("to", &in_bitcoin, "btc_settlement", to)?,
        ])
    }
}
