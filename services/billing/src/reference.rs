//! The facts behind a bill: versions of contracts, and assignments of machines.

mod accounts;
mod facts;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use wb_events::facts::{ACCOUNT, CONTRACT_WITHDRAWAL};
use wb_ledger::{Hash, canonical};
use wb_metering::gpu::accounts::Accounts;
use wb_rating::{Contract, ContractError, Period, Versions};
use wb_units::Interval;
use wb_units::time::{boundary_at_or_after, rfc3339};

use crate::error::BillerError;
use crate::ports::{BlockId, FactRow, Holding, UsageStore};
use crate::timeline::{Span, timelines};

pub(crate) use accounts::{Mapped, accounts};
pub(crate) use facts::{Dated, Facts};
pub use versions::{RecordedDocument, Standing};

/// Contracts and assignments at a cut.
pub(crate) struct Reference {
    contracts: BTreeMap<String, Vec<Version>>,
    assignments: BTreeMap<String, Vec<Assignment>>,
    /// Whose the accounts of schedulers are.
    pub(crate) accounts: Accounts<Mapped>,
    /// All other facts that a bill may need.
    pub(crate) facts: Facts,
}

/// A recorded version of a contract.
struct Version {
    span: Span,
    /// Its document, parsed at first use, because most bills need few of them.
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
    /// The recorded document.
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
    /// Reads all contracts and assignments, and the other facts that a bill may need.
    pub(crate) async fn load<S: UsageStore>(store: &S, cut: u64) -> Result<Self, BillerError> {
        let mut kinds = vec!["contract", CONTRACT_WITHDRAWAL, "assignment", ACCOUNT];
        kinds.extend(facts::KINDS);
        let mut rows = store.recorded(&kinds, cut).await?.facts;
        let mut take = |kind: &str| rows.remove(kind).unwrap_or_default();
        let recorded = versions::judged(take("contract"), take(CONTRACT_WITHDRAWAL))?;
        let contracts = timelines(versions::standing(recorded))
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
        let accounts = accounts::accounts(take(ACCOUNT))?;
        Ok(Self { contracts, assignments, accounts, facts: Facts::read(&mut take)? })
    }

    /// The documents of every contract, in the order of the log.
    pub(crate) async fn recorded<S: UsageStore>(
        store: &S,
        cut: u64,
    ) -> Result<BTreeMap<String, Vec<RecordedDocument>>, BillerError> {
        let contracts = store.facts("contract", None, cut).await?;
        let withdrawals = store.facts(CONTRACT_WITHDRAWAL, None, cut).await?;
        let recorded = versions::judged(contracts, withdrawals)?;
        let documents = |of: Vec<versions::Judged>| of.into_iter().map(|judged| judged.document()).collect();
        Ok(recorded.into_iter().map(|(contract_id, of)| (contract_id, documents(of))).collect())
    }

    /// The rows of those documents of contracts that stand.
    pub(crate) fn standing_rows(
        contracts: Vec<FactRow>,
        withdrawals: Vec<FactRow>,
    ) -> Result<Vec<FactRow>, BillerError> {
        Ok(versions::standing(versions::judged(contracts, withdrawals)?))
    }

    /// Whether a machine is assigned to a contract within a time, by an assignment that names this customer, if one is
    /// given. The contract need not be known.
    pub(crate) fn is_assigned(
        &self,
        contract_id: &str,
        customer: Option<&str>,
        machine_id: &str,
        within: Interval,
    ) -> bool {
        self.assignments.get(contract_id).into_iter().flatten().any(|assignment| {
            assignment.machine_id == machine_id
                && customer.is_none_or(|customer| customer == assignment.customer_id)
                && assignment.interval.intersect(&within).is_some()
        })
    }

    /// The ids of all contracts, sorted.
    pub(crate) fn contract_ids(&self) -> impl Iterator<Item = &String> {
        self.contracts.keys()
    }

