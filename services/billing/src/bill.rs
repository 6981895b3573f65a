//! A contract's bill for a period at a cut.

use std::collections::BTreeSet;

use wb_ledger::{Billed, BillingTerms, ContractVersion, PeriodDocument};
use wb_metering::billable::InputCompleteness;
use wb_rating::{Contract, RatedStretch};

use crate::error::BillerError;
use crate::exclusion::{Exclusions, without_price};
use crate::policy::ByPolicy;
use crate::ports::{BlockId, Holding, UsageStore};
use crate::reference::{PeriodTerms, Reference};
use crate::unbilled::{Unbilled, of_other_chains};
use crate::usage::{Balances, Counted, UsageReader};

/// A bill and its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The content of an invoice.
    pub billed: Billed,
    /// The inputs of each version of the contract, in order of time. The lines follow from these alone; see
    /// [`wb_rating::rate_stretches`].
    pub stretches: Vec<RatedStretch>,
    /// The machines under the contract, with their times.
    pub holdings: Vec<Holding>,
    /// The sites where those machines stood, as far as facts show it.
    pub site_ids: BTreeSet<String>,
    /// The completeness of the inputs.
    pub completeness: Completeness,
    /// Accepted usage that is not billed, without amounts.
    pub exclusions: Exclusions,
    /// Accepted energy and work of its machines that was read for it and is not billed, without amounts.
    pub unbilled: Vec<Unbilled>,
    /// What policies decided about its sources.
    pub by_policy: Vec<ByPolicy>,
}

/// The completeness of the samples and readings behind a bill. All zero if the contract bills nothing sampled or
/// metered.
pub type Completeness = InputCompleteness;

/// Computes the bill: rates the usage in each version's part of the period by that version. `balances` is what
/// earlier invoices in the ledger left of grants and deposits; `defaults` are the terms that the last version of the
/// period does not state.
pub(crate) async fn bill<S: UsageStore>(
    store: &S,
    reference: &Reference,
    period_terms: PeriodTerms,
    mut balances: Balances,
    defaults: &BillingTerms,
    cut: u64,
) -> Result<Bill, BillerError> {
    let PeriodTerms { period, terms } = period_terms;
    let mut blocks: BTreeSet<BlockId> = BTreeSet::new();
    let (mut above, mut days) = (BTreeSet::new(), BTreeSet::new());
    let mut lines = Vec::new();
    let mut contract_versions = Vec::new();
    let mut stretches = Vec::new();
    let mut holdings: Vec<Holding> = Vec::new();
    let mut site_ids = BTreeSet::new();
    let mut completeness = Completeness::default();
    let mut parties = None;
    let mut exclusions = Exclusions::default();
    let mut unbilled = Vec::new();
    let mut by_policy = Vec::new();
    for part in terms {
        let mut reader = UsageReader::new(store, reference, &part, cut)?;
        let Counted { usage, prices, grants, deposits, coverage } =
            reader.count(period.interval, &balances).await?;
        blocks.append(&mut reader.blocks);
        above.append(&mut reader.above);
        days.append(&mut reader.days);
        let mut left_out = reader.excluded;
        let place = stretches.len();
        unbilled.extend(reader.unbilled.into_iter().map(|one| one.in_stretch(place)));
        unbilled.extend(of_other_chains(&usage.work, part.interval));
        by_policy.append(&mut reader.by_policy);
        for holding in reader.holdings {
            let facts = reference.facts.machine(&holding.machine_id, holding.interval);
            site_ids.extend(facts.map(|(_, fact)| fact.body.site_id.clone()));
            holdings.push(holding);
        }
        let stretch = RatedStretch {
            contract: part.body,
            contract_digest: part.digest.to_string(),
            period_start_us: period.interval.start_us,
            period_end_us: period.interval.end_us,
            start_us: part.interval.start_us,
            end_us: part.interval.end_us,
            prices,
            grants,
            deposits,
            usage,
        };
        left_out.extend(without_price(&part.contract, &stretch.usage.gpu_spans, part.interval));
        exclusions.add(stretches.len(), left_out);
        let rated = stretch.rate_by(&part.contract)?;
        balances.add(&rated);
        lines.extend(rated);
        stretches.push(stretch);
        completeness.add(&coverage);
        contract_versions.push(ContractVersion {
            start_us: part.interval.start_us,
            end_us: part.interval.end_us,
            digest: part.digest,
        });
        parties = Some(part.contract);
    }
    let contract = parties.ok_or_else(|| BillerError::NoTerms {
        contract_id: String::new(),
        period: period.text.clone(),
        cut,
    })?;
    let terms = terms_of(&contract, defaults);
    let mut committed = store.blocks(&blocks, 0, cut).await?;
    check_all_committed(&blocks, &committed, cut)?;
    let sealed = store.sealed_days(cut).await?;
    above.retain(|id| !blocks.contains(id));
    if !above.is_empty() {
        committed.extend(store.blocks(&above, sealed.cut, cut).await?);
    }
    let billed = Billed {
        legal_entity: contract.legal_entity.clone(),
        customer_id: contract.customer_id.clone(),
        contract_id: contract.contract_id.clone(),
        contract_versions,
        period: PeriodDocument::from(&period),
        terms,
        lines,
        cut,
        blocks: committed,
        days: days.iter().filter_map(|day| sealed.days.get(day).cloned()).collect(),
        chain_heads: store.chain_heads(cut).await?,
    };
    Ok(Bill { billed, stretches, holdings, site_ids, completeness, exclusions, unbilled, by_policy })
}

/// The contract's terms, completed by the operator's.
fn terms_of(contract: &Contract, defaults: &BillingTerms) -> BillingTerms {
    BillingTerms {
        approvals: contract.approvals.unwrap_or(defaults.approvals),
        payment_terms_days: contract.payment_terms_days.unwrap_or(defaults.payment_terms_days),
        completeness_ppm: contract.completeness_ppm.unwrap_or(defaults.completeness_ppm),
        late_fee_ppm: contract.late_fee_ppm.unwrap_or(defaults.late_fee_ppm),
    }
}

fn check_all_committed(
    needed: &BTreeSet<BlockId>,
    committed: &[wb_ledger::EvidenceBlock],
    cut: u64,
) -> Result<(), BillerError> {
    let found: BTreeSet<_> =
        committed.iter().map(|block| (block.topic.as_str(), block.partition, block.block)).collect();
    match needed.iter().find(|id| !found.contains(&(id.topic.as_str(), id.partition, id.block))) {
        None => Ok(()),
        Some(id) => Err(BillerError::Uncommitted {
            topic: id.topic.clone(),
            partition: id.partition,
            block: id.block,
            cut,
        }),
    }
}
