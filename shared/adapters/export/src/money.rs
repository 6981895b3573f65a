//! Currencies and amounts as the ledger writes them.

use wb_units::Currency;

use crate::error::ExportError;

/// The currency of a code; `place` describes where it is, for errors.
pub(crate) fn currency_of(code: &str, place: impl Fn() -> String) -> Result<Currency, ExportError> {
    Currency::from_code(code).map_err(|_| ExportError::Number {
        place: place(),
        field: "currency",
        given: code.to_owned(),
        wanted: "currency of the table of currencies",
    })
}

/// An amount in minor units; `place` describes where it is, for errors.
pub(crate) fn minor_of(text: &str, place: impl Fn() -> String) -> Result<i128, ExportError> {
    text.parse().map_err(|_| ExportError::Number {
        place: place(),
        field: "amount_minor",
        given: text.to_owned(),
        wanted: "whole number of 128 bits",
    })
}
