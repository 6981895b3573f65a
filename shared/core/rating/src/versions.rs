//! The versions of one contract, in order of time, without overlaps.

use wb_units::time::{boundary_at_or_after, rfc3339};
use wb_units::{Interval, Micros};

use crate::contract::Contract;
use crate::error::ContractError;

/// All versions of one contract.
///
/// A version holds from the first five-minute boundary at or after its `effective_from` until the next
/// version begins, or until the boundary of its own `effective_to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    spans: Vec<(Interval, Contract)>,
}

impl Versions {
    /// Puts versions in order; they may be given in any order.
    ///
    /// # Errors
    /// [`ContractError::History`] for documents of different contracts, a version without a start, two versions with
    /// one number, or a later number that begins earlier; [`ContractError::Overlap`] where two hold at one instant:
    /// both begin at one boundary, or one states an end after the next begins.
    pub fn new(mut contracts: Vec<Contract>) -> Result<Self, ContractError> {
        contracts.sort_by_key(|contract| contract.version);
        let mut spans: Vec<(Interval, Contract)> = Vec::with_capacity(contracts.len());
        for contract in contracts {
            let refuse = |detail: &str| ContractError::History {
                contract_id: contract.contract_id.clone(),
                version: contract.version,
                detail: detail.to_owned(),
            };
            let start_us = contract
                .takes_effect_us()
                .ok_or_else(|| refuse("it does not say from when it holds; write effective_from"))?;
            let end_us = contract.effective_to_us.map_or(Micros::MAX, boundary_at_or_after);
            if let Some((before, last)) = spans.last_mut() {
                if last.contract_id != contract.contract_id {
                    return Err(refuse(&format!("another document is of contract {}", last.contract_id)));
                }
                if last.version == contract.version {
                    return Err(refuse("two documents have this number; give each version its own"));
                }
                if start_us < before.start_us {
                    let detail =
                        format!("version {} begins later; number versions in order of time", last.version);
                    return Err(refuse(&detail));
                }
                let ends_late = last.effective_to_us.is_some() && before.end_us > start_us;
                if before.start_us == start_us || ends_late {
                    return Err(ContractError::Overlap {
                        contract_id: contract.contract_id.clone(),
                        earlier: last.version,
                        later: contract.version,
                        at: rfc3339(start_us),
                    });
                }
                before.end_us = before.end_us.min(start_us);
            }
            spans.push((Interval { start_us, end_us }, contract));
        }
        Ok(Self { spans })
    }

    /// The versions that hold in a period, each with its part of it.
    ///
    /// # Errors
    /// [`ContractError::NoVersion`] where an instant of the period has none.
    pub fn within(&self, period: Interval) -> Result<Vec<(Interval, &Contract)>, ContractError> {
        let parts: Vec<_> = self
            .spans
            .iter()
            .filter_map(|(span, contract)| Some((span.intersect(&period)?, contract)))
            .collect();
        let mut covered_us = period.start_us;
        for (part, _) in &parts {
            if part.start_us == covered_us {
                covered_us = part.end_us;
            }
        }
        if covered_us < period.end_us {
            let contract_id = self.spans.first().map(|(_, contract)| contract.contract_id.clone());
            return Err(ContractError::NoVersion {
                contract_id: contract_id.unwrap_or_default(),
                at: rfc3339(covered_us),
            });
        }
        Ok(parts)
    }
}
