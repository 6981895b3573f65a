//! Tax on billed lines, by jurisdiction.
//!
//! ```text
//! amount of a jurisdiction = half_even(sum of billed amounts of the named components x its percent / 100)
//! ```
//!
//! Each jurisdiction has a line of its own, with the id `contract/component/jurisdiction`, because each tax is paid
//! to another office. A tax on a tax lists the earlier tax component in `of`. Each line has its jurisdiction, its rate
//! and the ids of the taxed lines, so that notes credit the tax with what it taxes.

use crate::error::{ContractError, RatingError};
use crate::fields::{Decimal, Fields, Head};
use crate::line_tax::LineTax;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The components that are taxed.
    pub of: Vec<String>,
    /// The jurisdictions.
    pub jurisdictions: Vec<Jurisdiction>,
}

/// A jurisdiction with its rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jurisdiction {
    /// Its code, such as `US-TX`.
    pub code: String,
    /// The rate.
    pub percent: Decimal,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let of = fields.components("of", head.currency)?;
        let mut jurisdictions: Vec<Jurisdiction> = Vec::new();
        for mut entry in fields.tables("jurisdictions")? {
            let jurisdiction = Jurisdiction { code: entry.id("code")?, percent: entry.percent("percent")? };
            if jurisdictions.iter().any(|other| other.code == jurisdiction.code) {
                let field = entry.required("code")?.place.clone();
                return Err(ContractError::RepeatedId { field, value: jurisdiction.code });
            }
            entry.finish()?;
            jurisdictions.push(jurisdiction);
        }
        Ok(Self { head, of, jurisdictions })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let (base, inputs) = scope.billed_exact(&self.of, self.head.currency)?;
        let taxed = scope.line_ids(&self.of, self.head.currency);
        let mut rated = Vec::with_capacity(self.jurisdictions.len());
        for Jurisdiction { code, percent } in &self.jurisdictions {
            let draft = Draft {
                description: format!("Tax of {code}"),
                quantity: base,
                unit: self.head.currency.code().to_owned(),
                unit_price: format!("{} percent", percent.text),
                formula: format!("({}) x {} / 100", self.of.join(" + "), percent.text),
                amount: base.percent(percent.value).ok_or_else(|| scope.overflow("amount"))?,
                inputs: inputs.clone(),
            };
            let mut part = scope.finish_part(code, &self.head, "tax", draft)?;
            part.line.tax = Some(LineTax {
                jurisdiction: code.clone(),
                percent: percent.text.clone(),
                of: taxed.clone(),
            });
            rated.push(part);
        }
        Ok(rated)
    }
}
