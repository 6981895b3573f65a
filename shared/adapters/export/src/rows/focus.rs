//! `focus`: a row for each line of an invoice of the period and of the notes of such invoices, by the FinOps Open Cost and Usage Specification, version 1.2.
//!
//! Where our lines and the specification meet:
//!
//! - The product of price and quantity must be the cost. Where a line is quantity times price in one unit,
//!   that is so: `ContractedCost` is the exact product and `BilledCost` the line's amount, rounded once.
//!   Where the formula is another one (tiers, shares, a price per hour of a length in seconds), the row says
//!   one `Charge` at the line's amount; the formula stands in `SkuPriceDetails`.
//! - There is no list price beside the contract's, so the list columns repeat the contracted ones.
//! - Costs are in a national currency: lines in bitcoin are left out, and the control totals say which sums.
//! - A charge's period is that of its invoice. A note's line is a correction in its invoice's period: its cost
//!   alone, as no price or quantity of its own stands behind it. Commitment discounts, capacity reservations, regions, zones,
//!   tags and foreign pricing currencies do not exist here, so their conditional columns are not there.

use std::collections::BTreeMap;

use serde_json::json;
use wb_ledger::InvoiceLine;
use wb_units::Currency;
use wb_units::decimal::{self, Excess};
use wb_units::rounding::div_half_even_i128;

use super::Context;
use super::classes::{Category, Class, class_of};
use super::quantity::{self, Rounded};
use crate::cell::{Cell, Column, Kind, NUMBER_PLACES};
use crate::document::{Document, Line};
use crate::error::ExportError;

pub(super) const COLUMNS: &[Column] = &[
    Column::new("BilledCost", Kind::Money),
    Column::new("BillingAccountId", Kind::Text),
    Column::or_null("BillingAccountName", Kind::Text),
    Column::new("BillingAccountType", Kind::Word),
    Column::new("BillingCurrency", Kind::Word),
    Column::new("BillingPeriodEnd", Kind::Instant),
    Column::new("BillingPeriodStart", Kind::Instant),
    Column::new("ChargeCategory", Kind::Word),
    Column::or_null("ChargeClass", Kind::Word),
    Column::or_null("ChargeDescription", Kind::Text),
    Column::new("ChargeFrequency", Kind::Word),
    Column::new("ChargePeriodEnd", Kind::Instant),
    Column::new("ChargePeriodStart", Kind::Instant),
    Column::or_null("ConsumedQuantity", Kind::Number),
    Column::or_null("ConsumedUnit", Kind::Word),
    Column::new("ContractedCost", Kind::Number),
    Column::or_null("ContractedUnitPrice", Kind::Number),
    Column::new("EffectiveCost", Kind::Money),
    Column::or_null("InvoiceId", Kind::Text),
    Column::new("InvoiceIssuerName", Kind::Text),
    Column::new("ListCost", Kind::Number),
    Column::or_null("ListUnitPrice", Kind::Number),
    Column::or_null("PricingCategory", Kind::Word),
    Column::or_null("PricingQuantity", Kind::Number),
    Column::or_null("PricingUnit", Kind::Word),
    Column::new("ProviderName", Kind::Text),
    Column::new("PublisherName", Kind::Text),
    Column::or_null("ResourceId", Kind::Text),
    Column::or_null("ResourceName", Kind::Text),
    Column::or_null("ResourceType", Kind::Text),
    Column::new("ServiceCategory", Kind::Word),
    Column::new("ServiceName", Kind::Text),
    Column::new("ServiceSubcategory", Kind::Word),
    Column::or_null("SkuId", Kind::Text),
    Column::or_null("SkuMeter", Kind::Word),
    Column::or_null("SkuPriceDetails", Kind::Json),
    Column::or_null("SkuPriceId", Kind::Text),
    Column::or_null("SubAccountId", Kind::Text),
    Column::or_null("SubAccountName", Kind::Text),
    Column::or_null("SubAccountType", Kind::Word),
    Column::or_null("x_BillDigest", Kind::Text),
    Column::or_null("x_CorrectsInvoiceId", Kind::Text),
    Column::new("x_DocumentId", Kind::Text),
    Column::or_null("x_InputsDigest", Kind::Text),
    Column::new("x_LedgerOffset", Kind::Count),
    Column::new("x_LineId", Kind::Text),
];

