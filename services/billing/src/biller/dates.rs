//! The dates of acts: in an open month and not in the future, unless that is said twice.

use wb_units::Micros;
use wb_units::time::rfc3339;

use super::Biller;
use crate::error::BillerError;
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};

/// The date that is given for an act, and what is meant by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GivenDate<'a> {
    /// The date; the present where none is given.
    pub at_us: Option<Micros>,
    /// The customer that the act is about; all where none is given.
    pub customer: Option<&'a str>,
    /// A date in the future is meant.
    pub future_is_meant: bool,
    /// A date in a closed month is meant.
    pub closed_is_meant: bool,
}

impl<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock> Biller<L, S, C, K> {
    /// The date of an act.
    ///
    /// # Errors
    /// [`BillerError::FutureDate`] or [`BillerError::ClosedDate`], unless it is meant; an error of reading the ledger.
    pub async fn date(&self, given: GivenDate<'_>) -> Result<Micros, BillerError> {
        let now_us = self.clock.now_us();
        let Some(at_us) = given.at_us else { return Ok(now_us) };
        if at_us > now_us && !given.future_is_meant {
            return Err(BillerError::FutureDate { at: rfc3339(at_us), now: rfc3339(now_us) });
        }
        let at = rfc3339(at_us);
        let month = at.get(..7).unwrap_or_default();
        let state = self.state().await?;
        let is_of = |owner: &str| given.customer.is_none_or(|customer| owner == customer);
        let closed = state.closed_in(month).find(|closed| is_of(&closed.customer_id));
        match closed.filter(|_| !given.closed_is_meant) {
            Some(close) => Err(BillerError::ClosedDate {
                month: month.to_owned(),
                customer_id: close.customer_id.clone(),
                at: at.clone(),
            }),
            None => Ok(at_us),
        }
    }
}
