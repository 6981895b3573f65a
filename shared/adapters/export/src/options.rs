//! The options of a journal.

use std::collections::BTreeMap;

use wb_units::Currency;

use crate::accounts::{Accounts, split};
use crate::error::ExportError;
use crate::words::{JournalOption, Profile, Recognition};

/// Xero's name for a line without tax; tax is a separate line here.
const NO_TAX: &str = "Tax Exempt";

/// The most characters of the name of a tax rate.
const TAX_RATE_CHARS_MAX: usize = 50;

/// The options of a journal, with their defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) accounts: Accounts,
    customers: BTreeMap<String, String>,
    subsidiaries: BTreeMap<String, String>,
    pub(crate) currency: Option<Currency>,
    pub(crate) recognition: Recognition,
    tax_rate: Option<String>,
    /// The number of the file, from 1 on.
    pub(crate) part: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            accounts: Accounts::default(),
            customers: BTreeMap::new(),
            subsidiaries: BTreeMap::new(),
            currency: None,
            recognition: Recognition::Issue,
            tax_rate: None,
            part: 1,
        }
    }
}

impl Options {
    pub(crate) fn set(&mut self, option: JournalOption, text: &str) -> Result<(), ExportError> {
        let refuse = |right: &str| {
            let given: String = text.chars().take(40).collect();
            Err(ExportError::Request { problem: format!("{option} {given:?}: {right}") })
        };
        match option {
            JournalOption::Account => self.accounts.add(text)?,
            JournalOption::CustomerName => {
                let (id, name) = split(text, "customer name", "ID=NAME, such as acme=Acme Inc.")?;
                self.customers.insert(id.to_owned(), name.to_owned());
            }
            JournalOption::Subsidiary => {
                let (entity, name) = split(text, "subsidiary", "ENTITY=NAME, such as weigh-eu=Weigh : EU")?;
                self.subsidiaries.insert(entity.to_owned(), name.to_owned());
            }
            JournalOption::Currency => match Currency::from_code(text) {
                Ok(currency) => self.currency = Some(currency),
                Err(_) => return refuse("write the code of a currency, such as EUR"),
            },
            JournalOption::Revenue => self.recognition = text.parse()?,
            JournalOption::TaxRate if text.is_empty() || text.chars().count() > TAX_RATE_CHARS_MAX => {
                return refuse("a tax rate's name has 1 to 50 characters");
            }
            JournalOption::TaxRate => self.tax_rate = Some(text.to_owned()),
            JournalOption::Part => match text.parse() {
                Ok(part) if part > 0 => self.part = part,
                _ => return refuse("write the number of the file, from 1 on"),
            },
        }
        Ok(())
    }

    /// That only options are set that the accounting system has, and those that it needs.
    pub(crate) fn check(&self, profile: Option<Profile>) -> Result<(), ExportError> {
        let is = |wanted| profile == Some(wanted);
        let problem = if is(Profile::Xero) && self.currency.is_none() {
            "a Xero file has no column for the currency and is imported in that of the organisation, so it has one \
             currency; state which one (currency)"
        } else if !self.subsidiaries.is_empty() && !is(Profile::Netsuite) {
            "only netsuite has subsidiaries"
        } else if self.tax_rate.is_some() && !is(Profile::Xero) {
            "only xero names a tax rate on each line"
        } else if self.part > 1 && !is(Profile::Xero) {
            "only a file for xero has parts"
        } else {
            return Ok(());
        };
        Err(ExportError::Request { problem: problem.to_owned() })
    }

    pub(crate) fn customer<'a>(&'a self, id: &'a str) -> &'a str {
        self.customers.get(id).map_or(id, String::as_str)
    }

    pub(crate) fn subsidiary<'a>(&'a self, legal_entity: &'a str) -> &'a str {
        self.subsidiaries.get(legal_entity).map_or(legal_entity, String::as_str)
    }

    pub(crate) fn tax_rate(&self) -> &str {
        self.tax_rate.as_deref().unwrap_or(NO_TAX)
    }
}
