//! The rules of FOCUS 1.2 as a separate table, against which rows are checked. The table was written from the column
//! definitions of the specification (FinOps Open Cost and Usage Specification 1.2, section "Columns": feature level,
//! nullability, data type, allowed values).
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{csv_rows, export};
use wb_export::{Format, Kind, Request, Table, columns};
use wb_units::decimal::{self, Excess};

type Row = BTreeMap<String, Option<String>>;

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Decimal,
    Instant,
    Text,
    Json,
}

/// When a column may be empty.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    Never,
    Allowed,
    /// Empty for tax, filled for usage and purchases.
    Priced,
    /// Filled for usage and empty otherwise.
    Consumed,
}

/// Columns that every dataset must have.
const MANDATORY: &[(&str, Type, Nulls)] = &[
    ("BilledCost", Type::Decimal, Nulls::Never),
    ("BillingAccountId", Type::Text, Nulls::Never),
    ("BillingAccountName", Type::Text, Nulls::Allowed),
    ("BillingCurrency", Type::Text, Nulls::Never),
    ("BillingPeriodEnd", Type::Instant, Nulls::Never),
    ("BillingPeriodStart", Type::Instant, Nulls::Never),
    ("ChargeCategory", Type::Text, Nulls::Never),
    ("ChargeClass", Type::Text, Nulls::Allowed),
    ("ChargeDescription", Type::Text, Nulls::Allowed),
    ("ChargePeriodEnd", Type::Instant, Nulls::Never),
    ("ChargePeriodStart", Type::Instant, Nulls::Never),
    ("ContractedCost", Type::Decimal, Nulls::Never),
    ("EffectiveCost", Type::Decimal, Nulls::Never),
    ("InvoiceIssuerName", Type::Text, Nulls::Never),
    ("ListCost", Type::Decimal, Nulls::Never),
    ("PricingQuantity", Type::Decimal, Nulls::Priced),
    ("PricingUnit", Type::Text, Nulls::Priced),
    ("ProviderName", Type::Text, Nulls::Never),
    ("PublisherName", Type::Text, Nulls::Never),
    ("ServiceCategory", Type::Text, Nulls::Never),
    ("ServiceName", Type::Text, Nulls::Never),
];

/// Conditional and recommended columns that we have.
const OTHERS: &[(&str, Type, Nulls)] = &[
    ("BillingAccountType", Type::Text, Nulls::Never),
    ("ChargeFrequency", Type::Text, Nulls::Never),
    ("ConsumedQuantity", Type::Decimal, Nulls::Consumed),
    ("ConsumedUnit", Type::Text, Nulls::Consumed),
    ("ContractedUnitPrice", Type::Decimal, Nulls::Priced),
    ("InvoiceId", Type::Text, Nulls::Allowed),
    ("ListUnitPrice", Type::Decimal, Nulls::Priced),
    ("PricingCategory", Type::Text, Nulls::Priced),
    ("ResourceId", Type::Text, Nulls::Allowed),
    ("ResourceName", Type::Text, Nulls::Allowed),
    ("ResourceType", Type::Text, Nulls::Allowed),
    ("ServiceSubcategory", Type::Text, Nulls::Never),
    ("SkuId", Type::Text, Nulls::Priced),
    ("SkuMeter", Type::Text, Nulls::Priced),
    ("SkuPriceDetails", Type::Json, Nulls::Priced),
    ("SkuPriceId", Type::Text, Nulls::Priced),
    ("SubAccountId", Type::Text, Nulls::Allowed),
    ("SubAccountName", Type::Text, Nulls::Allowed),
    ("SubAccountType", Type::Text, Nulls::Allowed),
];

const ALLOWED: &[(&str, &[&str])] = &[
    ("ChargeCategory", &["Usage", "Purchase", "Tax", "Credit", "Adjustment"]),
    ("ChargeClass", &["Correction"]),
    ("ChargeFrequency", &["One-Time", "Recurring", "Usage-Based"]),
    ("PricingCategory", &["Standard", "Dynamic", "Committed", "Other"]),
    ("ServiceCategory", &["AI and Machine Learning", "Compute", "Other"]),
    ("ServiceSubcategory", &["Other (AI and Machine Learning)", "Other (Compute)", "Other (Other)"]),
];

