//! The journal: postings of what the ledger holds, debits equal to credits in every entry and currency.

use std::collections::BTreeMap;

use wb_ledger::Invoice;
use wb_units::Currency;

use crate::cell::day_of;
use crate::error::ExportError;
use crate::exporter::IssuedInvoice;
use crate::rows::{amount, is_tax};

/// What customers owe.
pub const RECEIVABLE: &str = "Accounts Receivable";
/// What was charged to them.
pub const REVENUE: &str = "Hosting Revenue";
/// What is held for the tax offices.
pub const TAX_PAYABLE: &str = "Sales Tax Payable";

/// One side of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The entry: all postings of one id balance.
    pub entry_id: String,
    /// The day, since 1970-01-01 in UTC.
    pub day: i32,
    /// The account.
    pub account: String,
    /// What is debited, in minor units; never negative.
    pub debit_minor: i128,
    /// What is credited, in minor units; never negative.
    pub credit_minor: i128,
    /// Of which currency.
    pub currency: Currency,
    /// The document's number.
    pub document: String,
    /// Whose it is.
    pub customer_id: String,
    /// What it is for.
    pub memo: String,
}

/// The postings of an issued invoice: one entry for each of its currencies, dated with the day of issue in
/// UTC. What the customer owes is debited; each line is credited to revenue or tax. A line that is in the
/// customer's favour is posted on the other side, so that no side is negative. A line of nothing has none.
///
/// # Errors
/// [`ExportError`] for an amount that cannot be read, and [`ExportError::Unbalanced`] where an entry does not
/// balance.
pub fn of_invoice(issued: &IssuedInvoice<'_>) -> Result<Vec<Posting>, ExportError> {
    let invoice = issued.invoice;
    let mut by_currency: BTreeMap<&'static str, (Currency, Vec<Posting>)> = BTreeMap::new();
    for line in &invoice.lines {
        let (currency, minor) = amount(invoice, line)?;
        let account = if is_tax(&line.kind) { TAX_PAYABLE } else { REVENUE };
        let memo = format!("{}: {}", line.id, line.description);
        let credited = posting(issued, currency, account, -minor, memo);
        by_currency.entry(currency.code()).or_insert_with(|| (currency, Vec::new())).1.extend(credited);
    }
    let mut all = Vec::new();
    for (currency, lines) in by_currency.into_values() {
        let owed = net(invoice, currency, &lines)?;
        let memo = format!("Invoice {} for {}", invoice.number, invoice.period.text);
        all.extend(posting(issued, currency, RECEIVABLE, -owed, memo));
        all.extend(lines);
    }
    check(&all)?;
    Ok(all)
}

/// A posting of an amount: a debit where it is above nothing, a credit where it is below.
fn posting(
    issued: &IssuedInvoice<'_>,
    currency: Currency,
    account: &str,
    minor: i128,
    memo: String,
) -> Option<Posting> {
    let invoice = issued.invoice;
    (minor != 0).then(|| Posting {
        entry_id: format!("{}-{}", invoice.number, currency.code()),
        day: day_of(issued.issued_at_us),
        account: account.to_owned(),
        debit_minor: minor.max(0),
        credit_minor: minor.min(0).saturating_neg(),
        currency,
        document: invoice.number.clone(),
        customer_id: invoice.customer_id.clone(),
        memo,
    })
}

/// Debits less credits.
fn net(invoice: &Invoice, currency: Currency, postings: &[Posting]) -> Result<i128, ExportError> {
    let add = |sum: i128, posting: &Posting| {
        sum.checked_add(posting.debit_minor)?.checked_sub(posting.credit_minor)
    };
    postings.iter().try_fold(0_i128, add).ok_or_else(|| ExportError::Width {
        place: format!("the entry of invoice {} in {}", invoice.number, currency.code()),
        field: "the sum of its postings",
        given: "beyond 2^127 minor units".to_owned(),
        kind: "128 bits",
    })
}

/// Whether every entry balances in every currency.
///
/// # Errors
/// [`ExportError::Unbalanced`] naming the first entry that does not.
pub fn check(postings: &[Posting]) -> Result<(), ExportError> {
    let mut entries: BTreeMap<(&str, &str), (i128, i128)> = BTreeMap::new();
    for posting in postings {
        let sums = entries.entry((&posting.entry_id, posting.currency.code())).or_default();
        sums.0 = sums.0.saturating_add(posting.debit_minor);
        sums.1 = sums.1.saturating_add(posting.credit_minor);
    }
    match entries.into_iter().find(|(_, (debits, credits))| debits != credits) {
        None => Ok(()),
        Some(((entry, currency), (debits, credits))) => Err(ExportError::Unbalanced {
            place: format!("journal entry {entry}"),
            currency: currency.to_owned(),
            left_name: "debits are",
            left: debits,
            right_name: "credits are",
            right: credits,
        }),
    }
}
