//! One version of a contract over its part of a period, with all that it was rated from, in a form that can be kept
//! and rated again anywhere.

use serde::{Deserialize, Serialize};
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros};

use crate::components::Component;
use crate::context::{Context, DepositHeld, PrepaidGrant};
use crate::contract::Contract;
use crate::coverage::covered_by;
use crate::error::{ContractError, PeriodError, PriceError, RatingError, UsageError};
use crate::line::{Line, input};
use crate::prices::{PriceFact, Prices};
use crate::rate::rate_in;
use crate::usage::Usage;
use crate::usage::reserved::allocated;

/// What one version of a contract was rated from, for its part of a period.
///
/// In JSON all quantities are decimal text and all numbers are integers below 2^53, so that the form has a
/// canonical spelling. The lines follow from it alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatedStretch {
    /// The contract's document as it was recorded, JSON.
    pub contract: String,
    /// The digest of that document, as the invoice states it.
    pub contract_digest: String,
    /// The first instant of the period.
    pub period_start_us: Micros,
    /// The first instant after it.
    pub period_end_us: Micros,
    /// The first instant at which this version holds in the period.
    pub start_us: Micros,
    /// The first instant at which it does not.
    pub end_us: Micros,
    /// The recorded prices of the contract's series.
    pub prices: Vec<PriceFact>,
    /// Prepaid credit that was left before this stretch.
    pub grants: Vec<PrepaidGrant>,
    /// Deposits held before this stretch.
    pub deposits: Vec<DepositHeld>,
    /// The usage.
    pub usage: Usage,
}

