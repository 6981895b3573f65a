//! Packages of units at a price each; a package begun is paid whole.
//!
//! ```text
//! packages = ceil(max(0, quantity - free units) / size)
//! amount   = half_even(packages x price)
//! ```
//!
//! Free units are those of a whole period; a stretch has its part of them, by intervals.

use crate::components::common::Measure;
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of a package price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// What is counted.
    pub measure: Measure,
    /// Units in a package.
    pub size: Decimal,
    /// The price of a package.
    pub package_price: Decimal,
    /// Units that cost nothing.
    pub free: Option<Decimal>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        Ok(Self {
            measure: Measure::read(fields, head.currency)?,
            size: fields.size("size")?,
            package_price: fields.price("package_price")?,
            free: fields.price_or_none("free")?,
            head,
        })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let wide = || scope.overflow("packages");
        let used = self.measure.quantity(scope)?;
        let fraction = scope.context()?.fraction().ok_or_else(wide)?;
        let free = self
            .free
            .as_ref()
            .map_or(Some(Exact::ZERO), |free| free.value.times(fraction))
            .ok_or_else(wide)?;
        let billable = used.minus(free).and_then(|rest| rest.greater(Exact::ZERO)).ok_or_else(wide)?;
        let packages =
            billable.over(self.size.value).and_then(Exact::ceiling).map(Exact::from).ok_or_else(wide)?;
        let unit = self.measure.unit();
        let price = format!(
            "{} {}/package of {} {unit}",
            self.package_price.text,
            self.head.currency.code(),
            self.size.text
        );
        let draft = Draft {
            description: format!("Packages of {} {unit}", self.size.text),
            quantity: packages,
            unit: "package".to_owned(),
            formula: format!("max(0, quantity - free) / {} rounded up to packages x {price}", self.size.text),
            unit_price: price,
            amount: packages.times(self.package_price.value).ok_or_else(|| scope.overflow("amount"))?,
            inputs: vec![input([("quantity", used.to_string()), ("free", free.to_string())])],
        };
        Ok(vec![scope.finish(&self.head, "package", draft)?])
    }
}
