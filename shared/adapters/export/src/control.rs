//! Control totals, against which a loaded file is checked.

use std::collections::BTreeMap;

use serde::Serialize;
use wb_ledger::{CanonicalError, Hash, canonical};
use wb_units::{Currency, decimal};

use crate::FORM;
use crate::cell::{Column, NUMBER_PLACES};
use crate::error::ExportError;
use crate::request::Request;

/// The control totals of one file. They are computed from the same records as the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The version of the file's form.
    pub form: u32,
    /// The name of the table.
    pub export: String,
    /// The accounting system of the columns, if any.
    pub profile: Option<String>,
    /// The format of the file.
    pub format: String,
    /// The month.
    pub period: String,
    /// The customer, if it is limited to one.
    pub customer_id: Option<String>,
    /// The legal entity, if it is limited to one.
    pub legal_entity: Option<String>,
    /// The currency, if it is limited to one.
    pub currency: Option<String>,
    /// Which one of `parts` this file is.
    pub part: u64,
    /// How many files the export has; more than one only for a system that imports a bounded number of lines.
    pub parts: u64,
    /// The file holds the ledger below this offset.
    pub ledger_end: u64,
    /// The last record with rows in the file, and its place.
    pub last_record: Option<LastRecord>,
    /// How many records of the ledger have rows in it.
    pub records: u64,
    /// How many rows it has, without the header.
    pub rows: u64,
    /// Sums of money by column and currency.
    pub sums: BTreeMap<String, BTreeMap<String, Sum>>,
    /// Sums of quantities by unit.
    pub quantities: BTreeMap<String, Quantity>,
    /// Rows that the file's form cannot hold, and why.
    pub left_out: Vec<LeftOut>,
    pub columns: Vec<ControlColumn>,
    pub file: ControlFile,
}

/// A sum of money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// As decimal text.
    pub amount: String,
    /// In minor units.
    pub minor: String,
}

/// A sum of quantities of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Quantity {
    /// The sum, exact where nothing was rounded.
    pub sum: String,
    /// How many parts were rounded half to even, because they are fractions or finer than 10^-12.
    pub rounded: u64,
}

/// Rows that are not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Their currency.
    pub currency: String,
    /// How many there are.
    pub rows: u64,
    /// Their sum.
    pub sum: Sum,
    pub why: String,
}

/// The last record with rows in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRecord {
    /// Its offset in the ledger.
    pub ledger_offset: u64,
    /// The SHA-256 of its bytes.
    pub record_hash: Hash,
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlColumn {
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it may be empty.
    pub nullable: bool,
}

/// A written file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlFile {
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Hash,
}

impl Control {
    /// The canonical JSON of the totals, ended by a line feed: the content of the file `NAME.control.json`.
    ///
    /// # Errors
    /// [`ExportError::Canonical`] for counts beyond 2^53.
    pub fn to_text(&self) -> Result<String, ExportError> {
        let text =
            canonical::write_document(self).map_err(|error: CanonicalError| ExportError::Canonical(error))?;
        Ok(format!("{text}\n"))
    }
}

/// Totals in progress.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    rows: u64,
    records: u64,
    last_record: Option<LastRecord>,
    money: BTreeMap<(&'static str, &'static str), (MaybeCurrency, i128)>,
    quantities: BTreeMap<String, (i128, u64)>,
    left_out: BTreeMap<(&'static str, &'static str), (MaybeCurrency, u64, i128)>,
}

/// The currency of the rows, once there is one.
type MaybeCurrency = Option<Currency>;

impl Totals {
    pub(crate) fn row(&mut self) {
        self.rows = self.rows.saturating_add(1);
    }

    pub(crate) fn record(&mut self, ledger_offset: u64, record_hash: Hash) {
        self.records = self.records.saturating_add(1);
        self.last_record = Some(LastRecord { ledger_offset, record_hash });
    }

    /// Adds money of a column.
    pub(crate) fn money(
        &mut self,
        column: &'static str,
        currency: Currency,
        minor: i128,
    ) -> Result<(), ExportError> {
        let sum = self.money.entry((column, currency.code())).or_default();
        *sum = (Some(currency), add(sum.1, minor, column, currency)?);
        Ok(())
    }

    /// Adds a quantity in units of 10^-12.
    pub(crate) fn quantity(&mut self, unit: &str, number: i128, is_rounded: bool) -> Result<(), ExportError> {
        let sum = self.quantities.entry(unit.to_owned()).or_default();
        sum.0 = sum.0.checked_add(number).ok_or_else(|| ExportError::Width {
            place: format!("the sum of all quantities in {unit}"),
            field: "quantity",
            given: format!("more than {}", decimal::format(sum.0, NUMBER_PLACES)),
            kind: "128 bits",
        })?;
        sum.1 = sum.1.saturating_add(u64::from(is_rounded));
        Ok(())
    }

    /// Counts a row that the file cannot hold.
    pub(crate) fn left_out(
        &mut self,
        why: &'static str,
        currency: Currency,
        minor: i128,
    ) -> Result<(), ExportError> {
        let left = self.left_out.entry((currency.code(), why)).or_default();
        *left = (Some(currency), left.1.saturating_add(1), add(left.2, minor, "left out", currency)?);
        Ok(())
    }

    pub(crate) fn into_control(
        self,
        request: &Request,
        columns: &[Column],
        ledger_end: u64,
        file: ControlFile,
    ) -> Control {
        let mut sums: BTreeMap<String, BTreeMap<String, Sum>> = BTreeMap::new();
        for ((column, code), (currency, minor)) in self.money {
            sums.entry(column.to_owned()).or_default().insert(code.to_owned(), sum_of(currency, minor));
        }
        let quantity = |(unit, (sum, rounded))| {
            let sum = crate::Cell::number(sum, NUMBER_PLACES).plain();
            (unit, Quantity { sum, rounded })
        };
        let left = |((code, why), (currency, rows, minor)): ((&str, &str), _)| LeftOut {
            currency: code.to_owned(),
            rows,
            sum: sum_of(currency, minor),
            why: why.to_owned(),
        };
        let column = |column: &Column| ControlColumn {
            name: column.name.to_owned(),
            kind: column.kind.as_str().to_owned(),
            nullable: column.nullable,
        };
        Control {
            form: FORM,
            export: request.table().to_string(),
            profile: request.profile().map(|profile| profile.to_string()),
            format: request.format().to_string(),
            period: request.period().to_owned(),
            customer_id: request.customer().map(str::to_owned),
            legal_entity: request.legal_entity().map(str::to_owned),
            currency: request.options().currency.map(|currency| currency.code().to_owned()),
            part: request.options().part,
            parts: 1,
            ledger_end,
            last_record: self.last_record,
            records: self.records,
            rows: self.rows,
            sums,
            quantities: self.quantities.into_iter().map(quantity).collect(),
            left_out: self.left_out.into_iter().map(left).collect(),
            columns: columns.iter().map(column).collect(),
            file,
        }
    }
}

fn add(sum: i128, minor: i128, column: &'static str, currency: Currency) -> Result<i128, ExportError> {
    sum.checked_add(minor).ok_or_else(|| ExportError::Width {
        place: format!("the sum of all rows in {}", currency.code()),
        field: column,
        given: format!("{sum} + {minor} minor units"),
        kind: "128 bits",
    })
}

fn sum_of(currency: Option<Currency>, minor: i128) -> Sum {
    let places = currency.map_or(0, Currency::scale);
    Sum { amount: decimal::format(minor, places), minor: minor.to_string() }
}
