//! Credit for GPUs that were not available as promised, by tier.
//!
//! ```text
//! availability = 100 x sum of available_us / sum of promised_us
//! credit       = half_even(billed amounts x credit percent of the lowest tier it is under / 100)
//! ```
//!
//! Without promised time there is no credit. The line is negative.

use crate::components::common::{ServiceTier, service_credit, service_tiers};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};

/// Terms of an availability credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The components whose billed amounts are credited in part.
    pub of: Vec<String>,
    /// The tiers, from the highest level down.
    pub tiers: Vec<ServiceTier>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let of = fields.components("of", head.currency)?;
        Ok(Self { head, of, tiers: service_tiers(fields)? })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        scope.usage.check_availability().map_err(|error| scope.refused(error))?;
        let wide = || scope.overflow("availability");
        let groups = &scope.usage.gpu_availability;
        let promised_us = groups.iter().map(|group| group.promised_us).try_fold(0_u128, u128::checked_add);
        let available_us = groups.iter().map(|group| group.available_us).try_fold(0_u128, u128::checked_add);
        let (promised_us, available_us) = promised_us.zip(available_us).ok_or_else(wide)?;
        let hundred = Exact::from(100_u32);
        let level = if promised_us == 0 {
            hundred
        } else {
            Exact::ratio(available_us, promised_us).and_then(|level| level.times(hundred)).ok_or_else(wide)?
        };
        let percent = service_credit(&self.tiers, level).ok_or_else(wide)?;
        let (base, mut inputs) = scope.billed_exact(&self.of, self.head.currency)?;
        inputs.push(input([
            ("promised_us", promised_us.to_string()),
            ("available_us", available_us.to_string()),
            ("availability_percent", level.to_string()),
        ]));
        let credit = base.percent(percent).ok_or_else(|| scope.overflow("amount"))?;
        let draft = Draft {
            description: "Credit for GPU availability".to_owned(),
            quantity: level,
            unit: "percent available".to_owned(),
            unit_price: format!("{percent} percent credited"),
            formula: format!("-(sum of {}) x credit percent of its tier / 100", self.of.join(" + ")),
            amount: credit.negated(),
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "gpu_sla_credit", draft)?])
    }
}
