//! The facts a bill rests on: contracts in their versions and who held which machine when.

mod facts;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use wb_ledger::{Hash, canonical};
use wb_rating::{Contract, ContractError, Period, Versions};
use wb_units::Interval;
use wb_units::time::{boundary_at_or_after, rfc3339};

use crate::error::BillerError;
use crate::ports::{BlockId, Holding, UsageStore};
use crate::timeline::{Span, timelines};

pub(crate) use facts::{Dated, Facts};

/// Contracts and assignments at a cut.
pub(crate) struct Reference {
    contracts: BTreeMap<String, Vec<Version>>,
    assignments: BTreeMap<String, Vec<Assignment>>,
    /// Everything else that a bill may rest on.
    pub(crate) facts: Facts,
}

/// A recorded version of a contract.
struct Version {
    span: Span,
    /// Its document, read at the first use: most versions of most contracts are in no bill at hand.
    contract: OnceLock<Arc<Contract>>,
}

/// A machine assigned to a contract.
struct Assignment {
    machine_id: String,
    customer_id: String,
    interval: Interval,
    block: BlockId,
}

#[derive(Deserialize)]
struct AssignmentBody {
    customer_id: String,
    contract_id: String,
}

/// One version of a contract and the part of the period it governs.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) contract: Arc<Contract>,
    /// The document, as it was recorded.
    pub(crate) body: String,
    pub(crate) digest: Hash,
    pub(crate) interval: Interval,
    pub(crate) block: BlockId,
}

/// The period of a contract and its terms in it.
#[derive(Clone)]
pub(crate) struct PeriodTerms {
    pub(crate) period: Period,
    pub(crate) terms: Vec<Terms>,
}

impl Reference {
    /// Reads all contracts and assignments, and what else a bill may rest on.
    pub(crate) async fn load<S: UsageStore>(store: &S, cut: u64) -> Result<Self, BillerError> {
        let mut kinds = vec!["contract", "assignment"];
        kinds.extend(facts::KINDS);
        let mut rows = store.recorded(&kinds, cut).await?.facts;
        let mut take = |kind: &str| rows.remove(kind).unwrap_or_default();
        let contracts = timelines(take("contract"))
            .into_iter()
            .map(|(id, spans)| (id, spans.into_iter().map(Version::new).collect()))
            .collect();
        let mut assignments: BTreeMap<String, Vec<Assignment>> = BTreeMap::new();
        for (machine_id, spans) in timelines(take("assignment")) {
            for span in spans {
                let body: AssignmentBody =
                    serde_json::from_str(&span.body).map_err(|error| BillerError::Fact {
                        kind: "assignment",
                        entity: machine_id.clone(),
                        detail: error.to_string(),
                    })?;
                assignments.entry(body.contract_id).or_default().push(Assignment {
                    machine_id: machine_id.clone(),
                    customer_id: body.customer_id,
                    interval: span.interval,
                    block: span.block,
                });
            }
        }
        Ok(Self { contracts, assignments, facts: Facts::read(&mut take)? })
    }

    /// The ids of all contracts, sorted.
    pub(crate) fn contract_ids(&self) -> impl Iterator<Item = &String> {
        self.contracts.keys()
    }

    /// The customer a contract names, whatever else it says; the latest version decides.
    pub(crate) fn customer_of(&self, contract_id: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            customer_id: String,
        }
        let latest = self.contracts.get(contract_id)?.last()?;
        serde_json::from_str::<Named>(&latest.span.body).ok().map(|named| named.customer_id)
    }

    /// The month `text` in the contract's zone with the versions in effect in it; `None` where the
    /// contract has none in that month.
    ///
    /// The zone is that of the latest version in effect. Versions of equal text are one.
    pub(crate) fn terms_of(&self, contract_id: &str, text: &str) -> Result<Option<PeriodTerms>, BillerError> {
        let versions = self.contracts.get(contract_id).map(Vec::as_slice).unwrap_or_default();
        let mut found: Option<PeriodTerms> = None;
        for version in versions.iter().rev() {
            let span = &version.span;
            let Some(later) = &mut found else {
                let contract = version.contract_of(contract_id)?;
                let period = Period::month(text, &contract.time_zone)?;
                if let Some(interval) = span.interval.intersect(&period.interval) {
                    let terms = vec![terms(contract, span, interval)?];
                    found = Some(PeriodTerms { period, terms });
                }
                continue;
            };
            let Some(interval) = span.interval.intersect(&later.period.interval) else { continue };
            let contract = version.contract_of(contract_id)?;
            check_unchanged(&contract, later)?;
            later.terms.push(terms(contract, span, interval)?);
        }
        if let Some(found) = &found {
            check_versions(contract_id, versions, found.period.interval)?;
        }
        Ok(found.map(|mut found| {
            found.terms.reverse();
            found.terms.dedup_by(|right, left| {
                let one = left.digest == right.digest && left.interval.end_us == right.interval.start_us;
                if one {
                    left.interval.end_us = right.interval.end_us;
                }
                one
            });
            found
        }))
    }

    /// The same facts with one document in the place of all versions of a contract.
    pub(crate) fn terms_of_document(
        &self,
        body: &str,
        text: &str,
    ) -> Result<Option<PeriodTerms>, BillerError> {
        let contract = Contract::parse(body)?;
        let versions = self.contracts.get(&contract.contract_id).map(Vec::as_slice).unwrap_or_default();
        let period = Period::month(text, &contract.time_zone)?;
        // The block of what was recorded stands for the document: there is none that holds it.
        let Some(latest) = versions.last() else { return Ok(None) };
        let span = Span { body: body.to_owned(), ..latest.span.clone() };
        let terms = vec![terms(Arc::new(contract), &span, period.interval)?];
        Ok(Some(PeriodTerms { period, terms }))
    }

    /// The documents of a contract: from when each holds, and its text.
    pub(crate) fn documents_of(&self, contract_id: &str) -> Vec<(i64, String)> {
        let versions = self.contracts.get(contract_id).into_iter().flatten();
        versions.map(|version| (version.span.interval.start_us, version.span.body.clone())).collect()
    }

    /// All assignments of a time: contract, machine and the part of the time.
    pub(crate) fn all_holdings(&self, within: Interval) -> impl Iterator<Item = (&str, &str, Interval)> {
        self.assignments.iter().flat_map(move |(contract_id, assignments)| {
            assignments.iter().filter_map(move |assignment| {
                let held = assignment.interval.intersect(&within)?;
                Some((contract_id.as_str(), assignment.machine_id.as_str(), held))
            })
        })
    }

    /// The machines held under a contract within an interval, sorted, with the blocks that say so.
    pub(crate) fn holdings(
        &self,
        contract: &Contract,
        within: Interval,
    ) -> Result<Vec<(Holding, &BlockId)>, BillerError> {
        let mut held = Vec::new();
        for assignment in self.assignments.get(&contract.contract_id).into_iter().flatten() {
            let Some(interval) = assignment.interval.intersect(&within) else { continue };
            if assignment.customer_id != contract.customer_id {
                return Err(BillerError::OtherCustomer {
                    machine_id: assignment.machine_id.clone(),
                    contract_id: contract.contract_id.clone(),
                    assigned: assignment.customer_id.clone(),
                    customer: contract.customer_id.clone(),
                });
            }
            held.push((Holding { interval, machine_id: assignment.machine_id.clone() }, &assignment.block));
        }
        held.sort();
        Ok(held)
    }
}