/// Why a line has no row.
const NO_NATIONAL_CURRENCY: &str = "FOCUS takes national currencies only";

/// The unit of a row that is not quantity times price.
const CHARGE: &str = "Charges";

pub(super) fn write(document: &Document<'_>, context: &mut Context<'_>) -> Result<(), ExportError> {
    for line in &document.lines {
        if line.currency == Currency::BTC {
            context.totals.left_out(NO_NATIONAL_CURRENCY, line.currency, line.minor)?;
            continue;
        }
        context.totals.money("BilledCost", line.currency, line.minor)?;
        let mut cells = cells(document, line)?;
        let row = COLUMNS.iter().map(|column| cells.remove(column.name).unwrap_or(Cell::Null)).collect();
        context.row(row)?;
    }
    Ok(())
}

fn cells(document: &Document<'_>, line: &Line<'_>) -> Result<BTreeMap<&'static str, Cell>, ExportError> {
    let class = class_of(line.kind);
    let word = |text: &str| Cell::text(text);
    let period = document.period;
    let cost = Cell::money(line.minor, line.currency);
    let (category, subcategory) =
        if class.is_compute { ("Compute", "Other (Compute)") } else { ("Other", "Other (Other)") };
    let mut cells = BTreeMap::from([
        ("BilledCost", cost.clone()),
        ("BillingAccountId", word(document.customer_id)),
        ("BillingAccountType", word("Customer")),
        ("BillingCurrency", word(line.currency.code())),
        ("BillingPeriodEnd", Cell::Instant(period.end_us)),
        ("BillingPeriodStart", Cell::Instant(period.start_us)),
        ("ChargeCategory", word(class.category.as_str())),
        ("ChargeDescription", Cell::or_null(line.description)),
        ("ChargeFrequency", word(class.frequency.as_str())),
        ("ChargePeriodEnd", Cell::Instant(period.end_us)),
        ("ChargePeriodStart", Cell::Instant(period.start_us)),
        ("EffectiveCost", cost),
        ("InvoiceId", Cell::or_null(document.number)),
        ("InvoiceIssuerName", word(document.legal_entity)),
        ("ProviderName", word(document.legal_entity)),
        ("PublisherName", word(document.legal_entity)),
        ("ServiceCategory", word(category)),
        ("ServiceName", word(class.service)),
        ("ServiceSubcategory", word(subcategory)),
        ("SubAccountId", word(document.contract_id)),
        ("SubAccountName", word(document.contract_id)),
        ("SubAccountType", word("Contract")),
        ("x_DocumentId", word(document.id)),
        ("x_LedgerOffset", Cell::Count(document.ledger_offset)),
        ("x_LineId", word(line.id)),
    ]);
    if let Some(invoice) = document.invoice {
        cells.insert("x_BillDigest", Cell::Text(invoice.bill_digest.to_string()));
    }
    if let Some(corrects) = document.corrects {
        cells.insert("ChargeClass", word("Correction"));
        cells.insert("x_CorrectsInvoiceId", word(corrects));
    }
    match line.invoiced {
        Some(invoiced) if class.category.is_priced() => {
            cells.extend(priced(invoiced, class, line.currency, line.minor));
        }
        // Rows that are not bought by quantity, and corrections, have only a cost.
        _ => {
            let exact = Cell::number(line.minor, line.currency.scale());
            cells.insert("ContractedCost", exact.clone());
            cells.insert("ListCost", exact);
        }
    }
    if let Some(invoiced) = line.invoiced {
        cells.insert("x_InputsDigest", Cell::Text(invoiced.inputs_digest.to_string()));
        if class.category == Category::Usage {
            cells.insert("ConsumedQuantity", consumed(document, line)?);
            cells.insert("ConsumedUnit", word(line.unit));
        }
    }
    Ok(cells)
}

