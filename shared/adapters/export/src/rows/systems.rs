//! The journal in the columns of accounting systems, and what these systems import.

use wb_units::decimal;

use crate::cell::{Cell, Column, Kind, day_text};
use crate::error::ExportError;
use crate::options::Options;
use crate::postings::Posted;
use crate::words::Profile;

const QUICKBOOKS: &[Column] = &[
    Column::new("JournalNo", Kind::Text),
    Column::new("JournalDate", Kind::Word),
    Column::new("AccountName", Kind::Text),
    Column::or_null("Debits", Kind::Money),
    Column::or_null("Credits", Kind::Money),
    Column::new("Description", Kind::Text),
    Column::new("Name", Kind::Text),
    Column::new("Currency", Kind::Word),
];

const XERO: &[Column] = &[
    Column::new("*Narration", Kind::Text),
    Column::new("*Date", Kind::Word),
    Column::new("Description", Kind::Text),
    Column::new("*AccountCode", Kind::Text),
    Column::new("*TaxRate", Kind::Word),
    Column::new("*Amount", Kind::Money),
    Column::or_null("TrackingName1", Kind::Text),
    Column::or_null("TrackingOption1", Kind::Text),
    Column::or_null("TrackingName2", Kind::Text),
    Column::or_null("TrackingOption2", Kind::Text),
];

const NETSUITE: &[Column] = &[
    Column::new("External ID", Kind::Text),
    Column::new("Date", Kind::Word),
    Column::new("Subsidiary", Kind::Text),
    Column::new("Currency", Kind::Word),
    Column::new("Account", Kind::Text),
    Column::or_null("Debit", Kind::Money),
    Column::or_null("Credit", Kind::Money),
    Column::new("Memo", Kind::Text),
    Column::new("Name", Kind::Text),
];

/// What a system takes in a column.
struct Rule {
    column: &'static str,
    /// The most characters of a text, or digits before the point of an amount.
    characters_max: usize,
    words: &'static str,
}

const fn rule(column: &'static str, characters_max: usize, words: &'static str) -> Rule {
    Rule { column, characters_max, words }
}

const QUICKBOOKS_RULES: &[Rule] = &[
    rule("JournalNo", 21, "quickbooks takes at most 21 characters"),
    rule("AccountName", 100, "quickbooks takes at most 100 characters"),
    rule("Debits", 11, "quickbooks takes at most 11 digits before the point"),
    rule("Credits", 11, "quickbooks takes at most 11 digits before the point"),
    rule("Description", 4_000, "quickbooks takes at most 4000 characters"),
    rule("Name", 100, "quickbooks takes at most 100 characters"),
];

const XERO_RULES: &[Rule] = &[
    rule("*Narration", 4_000, "xero takes at most 4000 characters"),
    rule("Description", 4_000, "xero takes at most 4000 characters"),
    rule("*AccountCode", 10, "xero takes at most 10 characters"),
    rule("*TaxRate", 50, "xero takes at most 50 characters"),
];

const NETSUITE_RULES: &[Rule] = &[
    rule("Debit", 10, "netsuite takes at most 10 digits before the point"),
    rule("Credit", 10, "netsuite takes at most 10 digits before the point"),
    rule("Memo", 999, "netsuite takes at most 999 characters"),
];

pub(super) fn columns(profile: Profile) -> &'static [Column] {
    match profile {
        Profile::Quickbooks => QUICKBOOKS,
        Profile::Xero => XERO,
        Profile::Netsuite => NETSUITE,
    }
}

/// The row of a posting.
///
/// # Errors
/// [`ExportError::Rule`] if the system would refuse the row.
pub(super) fn row(profile: Profile, posting: &Posted, options: &Options) -> Result<Vec<Cell>, ExportError> {
    let (cells, rules) = match profile {
        Profile::Quickbooks => (quickbooks(posting, options), QUICKBOOKS_RULES),
        Profile::Xero => (xero(posting, options), XERO_RULES),
        Profile::Netsuite => (netsuite(posting, options), NETSUITE_RULES),
    };
    for (column, cell) in columns(profile).iter().zip(&cells) {
        let Some(rule) = rules.iter().find(|rule| rule.column == column.name) else { continue };
        let length = match cell {
            Cell::Money(money) => {
                let text = decimal::format(money.minor, money.currency.scale());
                let whole = text.split('.').next().unwrap_or_default();
                whole.trim_start_matches('-').len()
            }
            other => other.plain().chars().count(),
        };
        if length > rule.characters_max {
            return Err(ExportError::Rule {
                entry: posting.entry_id.clone(),
                column: column.name,
                given: cell.plain().chars().take(64).collect(),
                rule: rule.words,
            });
        }
    }
    Ok(cells)
}

/// One side as these systems expect it: empty if the posting is on the other side.
fn side(minor: i128, posting: &Posted) -> Cell {
    if minor == 0 { Cell::Null } else { Cell::money(minor, posting.currency) }
}

/// Year, month and day of a posting.
fn date(posting: &Posted) -> (String, String, String) {
    let text = day_text(posting.day);
    let mut parts = text.splitn(3, '-').map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn quickbooks(posting: &Posted, options: &Options) -> Vec<Cell> {
    let (year, month, day) = date(posting);
    vec![
        Cell::text(&posting.entry_id),
        Cell::Text(format!("{month}/{day}/{year}")),
        Cell::text(&posting.account),
        side(posting.debit_minor, posting),
        side(posting.credit_minor, posting),
        Cell::text(&posting.memo),
        Cell::text(options.customer(&posting.customer_id)),
        Cell::text(posting.currency.code()),
    ]
}

fn xero(posting: &Posted, options: &Options) -> Vec<Cell> {
    let (year, month, day) = date(posting);
    vec![
        Cell::Text(format!("{} {}", posting.entry_id, options.customer(&posting.customer_id))),
        Cell::Text(format!("{day}/{month}/{year}")),
        Cell::text(&posting.memo),
        Cell::text(&posting.account),
        Cell::text(options.tax_rate()),
        Cell::money(posting.debit_minor.saturating_sub(posting.credit_minor), posting.currency),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]
}

fn netsuite(posting: &Posted, options: &Options) -> Vec<Cell> {
    let (year, month, day) = date(posting);
    vec![
        Cell::text(&posting.entry_id),
        Cell::Text(format!("{month}/{day}/{year}")),
        Cell::text(options.subsidiary(&posting.legal_entity)),
        Cell::text(posting.currency.code()),
        Cell::text(&posting.account),
        side(posting.debit_minor, posting),
        side(posting.credit_minor, posting),
        Cell::text(&posting.memo),
        Cell::text(options.customer(&posting.customer_id)),
    ]
}