    /// The customer of a contract's latest version, even if the rest of it cannot be read.
    pub(crate) fn customer_of(&self, contract_id: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            customer_id: String,
        }
        let latest = self.contracts.get(contract_id)?.last()?;
        serde_json::from_str::<Named>(&latest.span.body).ok().map(|named| named.customer_id)
    }

    /// The month `text` in the contract's zone with the versions in effect in it; `None` if there are none.
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

    /// The terms with one document in place of all versions of a contract.
    pub(crate) fn terms_of_document(
        &self,
        body: &str,
        text: &str,
    ) -> Result<Option<PeriodTerms>, BillerError> {
        let contract = Contract::parse(body)?;
        let versions = self.contracts.get(&contract.contract_id).map(Vec::as_slice).unwrap_or_default();
        let period = Period::month(text, &contract.time_zone)?;
        // No block holds the document, so that of the latest version is used.
        let Some(latest) = versions.last() else { return Ok(None) };
        let span = Span { body: body.to_owned(), ..latest.span.clone() };
        let terms = vec![terms(Arc::new(contract), &span, period.interval)?];
        Ok(Some(PeriodTerms { period, terms }))
    }

    /// The documents of a contract: start and text of each.
    pub(crate) fn documents_of(&self, contract_id: &str) -> Vec<(i64, String)> {
        let versions = self.contracts.get(contract_id).into_iter().flatten();
        versions.map(|version| (version.span.interval.start_us, version.span.body.clone())).collect()
    }

    /// All assignments that overlap a time: contract, machine and the overlap.
    pub(crate) fn all_holdings(&self, within: Interval) -> impl Iterator<Item = (&str, &str, Interval)> {
        self.assignments.iter().flat_map(move |(contract_id, assignments)| {
            assignments.iter().filter_map(move |assignment| {
                let held = assignment.interval.intersect(&within)?;
                Some((contract_id.as_str(), assignment.machine_id.as_str(), held))
            })
        })
    }

    /// The machines that are assigned to a contract within an interval, whichever customer their assignments name.
    pub(crate) fn assigned(&self, contract_id: &str, within: Interval) -> Vec<Holding> {
        let assignments = self.assignments.get(contract_id).into_iter().flatten();
        let held = assignments.filter_map(|assignment| {
            let interval = assignment.interval.intersect(&within)?;
            Some(Holding { interval, machine_id: assignment.machine_id.clone() })
        });
        held.collect()
    }

    /// The month `text` in the zone of a contract's latest version; `None` where nothing is recorded of the contract,
    /// or its version cannot be read.
    pub(crate) fn month_of(&self, contract_id: &str, text: &str) -> Result<Option<Period>, BillerError> {
        let latest = self.contracts.get(contract_id).and_then(|versions| versions.last());
        let Some(Ok(contract)) = latest.map(Version::document) else { return Ok(None) };
        Ok(Some(Period::month(text, &contract.time_zone)?))
    }

    /// The machines under a contract within an interval, sorted, with the blocks of their facts.
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

impl Reference {
    /// The accounts of schedulers under a contract within a time.
    pub(crate) fn accounts_of(
        &self,
        contract: &Contract,
        within: Interval,
    ) -> Result<BTreeSet<String>, BillerError> {
        accounts::names_of(&self.accounts, contract, within)
    }

    /// The accounts that are mapped to a contract within a time, whoever their facts name.
    pub(crate) fn mapped_to(&self, contract_id: &str, within: Interval) -> Vec<String> {
        let names: BTreeSet<&str> =
            accounts::mapped_to(&self.accounts, contract_id, within).map(|(account, _)| account).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The contracts that accounts are mapped to within a time.
    pub(crate) fn mapped_contracts(&self, within: Interval) -> BTreeSet<&str> {
        let touching = self.accounts.all().filter(|(_, held)| held.interval.intersect(&within).is_some());
        touching.map(|(_, held)| held.body.body.contract_id.as_str()).collect()
    }

    /// Whether an account is mapped to a contract within a time, by a fact that names this customer, if one is given.
    /// The contract need not be known.
    pub(crate) fn is_mapped(
        &self,
        contract_id: &str,
        customer: Option<&str>,
        account: &str,
        within: Interval,
    ) -> bool {
        accounts::mapped_to(&self.accounts, contract_id, within).any(|(of, held)| {
            of == account && customer.is_none_or(|customer| customer == held.body.body.customer_id)
        })
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

    /// The document, which must be of the contract it was recorded for.
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

/// Checks that documents that state their own start agree with their facts, and that no two start at once. Only
/// versions that touch the period, and the one before it, are checked.
fn check_versions(contract_id: &str, versions: &[Version], period: Interval) -> Result<(), BillerError> {
    let ended = |version: &Version| version.span.interval.end_us <= period.start_us;
    let first = versions.partition_point(ended).saturating_sub(1);
    let mut dated: Vec<&Contract> = Vec::new();
    for version in versions.iter().skip(first) {
        let begins_us = version.span.interval.start_us;
        if begins_us >= period.end_us {
            break;
        }
        // An invalid document is refused when it is billed.
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
        // Version numbers are for people; the fact decides which version holds.
        _ => Ok(()),
    }
}

/// Checks that customer, issuer and time zone stay the same, because an invoice has one of each.
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