/// The used quantity. A fraction that does not end is rounded, because the specification requires a decimal; nothing
/// is computed from it.
fn consumed(document: &Document<'_>, line: &Line<'_>) -> Result<Cell, ExportError> {
    let wrong = || ExportError::Number {
        place: format!("line {} of {}", line.id, document.place()),
        field: "quantity",
        given: line.quantity.to_owned(),
        wanted: "decimal or fraction of at most 26 digits before its point",
    };
    let read = quantity::read(line.quantity).ok_or_else(wrong)?;
    Ok(Cell::number(read.unscaled, NUMBER_PLACES))
}

/// Quantity, price and cost with a matching product.
fn priced(line: &InvoiceLine, class: Class, currency: Currency, minor: i128) -> Vec<(&'static str, Cell)> {
    let (quantity, unit, price, cost) = match linear(line, currency, minor) {
        Some(linear) => linear,
        None => {
            let amount = Cell::number(minor, currency.scale());
            (Cell::number(1, 0), CHARGE.to_owned(), amount.clone(), amount)
        }
    };
    let pricing = if class.is_indexed { "Other" } else { "Standard" };
    let details = json!({ "x_Formula": line.formula, "x_UnitPrice": line.unit_price });
    vec![
        ("ContractedCost", cost.clone()),
        ("ContractedUnitPrice", price.clone()),
        ("ListCost", cost),
        ("ListUnitPrice", price),
        ("PricingCategory", Cell::text(pricing)),
        ("PricingQuantity", quantity),
        ("PricingUnit", Cell::Text(unit)),
        ("SkuId", Cell::text(&line.kind)),
        ("SkuMeter", Cell::text(class.meter)),
        ("SkuPriceDetails", Cell::Json(details)),
        ("SkuPriceId", Cell::text(&line.kind)),
    ]
}

/// Quantity, unit, price and exact cost of a line whose amount is quantity times price, rounded half to even. Both
/// are decimals of at most 12 places in one unit.
fn linear(line: &InvoiceLine, currency: Currency, minor: i128) -> Option<(Cell, String, Cell, Cell)> {
    let (price, per) = line.unit_price.split_once(' ')?;
    let (code, unit) = per.split_once('/')?;
    if code != currency.code() || unit != line.unit {
        return None;
    }
    let Rounded { unscaled: quantity, is_rounded: false } = quantity::read(&line.quantity)? else {
        return None;
    };
    let (quantity, quantity_places) = shortest(quantity, NUMBER_PLACES);
    let price = decimal::parse(price, NUMBER_PLACES, Excess::Refuse).ok()?;
    let (price, price_places) = shortest(price, NUMBER_PLACES);
    let cost = quantity.checked_mul(price)?;
    let (cost, cost_places) = shortest(cost, quantity_places.checked_add(price_places)?);
    if cost_places > NUMBER_PLACES || rounded(cost, cost_places, currency.scale())? != minor {
        return None;
    }
    Some((
        Cell::number(quantity, quantity_places),
        unit.to_owned(),
        Cell::number(price, price_places),
        Cell::number(cost, cost_places),
    ))
}

/// A decimal in minor units of some places, rounded half to even.
fn rounded(unscaled: i128, places: u32, wanted: u32) -> Option<i128> {
    match places.checked_sub(wanted) {
        Some(excess) => div_half_even_i128(unscaled, 10_i128.checked_pow(excess)?),
        None => unscaled.checked_mul(10_i128.checked_pow(wanted.checked_sub(places)?)?),
    }
}

fn shortest(mut unscaled: i128, mut places: u32) -> (i128, u32) {
    while places > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        places -= 1;
    }
    (unscaled, places)
}
