//! Reads the usage of one version of a contract in its part of a period: exactly what its components need.

mod balances;
mod gpu;
mod machines;
mod policies;
mod prices;
mod receipts;
pub(crate) mod rest;
mod sites;

use std::collections::BTreeSet;

use wb_metering::billable::InputCompleteness;
use wb_metering::corrections::Corrections;
use wb_rating::{CountGroup, DepositHeld, Needs, PrepaidGrant, PriceFact, Usage};
use wb_units::Interval;
use wb_units::decimal::{self, Excess};

pub(crate) use balances::Balances;

use crate::error::BillerError;
use crate::exclusion::Exclusion;
use crate::policy::ByPolicy;
use crate::ports::{BlockId, Holding, SealedDays, UsageStore};
use crate::reference::{Reference, Terms};
use crate::unbilled::Unbilled;

/// The inputs of rating a stretch.
pub(crate) struct Counted {
    pub(crate) usage: Usage,
    pub(crate) prices: Vec<PriceFact>,
    pub(crate) grants: Vec<PrepaidGrant>,
    pub(crate) deposits: Vec<DepositHeld>,
    pub(crate) coverage: InputCompleteness,
}

/// Reads the usage of a stretch, and collects the blocks that it came from.
pub(crate) struct UsageReader<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) reference: &'a Reference,
    pub(crate) part: &'a Terms,
    pub(crate) needs: Needs,
    pub(crate) cut: u64,
    /// The machines under the contract in the stretch.
    pub(crate) holdings: Vec<Holding>,
    pub(crate) blocks: BTreeSet<BlockId>,
    /// Blocks that count only if they are committed above the sealed days.
    pub(crate) above: BTreeSet<BlockId>,
    /// Sealed days that stand for their blocks.
    pub(crate) days: BTreeSet<i32>,
    /// The sealed days at the cut.
    pub(crate) sealed: SealedDays,
    /// The corrections at the cut.
    pub(crate) corrections: Corrections,
    /// Allocations that are not billed.
    pub(crate) excluded: Vec<Exclusion>,
    /// Energy of meters that is not billed.
    pub(crate) unbilled: Vec<Unbilled>,
    /// What policies decided about sources.
    pub(crate) by_policy: Vec<ByPolicy>,
}

impl<'a, S: UsageStore> UsageReader<'a, S> {
    /// Creates a reader; looks up the assignments.
    pub(crate) fn new(
        store: &'a S,
        reference: &'a Reference,
        part: &'a Terms,
        cut: u64,
    ) -> Result<Self, BillerError> {
        let mut holdings = Vec::new();
        let mut blocks = BTreeSet::from([part.block.clone()]);
        for (holding, block) in reference.holdings(&part.contract, part.interval)? {
            holdings.push(holding);
            blocks.insert(block.clone());
        }
        let needs = part.contract.needs();
        Ok(Self {
            store,
            reference,
            part,
            needs,
            cut,
            holdings,
            blocks,
            above: BTreeSet::new(),
            days: BTreeSet::new(),
            sealed: SealedDays::default(),
            corrections: Corrections::default(),
            excluded: Vec::new(),
            unbilled: Vec::new(),
            by_policy: Vec::new(),
        })
    }

    /// Reads all that the contract needs. `balances` is what earlier invoices left.
    pub(crate) async fn count(
        &mut self,
        period: Interval,
        balances: &Balances,
    ) -> Result<Counted, BillerError> {
        let mut usage = Usage::default();
        let corrections = self.store.corrections(self.cut).await?;
        self.sealed = self.store.sealed_days(self.cut).await?;
        if self.needs.work {
            let party = std::slice::from_ref(&self.holdings);
            for work in self.store.work_of_each(party, &corrections, self.cut).await?.works {
                usage.work.extend(work.groups);
                self.above.extend(work.above);
            }
            for holding in &self.holdings {
                self.days.extend(self.sealed.within(holding.interval));
            }
        }
        if !corrections.resolved.is_empty() {
            // Voided events leave no rows, so the blocks of the corrections are listed as evidence.
            self.blocks.extend(corrections.blocks);
        }
        self.corrections = corrections.resolved;
        if self.needs.work_slices {
            usage.work_slices = self.store.work_slices(&self.holdings, self.cut).await?;
        }
        let coverage = self.add_machines(&mut usage).await?;
        if self.needs.sites {
            usage.sites = self.sites().await?;
        }
        if self.needs.gpu_spans {
            usage.gpu_spans = self.gpu_spans().await?;
        }
        if self.needs.gpu_availability {
            (usage.gpu_availability, usage.gpu_outages) = self.gpu_availability()?;
        }
        if self.needs.receipts {
            usage.receipts = self.receipts()?;
        }
        usage.counts = self.counts()?;
        let prices = self.prices(period).await?;
        let grants = self.grants(balances)?;
        let deposits = self.deposits(balances)?;
        Ok(Counted { usage, prices, grants, deposits, coverage })
    }

    /// The counts of the contract with an instant in the stretch.
    fn counts(&mut self) -> Result<Vec<CountGroup>, BillerError> {
        let mut counts = Vec::new();
        for fact in &self.reference.facts.counts {
            let is_asked = fact.body.contract_id == self.part.contract.contract_id
                && self.part.interval.contains(fact.at_us)
                && self.needs.counts.contains(&fact.body.meter);
            if !is_asked {
                continue;
            }
            let value = decimal::parse(&fact.body.value, wb_events::facts::COUNT_PLACES, Excess::Refuse);
            let value_micro = value.ok().and_then(|value| u128::try_from(value).ok());
            let value_micro = value_micro.ok_or_else(|| BillerError::Fact {
                kind: "count",
                entity: fact.entity.clone(),
                detail: format!(
                    "{:?} is not a count of zero or more with at most six places",
                    fact.body.value
                ),
            })?;
            self.blocks.insert(fact.block.clone());
            counts.push(CountGroup { meter: fact.body.meter.clone(), value_micro });
        }
        Ok(counts)
    }
}
