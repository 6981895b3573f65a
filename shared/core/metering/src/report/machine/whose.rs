//! Whose allocations a report is about.

use std::borrow::Cow;

use wb_units::Interval;

use super::Record;
use super::holdings::Held;
use crate::gpu::accounts::Accounts;
use crate::gpu::allocation::Allocation;

/// Whose allocations are, and of whom they are reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whose {
    /// The customers that accounts of schedulers are mapped to.
    pub accounts: Accounts<String>,
    /// The customer that the report is for; `None` for the operator, whose report is of all.
    pub customer: Option<String>,
}

impl Whose {
    /// The times for which allocations of an account on a machine are somebody's, or in a customer's report its own.
    pub(super) fn times_of(&self, account: &str, assigned: &[Interval]) -> Vec<Interval> {
        self.accounts.times_of(account, assigned, |customer_id| self.is_reported(customer_id))
    }

    fn is_reported(&self, customer_id: &str) -> bool {
        self.customer.as_ref().is_none_or(|customer| customer == customer_id)
    }

    /// What is held of a machine, of a customer's report only what is the customer's.
    pub(super) fn own(&self, held: Held, assigned: &[Interval]) -> Held {
        if self.customer.is_none() {
            return held;
        }
        let part = |allocation: &Allocation| {
            self.accounts.parts_of(allocation, assigned, |customer_id| self.is_reported(customer_id))
        };
        Held {
            accepted: held.accepted.iter().flat_map(part).collect(),
            scheduled: held.scheduled.iter().flat_map(part).collect(),
            // Reasons name the other allocations.
            refused: Vec::new(),
            excluded: Vec::new(),
        }
    }

    /// The record with rows of others' allocations only where the report is of all. An account that is not mapped has the
    /// rows that lie in the time of the node's holder.
    pub(super) fn record<'a>(&self, record: &'a Record) -> Cow<'a, Record> {
        let is_own = |span: &crate::gpu::Span| {
            let times = self.times_of(&span.account, &record.assigned);
            let time = span.allocation();
            times.into_iter().any(|own| time.within(own).is_some())
        };
        if self.customer.is_none() || record.spans.iter().all(|row| is_own(&row.span)) {
            return Cow::Borrowed(record);
        }
        let mut own = record.clone();
        own.spans.retain(|row| is_own(&row.span));
        Cow::Owned(own)
    }
}