fn rows() -> Vec<Row> {
    csv_rows(&export(Table::Focus, Format::Csv).bytes)
}

/// The violations of the rules in a row.
fn breaches(row: &Row) -> Vec<String> {
    let mut found = Vec::new();
    let text = |name: &str| row.get(name).cloned().flatten();
    let category = text("ChargeCategory").unwrap_or_default();
    let is_correction = text("ChargeClass").is_some();
    for (name, kind, nulls) in MANDATORY.iter().chain(OTHERS) {
        let value = text(name);
        let wrong = match nulls {
            Nulls::Never => value.is_none(),
            Nulls::Allowed => false,
            Nulls::Priced => match category.as_str() {
                "Tax" => value.is_some(),
                "Usage" | "Purchase" => value.is_none() && !is_correction,
                _ => false,
            },
            Nulls::Consumed => value.is_some() != (category == "Usage") && !is_correction,
        };
        if wrong {
            found.push(format!("{name} is {value:?} for {category}"));
        }
        let Some(value) = value else { continue };
        let formed = match kind {
            Type::Decimal => {
                decimal::parse(&value, 12, Excess::Refuse).is_ok() && !value.contains(['e', 'E', ','])
            }
            Type::Instant => {
                value.ends_with('Z') && value.len() == 20 && value.parse::<jiff::Timestamp>().is_ok()
            }
            Type::Text => !value.is_empty() && value.trim() == value,
            Type::Json => serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&value)
                .is_ok_and(|members| members.keys().all(|key| key.starts_with("x_"))),
        };
        if !formed {
            found.push(format!("{name} is {value:?}"));
        }
        if let Some((_, allowed)) = ALLOWED.iter().find(|(of, _)| of == name)
            && !allowed.contains(&value.as_str())
        {
            found.push(format!("{name} may not be {value:?}"));
        }
    }
    let number =
        |name: &str| text(name).map(|value| decimal::parse(&value, 12, Excess::Refuse).unwrap_or_default());
    for (price, cost) in [("ContractedUnitPrice", "ContractedCost"), ("ListUnitPrice", "ListCost")] {
        if let (Some(price), Some(quantity), Some(cost)) =
            (number(price), number("PricingQuantity"), number(cost))
            && price.checked_mul(quantity) != cost.checked_mul(10_i128.pow(12))
        {
            found.push(format!("{price} x {quantity} is not {cost}"));
        }
    }
    if text("SubAccountId").is_some() != text("SubAccountType").is_some() {
        found.push("SubAccountType stands with SubAccountId".to_owned());
    }
    let category = text("ServiceCategory").unwrap_or_default();
    if text("ServiceSubcategory").is_none_or(|sub| sub != format!("Other ({category})")) {
        found.push("the subcategory is of another category".to_owned());
    }
    let currency = text("BillingCurrency").unwrap_or_default();
    if currency == "BTC" || currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        found.push(format!("BillingCurrency is {currency:?}"));
    }
    found
}

#[test]
fn the_columns_are_those_of_the_specification() {
    let request = Request::new(Table::Focus, Format::Csv, "2026-10", None).unwrap();
    let ours = columns(&request);
    let names: BTreeSet<&str> = ours.iter().map(|column| column.name).collect();
    for (name, kind, nulls) in MANDATORY.iter().chain(OTHERS) {
        let column =
            ours.iter().find(|column| column.name == *name).unwrap_or_else(|| panic!("{name} is missing"));
        let expected: &[Kind] = match kind {
            Type::Decimal => &[Kind::Money, Kind::Number],
            Type::Instant => &[Kind::Instant],
            Type::Text => &[Kind::Text, Kind::Word],
            Type::Json => &[Kind::Json],
        };
        assert!(expected.contains(&column.kind), "{name} is {:?}", column.kind);
        assert_eq!(column.nullable, *nulls != Nulls::Never, "{name}");
    }
    let known: BTreeSet<&str> = MANDATORY.iter().chain(OTHERS).map(|(name, ..)| *name).collect();
    let own: Vec<&&str> = names.difference(&known).collect();
    assert!(own.iter().all(|name| name.starts_with("x_")), "columns of our own begin with x_: {own:?}");
}

