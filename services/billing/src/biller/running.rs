//! Running bills: the bills of open months so far, computed by the same function as invoices.
//!
//! The running bill of a month at a cut is the computation of its invoice, with every version of the contract cut off
//! at the last settlement boundary. After the month nothing is cut off, and the bill equals the one that the close
//! issues. A bill is computed again if something new can change it: rows of the contract's machines in blocks
//! committed since (of any machine, if the contract bills a site's losses or has accounts of schedulers), a new fact of
//! any kind, an invoice or note that changes what is left of grants and deposits, or the passing of a bounded time. Other
//! contracts are not read, and facts are read again only if some are new.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;
use wb_ledger::Draft;
use wb_rating::Period;
use wb_units::Micros;
use wb_units::time::{interval_start, rfc3339};

use super::{Biller, Drawn, balances_of};
use crate::bill::bill;
use crate::error::BillerError;
use crate::journal::Journal;
use crate::ports::{Clock, CutSource, LedgerLog, Touched, UsageStore};
use crate::reference::{PeriodTerms, Reference};
use crate::running_bill::RunningBill;
use crate::usage::Balances;

/// Limits of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningPace {
    /// The most bills of one pass; the rest come first in the next.
    pub bills_max: usize,
    /// How long a bill may stay unchanged without new data.
    pub idle_us: Micros,
}

impl Default for RunningPace {
    fn default() -> Self {
        Self { bills_max: 100, idle_us: 3_600_000_000 }
    }
}

/// The state behind running bills, so that only changed ones are computed. If it is lost, all are computed again.
#[derive(Default)]
pub struct RunningBills {
    reference: Option<(u64, Reference)>,
    known: BTreeMap<(String, String), Known>,
}

/// The inputs of a bill, and whether new data has touched it since.
struct Known {
    until_us: Micros,
    balances: Balances,
    machines: BTreeSet<String>,
    /// Whether rows of any machine may change it: it bills a site's losses, or an account's allocations on any node.
    of_any_machine: bool,
    touched: bool,
}

/// The result of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunningPass {
    /// The cut of the pass.
    pub cut: u64,
    /// The bills that were computed.
    pub bills: Vec<RunningBill>,
    /// How many due bills are left for the next pass.
    pub left: usize,
    /// Contracts that cannot be billed, with the error code.
    pub failed: Vec<(String, &'static str)>,
}

/// A bill to compute.
struct Due {
    contract_id: String,
    terms: PeriodTerms,
    until_us: Micros,
    balances: Balances,
    /// The end of the time when it was last computed.
    computed_us: Micros,
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Computes the due running bills at the newest cut of the tables, for the open months of all contracts: the
    /// present month, and the one before until it is closed.
    ///
    /// # Errors
    /// An error of reading ledger, facts or usage. The bills of the pass are computed again then.
    pub async fn run_bills(
        &self,
        bills: &mut RunningBills,
        pace: RunningPace,
    ) -> Result<RunningPass, BillerError> {
        let cut = self.store.committed_cut(u64::MAX).await?;
        let mut pass = RunningPass { cut, ..RunningPass::default() };
        let now_us = interval_start(self.clock.now_us());
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        self.note_touched(bills, cut).await?;
        let RunningBills { reference: Some((_, reference)), known } = bills else { return Ok(pass) };
        let mut due = Vec::new();
        let mut open = BTreeSet::new();
        for contract_id in reference.contract_ids() {
            match open_months(&journal, reference, contract_id, now_us) {
                Ok(months) => {
                    for terms in months {
                        let key = (contract_id.clone(), terms.period.text.clone());
                        due.extend(due_of(&journal, known.get(&key), (contract_id, terms), now_us, pace)?);
                        open.insert(key);
                    }
                }
                Err(error) => pass.failed.push((contract_id.clone(), error.code())),
            }
        }
        known.retain(|key, _| open.contains(key));
        due.sort_by(|left, right| {
            (left.computed_us, &left.contract_id).cmp(&(right.computed_us, &right.contract_id))
        });
        pass.left = due.len().saturating_sub(pace.bills_max);
        due.truncate(pace.bills_max);
        let mut read_ahead = 0;
        for (index, item) in due.iter().enumerate() {
            if index >= read_ahead {
                let rest = due.iter().skip(index).map(|due| Some(&due.terms));
                read_ahead = index + self.store.read_ahead(reference, rest, cut).await?;
            }
            let key = (item.contract_id.clone(), item.terms.period.text.clone());
            match self.computed(reference, item, cut).await {
                Ok(running) => pass.bills.push(running),
                Err(error) if error.stops_everything() => {
                    self.store.forget();
                    return Err(error);
                }
                Err(error) => {
                    warn!(contract_id = %item.contract_id, code = error.code(), %error, "no running bill");
                    pass.failed.push((item.contract_id.clone(), error.code()));
                }
            }
            // After a failure it waits for new data, so that it does not delay others in every pass.
            known.insert(key, known_of(reference, item));
        }
        self.store.forget();
        Ok(pass)
    }

