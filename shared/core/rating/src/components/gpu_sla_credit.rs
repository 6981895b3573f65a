//! Credit for GPUs that were not available as promised, by tier.
//!
//! ```text
//! availability = 100 x GPU time available / GPU time promised
//! credit       = half_even(billed amounts x credit percent of the lowest tier it is under / 100)
//! ```
//!
//! Where `of` names reservations, what was promised is the reserved GPUs over their time, and an outage counts against
//! them first (see the source of `usage::reserved`). Where it names none, it is all GPUs of the nodes under the contract.
//! Where nothing was promised, nothing was missed. The line is negative.

use std::collections::BTreeSet;

use crate::components::common::{ServiceTier, counted, hours_text, service_credit, service_tiers};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};
use crate::usage::reserved::availability;

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
        let reserved = scope.reserved(&self.of);
        let (set, sums) = if reserved.is_empty() {
            let groups = &scope.usage.gpu_availability;
            let promised = groups.iter().map(|group| group.promised_us).try_fold(0_u128, u128::checked_add);
            let available = groups.iter().map(|group| group.available_us).try_fold(0_u128, u128::checked_add);
            let nodes: BTreeSet<&str> = groups.iter().map(|group| group.node_id.as_str()).collect();
            (format!("all GPUs of {}", counted(nodes.len(), "node")), promised.zip(available))
        } else {
            let gpus = reserved.iter().fold(0_u64, |sum, one| sum.saturating_add(one.gpus));
            (
                format!("{gpus} reserved GPUs"),
                availability(&reserved, &scope.usage.gpu_outages, scope.stretch()?),
            )
        };
        let (promised_us, available_us) = sums.ok_or_else(wide)?;
        let hundred = Exact::from(100_u32);
        let level = if promised_us == 0 {
            hundred
        } else {
            Exact::ratio(available_us, promised_us).and_then(|level| level.times(hundred)).ok_or_else(wide)?
        };
        let percent = service_credit(&self.tiers, level).ok_or_else(wide)?;
        let (base, mut inputs) = scope.billed_exact(&self.of, self.head.currency)?;
        inputs.push(input([
            ("set", set.clone()),
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
            formula: format!(
                "-(sum of {}) x credit percent of its tier / 100; available: {} of {} GPU-hours of {set}",
                self.of.join(" + "),
                hours_text(available_us).ok_or_else(wide)?,
                hours_text(promised_us).ok_or_else(wide)?
            ),
            amount: credit.negated(),
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "gpu_sla_credit", draft)?])
    }
}
