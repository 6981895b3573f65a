//! What pools paid or credited for the work of the contract's machines.

use std::collections::BTreeSet;

use wb_rating::Receipt;
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros};

use super::UsageReader;
use crate::error::BillerError;
use crate::ports::{BlockId, UsageStore};

/// A payment of a pool.
struct Paid<'a> {
    kind: &'static str,
    entity: &'a str,
    at_us: Micros,
    pool: &'a str,
    site_id: &'a str,
    contract_id: Option<&'a str>,
    amount_sat: &'a str,
    block: &'a BlockId,
}

impl<S: UsageStore> UsageReader<'_, S> {
    /// The payments of the stretch that state this contract, and those for a site whose assigned machines were all
    /// under it.
    pub(super) fn receipts(&mut self) -> Result<Vec<Receipt>, BillerError> {
        let facts = &self.reference.facts;
        let paid: Vec<Paid<'_>> = if self.part.contract.counting.earnings_are_receipts {
            let within = facts.earnings.iter().filter(|fact| self.part.interval.contains(fact.at_us));
            within
                .map(|fact| Paid {
                    kind: "pool_earning",
                    entity: &fact.entity,
                    at_us: fact.at_us,
                    pool: &fact.body.pool,
                    site_id: &fact.body.site_id,
                    contract_id: fact.body.contract_id.as_deref(),
                    amount_sat: &fact.body.amount_sat,
                    block: &fact.block,
                })
                .collect()
        } else {
            let within = facts.payouts.iter().filter(|fact| self.part.interval.contains(fact.at_us));
            within
                .map(|fact| Paid {
                    kind: "pool_payout",
                    entity: &fact.entity,
                    at_us: fact.at_us,
                    pool: &fact.body.pool,
                    site_id: &fact.body.site_id,
                    contract_id: fact.body.contract_id.as_deref(),
                    amount_sat: &fact.body.amount_sat,
                    block: &fact.block,
                })
                .collect()
        };
        let own = &self.part.contract.contract_id;
        let mut receipts = Vec::new();
        for paid in paid {
            let is_own = match paid.contract_id {
                Some(contract_id) => contract_id == own,
                None => {
                    let contracts = self.contracts_at(paid.site_id);
                    if contracts.contains(own.as_str()) && contracts.len() > 1 {
                        return Err(BillerError::SharedReceipt {
                            pool: paid.pool.to_owned(),
                            site_id: paid.site_id.to_owned(),
                            at: rfc3339(paid.at_us),
                            contracts: contracts.into_iter().collect::<Vec<_>>().join(", "),
                        });
                    }
                    contracts.contains(own.as_str())
                }
            };
            if !is_own {
                continue;
            }
            let amount_sat = paid.amount_sat.parse().map_err(|_| BillerError::Fact {
                kind: paid.kind,
                entity: paid.entity.to_owned(),
                detail: format!("{:?} is not a number of satoshi", paid.amount_sat),
            })?;
            receipts.push(Receipt { at_us: paid.at_us, amount_sat });
            self.blocks.insert(paid.block.clone());
        }
        Ok(receipts)
    }

    /// The contracts of the machines at a site in the stretch.
    fn contracts_at(&self, site_id: &str) -> BTreeSet<&str> {
        let stands = |machine_id: &str, held: Interval| {
            let mut facts = self.reference.facts.machine(machine_id, held);
            facts.any(|(_, fact)| fact.body.site_id == site_id)
        };
        let all = self.reference.all_holdings(self.part.interval);
        all.filter(|(_, machine_id, held)| stands(machine_id, *held))
            .map(|(contract_id, ..)| contract_id)
            .collect()
    }
}
