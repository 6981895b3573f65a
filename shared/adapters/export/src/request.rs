//! The request for an export.

use crate::error::ExportError;
use crate::options::Options;
use crate::words::{Format, JournalOption, Profile, Recognition, Table};

/// The most characters of a customer or a legal entity in a request, the same as for ids.
const NAME_CHARS_MAX: usize = 128;

/// A valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    table: Table,
    format: Format,
    profile: Option<Profile>,
    period: String,
    customer: Option<String>,
    legal_entity: Option<String>,
    options: Options,
}

impl Request {
    /// A request for one month, for all customers or one.
    ///
    /// # Errors
    /// [`ExportError::Request`] for a period that is not a month.
    pub fn new(
        table: Table,
        format: Format,
        period: &str,
        customer: Option<&str>,
    ) -> Result<Self, ExportError> {
        if !is_month(period) {
            let given: String = period.chars().take(40).collect();
            return Err(ExportError::Request {
                problem: format!("{given:?} is not a month; write it as 2026-10"),
            });
        }
        Ok(Self {
            table,
            format,
            profile: None,
            period: period.to_owned(),
            customer: customer.map(|id| name_of("a customer's id", id)).transpose()?,
            legal_entity: None,
            options: Options::default(),
        })
    }

    /// Limits the export to the books of one legal entity.
    ///
    /// # Errors
    /// [`ExportError::Request`] for an empty or a long name.
    pub fn with_legal_entity(mut self, legal_entity: &str) -> Result<Self, ExportError> {
        self.legal_entity = Some(name_of("a legal entity", legal_entity)?);
        Ok(self)
    }

    /// Writes the journal in the columns of an accounting system.
    ///
    /// # Errors
    /// [`ExportError::Request`] for anything but the journal as CSV, which is what those systems import.
    pub fn with_profile(mut self, profile: Profile) -> Result<Self, ExportError> {
        if self.table != Table::Journal || self.format != Format::Csv {
            let problem = format!("the profile {profile} is only for the journal as csv");
            return Err(ExportError::Request { problem });
        }
        self.profile = Some(profile);
        Ok(self)
    }

    /// States an option of a journal.
    ///
    /// # Errors
    /// [`ExportError::Request`] for a text that is not of the option's form, for an account that the journal does not
    /// have, and for another table than the journal.
    pub fn with_option(mut self, option: JournalOption, text: &str) -> Result<Self, ExportError> {
        if self.table != Table::Journal {
            let problem = format!("the option {option} is only for the journal");
            return Err(ExportError::Request { problem });
        }
        self.options.set(option, text)?;
        Ok(self)
    }

    /// That the options go with the accounting system. Checked when an export starts.
    pub(crate) fn check(&self) -> Result<(), ExportError> {
        let Some(profile) = self.profile else { return self.options.check(None) };
        // A QuickBooks company and a Xero organisation have the books of one legal entity.
        if profile != Profile::Netsuite && self.legal_entity.is_none() {
            let problem = format!(
                "a file for {profile} has the books of one legal entity; state which one (legal entity)"
            );
            return Err(ExportError::Request { problem });
        }
        self.options.check(Some(profile))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The accounting system, if there is one.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// The month.
    #[must_use]
    pub fn period(&self) -> &str {
        &self.period
    }

    /// The customer, if it is limited to one.
    #[must_use]
    pub fn customer(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    /// The legal entity, if it is limited to one.
    #[must_use]
    pub fn legal_entity(&self) -> Option<&str> {
        self.legal_entity.as_deref()
    }

    /// The service months whose invoices have rows besides the records that are dated in the month: with revenue by
    /// service period the month itself, whose revenue is accrued, and the one before, whose accrual is reversed.
    #[must_use]
    pub fn service_periods(&self) -> Vec<String> {
        if !self.is_by_service() {
            return Vec::new();
        }
        vec![self.period.clone(), month_before(&self.period)]
    }

    pub(crate) fn is_by_service(&self) -> bool {
        self.options.recognition == Recognition::Service
    }

    /// The name of the file, such as `weighbridge-lines-2026-10-acme.csv`. Special characters of a name become `_`, so
    /// that a name cannot refer to another folder.
    #[must_use]
    pub fn file_name(&self) -> String {
        let mut name = format!("weighbridge-{}", self.table);
        if let Some(profile) = self.profile {
            name.push_str(&format!("-{profile}"));
        }
        name.push_str(&format!("-{}", self.period));
        let part = (self.options.part > 1).then(|| format!("part{}", self.options.part));
        let currency = self.options.currency.map(|currency| currency.code().to_owned());
        for word in [&self.customer, &self.legal_entity, &currency, &part].into_iter().flatten() {
            name.push('-');
            name.extend(word.chars().map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
                _ => '_',
            }));
        }
        format!("{name}.{}", self.format)
    }
}

fn name_of(what: &str, given: &str) -> Result<String, ExportError> {
    if given.is_empty() || given.chars().count() > NAME_CHARS_MAX {
        let problem = format!("{what} has 1 to {NAME_CHARS_MAX} characters");
        return Err(ExportError::Request { problem });
    }
    Ok(given.to_owned())
}

/// The month before one such as `2026-01`.
fn month_before(text: &str) -> String {
    let number = |part: &str| part.parse::<u32>().unwrap_or_default();
    let (year, month) = text.split_once('-').map_or((0, 1), |(year, month)| (number(year), number(month)));
    match month {
        0 | 1 => format!("{:04}-12", year.saturating_sub(1)),
        _ => format!("{year:04}-{:02}", month.saturating_sub(1)),
    }
}

