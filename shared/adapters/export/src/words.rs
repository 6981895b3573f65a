//! The words of a request: tables, formats, accounting systems and options.

use std::fmt;
use std::str::FromStr;

use crate::error::ExportError;
use crate::postings::KINDS as JOURNAL_KINDS;

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

words! {
    /// When a journal books revenue.
    Recognition, "date of revenue",
    /// On the day of the invoice.
    Issue => "issue",
    /// In the month of the service: revenue that is invoiced later is accrued on the month's last day and reversed
    /// on the first day of the next month.
    Service => "service",
}

words! {
    /// What else a request for a journal may state.
    JournalOption, "option of a journal",
    /// An account in the accounting system: `OURS=THEIRS`.
    Account => "account",
    /// A customer in the accounting system: `ID=NAME`.
    CustomerName => "customer_name",
    /// NetSuite's subsidiary of a legal entity: `ENTITY=NAME`.
    Subsidiary => "subsidiary",
    /// The one currency to export.
    Currency => "currency",
    /// When revenue is booked: `issue` or `service`.
    Revenue => "revenue",
    /// Xero's name of the tax rate of a line without tax.
    TaxRate => "tax_rate",
    /// The number of the file, where a month needs several.
    Part => "part",
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
