//! Usage under a contract that its bill does not read, because no component needs it or no version is in effect.

use wb_units::Interval;

use super::Biller;
use super::close::Progress;
use crate::error::BillerError;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::reference::Reference;
use crate::unbilled::UnbilledList;
use crate::usage::rest::{Ask, rest};

/// Why usage is not billed that a contract has no component for.
const NOT_BILLED: &str = "no component of the contract bills it";
/// Why usage is not billed between two versions, or before the first.
const NO_VERSION: &str = "the machine is assigned to the contract while no version of it is in effect";

/// What a contract's bill for a month does not read of the machines that are assigned to it.
pub(super) fn asks_of(
    reference: &Reference,
    contract_id: &str,
    period: &str,
) -> Result<Vec<Ask>, BillerError> {
    let terms = reference.terms_of(contract_id, period)?;
    let month = match &terms {
        Some(terms) => Some(terms.period.interval),
        None => reference.month_of(contract_id, period)?.map(|month| month.interval),
    };
    let Some(month) = month else { return Ok(Vec::new()) };
    let mut asks = Vec::new();
    let mut governed = Vec::new();
    for part in terms.iter().flat_map(|terms| &terms.terms) {
        let needs = part.contract.needs();
        governed.push(part.interval);
        asks.push(Ask {
            reason: NOT_BILLED.to_owned(),
            contract_id: contract_id.to_owned(),
            within: part.interval,
            held: reference.assigned(contract_id, part.interval),
            work: !needs.work,
            energy: !needs.energy,
            gpus: !needs.gpu_spans,
        });
    }
    for gap in without(month, governed) {
        let held = reference.assigned(contract_id, gap);
        asks.push(Ask {
            reason: NO_VERSION.to_owned(),
            contract_id: contract_id.to_owned(),
            within: gap,
            held,
            work: true,
            energy: true,
            gpus: true,
        });
    }
    asks.retain(|ask| {
        !ask.held.is_empty() || (ask.gpus && !reference.mapped_to(contract_id, ask.within).is_empty())
    });
    Ok(asks)
}

/// What is left of a time without some others.
pub(super) fn without(whole: Interval, others: Vec<Interval>) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut from_us = whole.start_us;
    for other in Interval::union(others).iter().filter_map(|other| other.intersect(&whole)) {
        left.extend(Interval::new(from_us, other.start_us));
        from_us = other.end_us;
    }
    left.extend(Interval::new(from_us, whole.end_us));
    left.retain(|part| part.duration_us() > 0);
    left
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// Reads and tells the usage that the bills of some contracts did not read, of all of them at once.
    pub(super) async fn tell_unread(
        &self,
        reference: &Reference,
        (contract_ids, period): (&[&str], &str),
        cut: u64,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<(), BillerError> {
        let (mut owners, mut asks) = (Vec::new(), Vec::new());
        for contract_id in contract_ids {
            // A contract whose terms cannot be read has failed already.
            for ask in asks_of(reference, contract_id, period).unwrap_or_default() {
                owners.push(*contract_id);
                asks.push(ask);
            }
        }
        let answers = rest(&self.store, reference, &asks, cut).await?;
        for contract_id in contract_ids {
            let own = owners.iter().zip(&answers).filter(|(owner, _)| *owner == contract_id);
            let found: Vec<_> = own.flat_map(|(_, answer)| answer.iter().cloned()).collect();
            if !found.is_empty() {
                let unbilled = UnbilledList::of(found);
                progress(&Progress::Unbilled { contract_id: (*contract_id).to_owned(), unbilled });
            }
        }
        Ok(())
    }
}