fn is_month(text: &str) -> bool {
    let Some((year, month)) = text.split_once('-') else { return false };
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4) && digits(month, 2) && ("01"..="12").contains(&month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_refused() {
        let code = |made: Result<Request, ExportError>| made.map_err(|error| error.code()).err();
        let make = |period, customer| Request::new(Table::Lines, Format::Csv, period, customer);
        for wrong in ["", "2026", "2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "2026-1o", "../../x"]
        {
            assert_eq!(code(make(wrong, None)), Some("WB-5821"), "{wrong}");
        }
        assert_eq!(code(make("2026-10", Some(""))), Some("WB-5821"));
        assert_eq!(code(make("2026-10", None).unwrap().with_profile(Profile::Xero)), Some("WB-5821"));
        let jsonl = Request::new(Table::Journal, Format::Jsonl, "2026-10", None).unwrap();
        assert_eq!(code(jsonl.with_profile(Profile::Xero)), Some("WB-5821"));
        let journal = || Request::new(Table::Journal, Format::Csv, "2026-10", None).unwrap();
        for (option, wrong) in [
            (JournalOption::Account, ""),
            (JournalOption::Account, "="),
            (JournalOption::Account, "revenue"),
            (JournalOption::Account, "revenue="),
            (JournalOption::Account, "=4000"),
            (JournalOption::Account, "reveneu=4000"),
            (JournalOption::CustomerName, "acme"),
            (JournalOption::Subsidiary, "=Weigh"),
            (JournalOption::Currency, "usd"),
            (JournalOption::Revenue, "later"),
            (JournalOption::Part, "0"),
            (JournalOption::Part, "one"),
            (JournalOption::TaxRate, ""),
        ] {
            assert_eq!(code(journal().with_option(option, wrong)), Some("WB-5821"), "{option} {wrong}");
        }
        let lines = make("2026-10", None).unwrap();
        assert_eq!(code(lines.with_option(JournalOption::Account, "revenue=1")), Some("WB-5821"));
        assert_eq!(code(journal().with_legal_entity("")), Some("WB-5821"));
        assert!("line".parse::<Table>().unwrap_err().to_string().contains("invoices, lines, usage"));
    }

    #[test]
    fn tables_are_of_kinds_that_the_ledger_has() {
        for table in Table::ALL {
            assert!(table.kinds().iter().all(|kind| wb_ledger::Event::KINDS.contains(kind)), "{table}");
            assert!(Table::Lines.kinds().iter().all(|kind| table.kinds().contains(kind)), "{table}");
        }
    }

    #[test]
    fn a_customer_names_no_other_folder() {
        let request = Request::new(Table::Focus, Format::Parquet, "2026-10", Some("../a b")).unwrap();
        assert_eq!(request.file_name(), "weighbridge-focus-2026-10-___a_b.parquet");
        let journal = Request::new(Table::Journal, Format::Csv, "2026-10", None).unwrap();
        let journal = journal.with_profile(Profile::Netsuite).unwrap();
        assert_eq!(journal.file_name(), "weighbridge-journal-netsuite-2026-10.csv");
        let journal = journal.with_legal_entity("Weigh EU/1").unwrap();
        let journal = journal.with_option(JournalOption::Currency, "EUR").unwrap();
        let journal = journal.with_option(JournalOption::Part, "2").unwrap();
        assert_eq!(journal.file_name(), "weighbridge-journal-netsuite-2026-10-Weigh_EU_1-EUR-part2.csv");
    }

    #[test]
    fn revenue_by_service_needs_the_month_and_the_one_before() {
        let of = |period| {
            let journal = Request::new(Table::Journal, Format::Csv, period, None).unwrap();
            journal.with_option(JournalOption::Revenue, "service").unwrap().service_periods()
        };
        assert_eq!(of("2026-10"), ["2026-10", "2026-09"]);
        assert_eq!(of("2026-01"), ["2026-01", "2025-12"]);
        let lines = Request::new(Table::Lines, Format::Csv, "2026-10", None).unwrap();
        assert!(lines.service_periods().is_empty());
    }

    #[test]
    fn a_file_for_one_organisation_states_its_entity_and_currency() {
        let of = |profile| {
            let journal = Request::new(Table::Journal, Format::Csv, "2026-10", None).unwrap();
            journal.with_profile(profile).unwrap()
        };
        let entity = |profile| of(profile).with_legal_entity("Weigh AS").unwrap();
        let refused = |request: &Request| request.check().map_err(|error| error.to_string()).err();
        for profile in [Profile::Quickbooks, Profile::Xero] {
            assert!(refused(&of(profile)).unwrap().contains("one legal entity"), "{profile}");
        }
        assert_eq!(refused(&of(Profile::Netsuite)), None);
        assert_eq!(refused(&entity(Profile::Quickbooks)), None);
        assert!(refused(&entity(Profile::Xero)).unwrap().contains("one currency"));
        let xero = entity(Profile::Xero).with_option(JournalOption::Currency, "EUR").unwrap();
        assert_eq!(refused(&xero), None);
        let named = xero.with_option(JournalOption::Subsidiary, "Weigh AS=Parent : Weigh").unwrap();
        assert!(refused(&named).unwrap().contains("only netsuite"));
    }
}