#[test]
fn rows_keep_the_rules() {
    let rows = rows();
    assert_eq!(rows.len(), 10);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(breaches(row), Vec::<String>::new(), "row {index}");
    }
    let categories: BTreeSet<&str> =
        rows.iter().map(|row| row["ChargeCategory"].as_deref().unwrap()).collect();
    assert_eq!(categories.into_iter().collect::<Vec<_>>(), ["Credit", "Purchase", "Tax", "Usage"]);
}

/// The checker itself must be able to fail.
#[test]
fn a_breach_is_found() {
    let good = rows();
    for (row, column, value) in [
        (0, "ChargeCategory", Some("Other")),
        (0, "PricingQuantity", None),
        (0, "PricingQuantity", Some("1")),
        (0, "ConsumedUnit", None),
        (0, "BilledCost", Some("1e3")),
        (0, "ChargePeriodStart", Some("2026-10-01 00:00:00")),
        (0, "BillingCurrency", Some("BTC")),
        (0, "ServiceSubcategory", Some("Virtual Machines")),
        (3, "SkuId", Some("tax")),
        (3, "ConsumedQuantity", Some("1")),
    ] {
        let mut row = good[row].clone();
        row.insert(column.to_owned(), value.map(str::to_owned));
        assert!(!breaches(&row).is_empty(), "{column} = {value:?} is taken");
    }
}

#[test]
fn prices_are_those_of_the_contract_where_the_line_is_their_product() {
    let rows = rows();
    let cells = |row: usize, names: [&str; 5]| names.map(|name| rows[row][name].clone().unwrap_or_default());
    let names = ["PricingQuantity", "PricingUnit", "ContractedUnitPrice", "ContractedCost", "BilledCost"];
    assert_eq!(cells(0, names), ["2410387.2", "kWh", "0.0725", "174753.072", "174753.07"]);
    assert_eq!(cells(1, names), ["3531", "kW-month", "3.5", "12358.5", "12358.50"]);
    // A price per hour of a length in seconds, and sevenths: one charge at the line's amount.
    assert_eq!(cells(5, names), ["1", "Charges", "52.58", "52.58", "52.58"]);
    assert_eq!(rows[5]["ConsumedQuantity"].as_deref(), Some("47444"));
    assert_eq!(cells(6, names), ["1", "Charges", "40.71", "40.71", "40.71"]);
    assert_eq!(rows[6]["ConsumedQuantity"].as_deref(), Some("14.285714285714"));
    assert_eq!(rows[7]["PricingCategory"].as_deref(), Some("Other"));
}

#[test]
fn a_note_is_a_correction_of_its_invoice() {
    let rows = rows();
    let corrections: Vec<&Row> = rows.iter().filter(|row| row["ChargeClass"].is_some()).collect();
    let cell = |name: &str| corrections[0][name].as_deref();
    assert_eq!((corrections.len(), cell("BilledCost")), (1, Some("-500.25")));
    assert_eq!((cell("InvoiceId"), cell("x_CorrectsInvoiceId")), (Some("CN-000001"), Some("INV-000001")));
    assert_eq!(cell("ChargePeriodStart"), Some("2026-10-01T00:00:00Z"));
}

#[test]
fn bitcoin_is_left_out_and_told() {
    let control = export(Table::Focus, Format::Jsonl).control;
    assert_eq!(control.left_out.len(), 1);
    let left = &control.left_out[0];
    assert_eq!((left.currency.as_str(), left.rows, left.sum.minor.as_str()), ("BTC", 1, "1250"));
    assert_eq!(control.sums["BilledCost"]["USD"].amount, "212370.93");
}