impl Version {
    fn new(span: Span) -> Self {
        Self { span, contract: OnceLock::new() }
    }

    fn document(&self) -> Result<&Arc<Contract>, ContractError> {
        match self.contract.get() {
            Some(contract) => Ok(contract),
            None => {
                let contract = Arc::new(Contract::parse(&self.span.body)?);
                Ok(self.contract.get_or_init(|| contract))
            }
        }
    }

    /// Its document, which must be of the contract that it was recorded for.
    fn contract_of(&self, contract_id: &str) -> Result<Arc<Contract>, BillerError> {
        let contract = self.document()?;
        if contract.contract_id == contract_id {
            return Ok(Arc::clone(contract));
        }
        let detail = format!("its body is of contract {}", contract.contract_id);
        Err(BillerError::Fact { kind: "contract", entity: contract_id.to_owned(), detail })
    }
}

fn terms(contract: Arc<Contract>, span: &Span, interval: Interval) -> Result<Terms, BillerError> {
    let digest = canonical::digest_of_text(&span.body).map_err(|error| BillerError::Fact {
        kind: "contract",
        entity: contract.contract_id.clone(),
        detail: error.to_string(),
    })?;
    Ok(Terms { contract, body: span.body.clone(), digest, interval, block: span.block.clone() })
}

/// The documents that say from when they hold agree with each other, and with the facts that hold them:
/// no two hold at once. Those that touch the period are looked at, and the one before it.
fn check_versions(contract_id: &str, versions: &[Version], period: Interval) -> Result<(), BillerError> {
    let ended = |version: &Version| version.span.interval.end_us <= period.start_us;
    let first = versions.partition_point(ended).saturating_sub(1);
    let mut dated: Vec<&Contract> = Vec::new();
    for version in versions.iter().skip(first) {
        let begins_us = version.span.interval.start_us;
        if begins_us >= period.end_us {
            break;
        }
        // One that cannot be read is refused where it is billed by.
        let Ok(contract) = version.document() else { continue };
        let Some(from_us) = contract.effective_from_us else { continue };
        if boundary_at_or_after(from_us) != begins_us {
            return Err(BillerError::Fact {
                kind: "contract",
                entity: contract_id.to_owned(),
                detail: format!(
                    "its document holds from {}, but the fact takes effect at {}; both name one instant",
                    rfc3339(from_us),
                    rfc3339(begins_us)
                ),
            });
        }
        dated.push(contract);
    }
    if dated.len() < 2 {
        return Ok(());
    }
    match Versions::new(dated.into_iter().cloned().collect()) {
        Err(error @ ContractError::Overlap { .. }) => Err(error.into()),
        // Numbers of versions are for people; which one holds follows from its fact.
        _ => Ok(()),
    }
}

/// An invoice has one customer, one issuer and one calendar.
fn check_unchanged(contract: &Contract, later: &PeriodTerms) -> Result<(), BillerError> {
    for terms in &later.terms {
        let other = &terms.contract;
        for (field, same) in [
            ("customer_id", contract.customer_id == other.customer_id),
            ("legal_entity", contract.legal_entity == other.legal_entity),
            ("time_zone", contract.time_zone == other.time_zone),
        ] {
            if !same {
                return Err(BillerError::ChangedWithin {
                    contract_id: contract.contract_id.clone(),
                    field,
                    period: later.period.text.clone(),
                });
            }
        }
    }
    Ok(())
}