/// Why a stretch was not rated.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum StretchError {
    /// The contract.
    #[code(source)]
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The period.
    #[code(source)]
    #[error(transparent)]
    Period(#[from] PeriodError),
    /// The prices.
    #[code(source)]
    #[error(transparent)]
    Prices(#[from] PriceError),
    /// The usage.
    #[code(source)]
    #[error(transparent)]
    Rating(#[from] RatingError),
}

impl RatedStretch {
    /// The lines of the stretch: the contract's, each with the version and the time it was rated by, and
    /// with the stretch's start in its id where the version begins inside of the period.
    ///
    /// # Errors
    /// [`StretchError`] where the contract, the period, a price or the usage is wrong.
    pub fn rate(&self) -> Result<Vec<Line>, StretchError> {
        self.rate_by(&Contract::parse(&self.contract)?)
    }

    /// [`Self::rate`] for callers that have read the stretch's document already.
    ///
    /// # Errors
    /// As [`Self::rate`], but for the contract.
    pub fn rate_by(&self, contract: &Contract) -> Result<Vec<Line>, StretchError> {
        let period = Interval { start_us: self.period_start_us, end_us: self.period_end_us };
        let stretch = Interval { start_us: self.start_us, end_us: self.end_us };
        let mut context = Context::new(period, stretch)?.with_prices(Prices::new(self.prices.clone())?);
        context.grants.clone_from(&self.grants);
        context.deposits.clone_from(&self.deposits);
        let mut lines = rate_in(contract, &context, &self.usage)?;
        for line in &mut lines {
            if self.start_us != self.period_start_us {
                line.id = format!("{}@{}", line.id, self.start_us);
                // Tax is on lines of its own version alone.
                for taxed in line.tax.iter_mut().flat_map(|tax| &mut tax.of) {
                    *taxed = format!("{taxed}@{}", self.start_us);
                }
            }
            if !line.is_empty() {
                let version = input([
                    ("contract_version", contract.version.to_string()),
                    ("contract_digest", self.contract_digest.clone()),
                    ("rated_from", rfc3339(self.start_us)),
                    ("rated_to", rfc3339(self.end_us)),
                ]);
                // First, so that it is also in a document that lists only the first inputs.
                line.inputs.insert(0, version);
            }
        }
        Ok(lines)
    }

    /// GPU time of the stretch that reservations of its contract cover, in microseconds. Where several components bill
    /// whole GPUs by use, that of the one with most, because they bill the same allocations.
    ///
    /// # Errors
    /// [`UsageError`] for allocations that contradict each other.
    pub fn covered_gpu_us(&self, contract: &Contract) -> Result<u128, UsageError> {
        let within = Interval { start_us: self.start_us, end_us: self.end_us };
        let mut most_us = 0;
        for covered_by in contract.components.iter().filter_map(|one| covered_by(one).flatten()) {
            let reserved = contract.components.iter().filter_map(|component| match component {
                Component::GpuReserved(terms) if covered_by.contains(&terms.head.id) => {
                    Some(terms.reserved())
                }
                _ => None,
            });
            let reserved: Vec<_> = reserved.collect();
            let found = allocated(&self.usage.gpu_spans, "", &reserved, self.end_us)?;
            let covered = found.iter().filter_map(|one| one.exact_us(within, |piece| piece.covered));
            most_us = covered.fold(0_u128, u128::saturating_add).max(most_us);
        }
        Ok(most_us)
    }
}

/// The lines of all stretches of a period, in order.
///
/// # Errors
/// The first [`StretchError`].
pub fn rate_stretches(stretches: &[RatedStretch]) -> Result<Vec<Line>, StretchError> {
    let mut lines = Vec::new();
    for stretch in stretches {
        lines.extend(stretch.rate()?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnergyGroup;
    use serde_json::json;

    fn stretch() -> RatedStretch {
        let contract = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "l", "time_zone": "UTC",
            "version": 3, "components": [
                {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.1"},
                {"id": "paid", "kind": "prepaid_credit", "currency": "USD", "of": ["power"]}]});
        let hour_us = 3_600_000_000;
        RatedStretch {
            contract: contract.to_string(),
            contract_digest: "d".to_owned(),
            period_start_us: 0,
            period_end_us: 744 * hour_us,
            start_us: 5 * hour_us,
            end_us: 744 * hour_us,
            prices: vec![PriceFact {
                series: "spot".to_owned(),
                valid_from_us: -1,
                valid_to_us: None,
                unit: "USD/MWh".to_owned(),
                value: "-3.5".to_owned(),
                source: "grid".to_owned(),
                order: 0,
            }],
            grants: vec![PrepaidGrant {
                grant_id: "g".to_owned(),
                currency: "USD".to_owned(),
                balance_minor: 700,
                valid_from_us: 0,
                expires_us: None,
                priority: 0,
            }],
            deposits: Vec::new(),
            usage: Usage {
                energy: vec![EnergyGroup {
                    machine_id: "m".to_owned(),
                    meter_id: "e".to_owned(),
                    witness: "meter".to_owned(),
                    energy_mwh: 50_000_000,
                    resets: 0,
                    unknown_us: 0,
                }],
                ..Usage::default()
            },
        }
    }

    #[test]
    fn what_was_kept_gives_the_same_lines() {
        let kept = stretch();
        let lines = kept.rate().unwrap();
        assert_eq!(
            lines.iter().map(|l| l.id.as_str()).collect::<Vec<_>>(),
            ["c/power@18000000000", "c/paid@18000000000"]
        );
        assert_eq!(lines.iter().map(|l| l.amount.minor).collect::<Vec<_>>(), [500, -500]);
        assert_eq!(lines[0].inputs[0]["contract_version"], "3");
        assert_eq!(lines[1].inputs[1]["left_minor"], "200");
        let text = serde_json::to_string(&kept).unwrap();
        let again: RatedStretch = serde_json::from_str(&text).unwrap();
        assert_eq!(again, kept);
        assert_eq!(again.rate_by(&Contract::parse(&kept.contract).unwrap()).unwrap(), lines);
        assert_eq!(rate_stretches(&[again]).unwrap(), lines);
        let mut changed = kept.clone();
        changed.usage.energy[0].energy_mwh += 100_000;
        assert_ne!(changed.rate().unwrap(), lines);
        assert!(serde_json::from_str::<RatedStretch>(&text.replacen('{', "{\"more\":1,", 1)).is_err());
        let mut outside = kept;
        outside.end_us += 300_000_000;
        assert_eq!(outside.rate().unwrap_err().code(), "WB-5123");
    }
}
