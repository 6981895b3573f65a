//! The request for an export.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::ExportError;
use crate::postings::KINDS as JOURNAL_KINDS;

/// The most characters of a customer in a request, the same as for ids.
const CUSTOMER_CHARS_MAX: usize = 128;

macro_rules! words {
    ($(#[$about:meta])* $name:ident, $what:literal, $($(#[$doc:meta])* $variant:ident => $word:literal,)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them, in the order of this documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ExportError;

            fn from_str(text: &str) -> Result<Self, ExportError> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    let given: String = text.chars().take(40).collect();
                    ExportError::Request {
                        problem: format!(concat!("there is no ", $what, " {:?}: known are {}"), given, known.join(", ")),
                    }
                })
            }
        }
    };
}

/// The kinds of records that are documents of a customer.
const DOCUMENT_KINDS: &[&str] = &["invoice_issued", "credit_note_issued", "debit_note_issued"];

words! {
    /// The table to export.
    Table, "export",
    /// A row for each invoice and each of its currencies.
    Invoices => "invoices",
    /// A row for each line.
    Lines => "lines",
    /// A row for each input that a line lists.
    Usage => "usage",
    /// A row for each posting of the double-entry journal.
    Journal => "journal",
    /// A row for each charge, by FOCUS 1.2.
    Focus => "focus",
}

words! {
    /// The format of rows.
    Format, "format",
    /// RFC 4180, UTF-8.
    Csv => "csv",
    /// One canonical JSON object a line.
    Jsonl => "jsonl",
    /// Apache Parquet.
    Parquet => "parquet",
}

words! {
    /// The accounting system that imports a journal.
    Profile, "profile",
    /// QuickBooks Online: Import data, Journal entries.
    Quickbooks => "quickbooks",
    /// Xero: Manual journals, Import.
    Xero => "xero",
    /// NetSuite: Import journal entries.
    Netsuite => "netsuite",
}

impl Table {
    /// The kinds of ledger records that have rows in it.
    #[must_use]
    pub fn kinds(self) -> &'static [&'static str] {
        if self == Self::Journal { JOURNAL_KINDS } else { DOCUMENT_KINDS }
    }
}

impl Format {
    /// The media type, for HTTP.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// A valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    table: Table,
    format: Format,
    profile: Option<Profile>,
    period: String,
    customer: Option<String>,
    accounts: BTreeMap<String, String>,
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
        if customer.is_some_and(|id| id.is_empty() || id.chars().count() > CUSTOMER_CHARS_MAX) {
            let problem = format!("a customer's id has 1 to {CUSTOMER_CHARS_MAX} characters");
            return Err(ExportError::Request { problem });
        }
        let customer = customer.map(str::to_owned);
        Ok(Self {
            table,
            format,
            profile: None,
            period: period.to_owned(),
            customer,
            accounts: BTreeMap::new(),
        })
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

    /// Maps an account to its name or number in the accounting system. Our names are those of
    /// [`wb_ledger::Account::name`], such as `accounts_receivable`; `revenue` stands for all accounts `revenue:KIND`
    /// without their own mapping.
    #[must_use]
    pub fn with_account(mut self, ours: &str, theirs: &str) -> Self {
        self.accounts.insert(ours.to_owned(), theirs.to_owned());
        self
    }

    /// [`Self::with_account`] for a text `OURS=THEIRS`, such as `accounts_receivable=1100`.
    ///
    /// # Errors
    /// [`ExportError::Request`] for another form, or for another table than the journal.
    pub fn with_account_text(self, text: &str) -> Result<Self, ExportError> {
        if self.table != Table::Journal {
            return Err(ExportError::Request { problem: "accounts are only for the journal".to_owned() });
        }
        match text.split_once('=') {
            Some((ours, theirs)) if !ours.is_empty() && !theirs.is_empty() => {
                Ok(self.with_account(ours, theirs))
            }
            _ => {
                let given: String = text.chars().take(40).collect();
                let problem =
                    format!("account {given:?}: write OURS=THEIRS, such as accounts_receivable=1100");
                Err(ExportError::Request { problem })
            }
        }
    }

    /// The name of one of our accounts in the accounting system.
    pub(crate) fn account<'a>(&'a self, ours: &'a str) -> &'a str {
        let group = ours.split_once(':').map_or(ours, |(group, _)| group);
        self.accounts.get(ours).or_else(|| self.accounts.get(group)).map_or(ours, String::as_str)
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

    /// The name of the file, such as `weighbridge-lines-2026-10-acme.csv`. Special characters of a customer's id
    /// become `_`, so that an id cannot refer to another folder.
    #[must_use]
    pub fn file_name(&self) -> String {
        let mut name = format!("weighbridge-{}", self.table);
        if let Some(profile) = self.profile {
            name.push_str(&format!("-{profile}"));
        }
        name.push_str(&format!("-{}", self.period));
        if let Some(customer) = &self.customer {
            name.push('-');
            name.extend(customer.chars().map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
                _ => '_',
            }));
        }
        format!("{name}.{}", self.format)
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
        let account = |text| {
            Request::new(Table::Journal, Format::Csv, "2026-10", None).unwrap().with_account_text(text)
        };
        for wrong in ["", "=", "revenue", "revenue=", "=4000"] {
            assert_eq!(code(account(wrong)), Some("WB-5821"), "{wrong}");
        }
        assert_eq!(account("revenue=40=1").unwrap().account("revenue:tax"), "40=1");
        assert_eq!(code(make("2026-10", None).unwrap().with_account_text("revenue=1")), Some("WB-5821"));
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
    }
}