    /// Computes the bill of a contract's month at a cut up to an instant; `None` if the contract has no terms in it
    /// before the instant.
    ///
    /// # Errors
    /// As [`Biller::recompute`].
    pub async fn running_bill(
        &self,
        contract_id: &str,
        period: &str,
        (cut, until_us): (u64, Micros),
    ) -> Result<Option<RunningBill>, BillerError> {
        self.check_reached(cut).await?;
        let reference = Reference::load(&self.store, cut).await?;
        let mut journal = self.journal.lock().await;
        journal.refresh(&self.log).await?;
        let terms = reference.terms_of(contract_id, period)?.and_then(|terms| cut_off(terms, until_us));
        let Some(terms) = terms else { return Ok(None) };
        let until_us = until_us.min(terms.period.interval.end_us);
        let balances = balances_of(&journal, contract_id, period, Drawn::ByOthers)?;
        let contract_id = contract_id.to_owned();
        let due = Due { contract_id, terms, until_us, balances, computed_us: Micros::MIN };
        self.computed(&reference, &due, cut).await.map(Some)
    }

    async fn computed(&self, reference: &Reference, due: &Due, cut: u64) -> Result<RunningBill, BillerError> {
        let (terms, balances) = (due.terms.clone(), due.balances.clone());
        let bill = bill(&self.store, reference, terms, balances, &self.defaults, cut).await?;
        let document = Draft::new(bill.billed)?.document().clone();
        Ok(RunningBill { cut, until_us: due.until_us, document, completeness: bill.completeness })
    }

    /// Advances the state to a cut: marks bills that new rows touch, and reads the facts if some are new.
    async fn note_touched(&self, bills: &mut RunningBills, cut: u64) -> Result<(), BillerError> {
        if let Some((at, _)) = bills.reference
            && at == cut
        {
            return Ok(());
        }
        let touched = match bills.reference {
            Some((at, _)) if at < cut => self.store.touched(at, cut).await?,
            _ => None,
        };
        match touched {
            Some(Touched { machine_ids, facts: false }) => {
                for known in bills.known.values_mut() {
                    known.touched |= (known.of_any_machine && !machine_ids.is_empty())
                        || !known.machines.is_disjoint(&machine_ids);
                }
                if let Some((at, _)) = &mut bills.reference {
                    *at = cut;
                }
            }
            _ => {
                let reference = Reference::load(&self.store, cut).await?;
                bills.known.values_mut().for_each(|known| known.touched = true);
                bills.reference = Some((cut, reference));
            }
        }
        Ok(())
    }
}

/// The months of a contract that have begun and are not closed: the present one and the one before, cut off at the
/// present.
fn open_months(
    journal: &Journal,
    reference: &Reference,
    contract_id: &str,
    now_us: Micros,
) -> Result<Vec<PeriodTerms>, BillerError> {
    let mut months = Vec::new();
    // In the contract's zone the month may have begun before or after that of UTC.
    for text in months_around(now_us) {
        if journal.state().closed(contract_id, &text).is_none()
            && let Some(terms) = reference.terms_of(contract_id, &text)?
            && let Some(terms) = cut_off(terms, now_us)
        {
            months.push(terms);
        }
    }
    Ok(months)
}

/// The UTC months before, of and after an instant, as far as they can be written.
fn months_around(now_us: Micros) -> Vec<String> {
    let text = rfc3339(now_us);
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month)) = (number(0..4), number(5..7)) else { return Vec::new() };
    let months = (year * 12 + month).saturating_sub(2)..=(year * 12 + month);
    let texts = months.map(|month| format!("{:04}-{:02}", month / 12, month % 12 + 1));
    texts.filter(|text| Period::month(text, "UTC").is_ok()).collect()
}

/// The terms before an instant.
fn cut_off(mut terms: PeriodTerms, until_us: Micros) -> Option<PeriodTerms> {
    terms.terms.retain(|part| part.interval.start_us < until_us);
    for part in &mut terms.terms {
        part.interval.end_us = part.interval.end_us.min(until_us);
    }
    (!terms.terms.is_empty()).then_some(terms)
}

fn due_of(
    journal: &Journal,
    known: Option<&Known>,
    (contract_id, terms): (&str, PeriodTerms),
    now_us: Micros,
    pace: RunningPace,
) -> Result<Option<Due>, BillerError> {
    let until_us = now_us.min(terms.period.interval.end_us);
    let balances = balances_of(journal, contract_id, &terms.period.text, Drawn::ByOthers)?;
    let is_due = known.is_none_or(|known| {
        let is_over = until_us == terms.period.interval.end_us && known.until_us < until_us;
        let is_old = until_us.saturating_sub(known.until_us) >= pace.idle_us && known.until_us < until_us;
        known.touched || is_over || is_old || known.balances != balances
    });
    let computed_us = known.map_or(Micros::MIN, |known| known.until_us);
    let contract_id = contract_id.to_owned();
    Ok(is_due.then_some(Due { contract_id, terms, until_us, balances, computed_us }))
}

fn known_of(reference: &Reference, due: &Due) -> Known {
    let mut machines = BTreeSet::new();
    let mut of_any_machine = false;
    for part in &due.terms.terms {
        let needs = part.contract.needs();
        let accounts = reference.accounts_of(&part.contract, part.interval);
        of_any_machine |= needs.sites || (needs.gpu_spans && accounts.is_ok_and(|found| !found.is_empty()));
        let held = reference.holdings(&part.contract, part.interval).unwrap_or_default();
        machines.extend(held.into_iter().map(|(holding, _)| holding.machine_id));
    }
    let (until_us, balances) = (due.until_us, due.balances.clone());
    Known { until_us, balances, machines, of_any_machine, touched: false }
}
