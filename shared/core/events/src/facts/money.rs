//! Facts about prices and balances: what a bill depends on beside usage and contract.

use serde::{Deserialize, Serialize};
use wb_units::decimal::{self, Excess};
use wb_units::{Currency, Money};

use crate::refusal::InputError;

/// A dated price of a series. It holds from its fact's instant until the next price of its series, or until its
/// fact's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The series, such as `ercot-hb-north`.
    pub series: String,
    /// Its unit, such as `USD/kWh`.
    pub unit: String,
    /// Decimal text.
    pub value: String,
    /// Who published it. Where absent, the fact's own source counts as the publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Credit that a customer paid in advance, usable from its fact's instant until its fact's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepaidGrant {
    /// The contract whose lines it pays.
    pub contract_id: String,
    /// Its currency.
    pub currency: String,
    /// How much, decimal text in whole currency.
    pub amount: String,
    /// Lower is used first.
    #[serde(default)]
    pub priority: u32,
}

/// A deposit that is held for a component of a contract when its fact begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositHeld {
    /// The contract.
    pub contract_id: String,
    /// The deposit's component in the contract.
    pub component: String,
    /// Its currency.
    pub currency: String,
    /// How much, decimal text in whole currency.
    pub amount: String,
}

/// An invoice that was issued elsewhere before: a balance that is carried over, at the instant of its
/// issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastInvoice {
    /// The contract.
    pub contract_id: String,
    /// Its customer.
    pub customer_id: String,
    /// Its number at its issuer.
    pub number: String,
    /// The month it was for, such as `2026-09`.
    pub period: String,
    /// Its currency.
    pub currency: String,
    /// Its total, decimal text in whole currency.
    pub amount: String,
    /// What of it is not paid yet, decimal text in whole currency.
    pub open_amount: String,
}

/// Something else that a contract bills by a count, at the instant from which the fact holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The contract.
    pub contract_id: String,
    /// What is counted, by the name that the contract gives it.
    pub meter: String,
    /// How much, decimal text with at most six places.
    pub value: String,
}

/// Decimal places of a count.
pub const COUNT_PLACES: u32 = 6;

/// Decimal places of a price.
pub const PRICE_PLACES: u32 = 12;

fn wrong(field: &str, reason: String) -> InputError {
    InputError::field(format!("body.body.{field}"), reason)
}

/// An amount of zero or more in minor units.
fn check_amount(field: &str, currency: &str, amount: &str) -> Result<(), InputError> {
    let code = Currency::from_code(currency).map_err(|error| wrong("currency", error.to_string()))?;
    match Money::parse(amount, code) {
        Ok(money) if money.minor >= 0 => Ok(()),
        Ok(_) => Err(wrong(field, format!("{amount:?} is negative: write an amount of zero or more"))),
        Err(error) => Err(wrong(field, error.to_string())),
    }
}

impl Price {
    /// Checks value and unit.
    ///
    /// # Errors
    /// [`InputError`] naming the field and what would be right.
    pub fn check(&self) -> Result<(), InputError> {
        decimal::parse(&self.value, PRICE_PLACES, Excess::Refuse)
            .map_err(|error| wrong("value", format!("{:?}: {error}", self.value)))?;
        let Some((currency, per)) = self.unit.split_once('/') else {
            let reason = format!("{:?} is no unit of a price: write such as \"USD/MWh\"", self.unit);
            return Err(wrong("unit", reason));
        };
        if per.is_empty() {
            return Err(wrong("unit", format!("{:?} does not say per what", self.unit)));
        }
        Currency::from_code(currency).map(drop).map_err(|error| wrong("unit", error.to_string()))
    }
}

impl PrepaidGrant {
    pub(super) fn check(&self) -> Result<(), InputError> {
        check_amount("amount", &self.currency, &self.amount)
    }
}

impl DepositHeld {
    pub(super) fn check(&self) -> Result<(), InputError> {
        check_amount("amount", &self.currency, &self.amount)
    }
}

impl PastInvoice {
    pub(super) fn check(&self) -> Result<(), InputError> {
        check_amount("amount", &self.currency, &self.amount)?;
        check_amount("open_amount", &self.currency, &self.open_amount)
    }
}

impl Count {
    pub(super) fn check(&self) -> Result<(), InputError> {
        match decimal::parse(&self.value, COUNT_PLACES, Excess::Refuse) {
            Ok(value) if value >= 0 => Ok(()),
            Ok(_) => Err(wrong("value", format!("{:?} is negative: a count is zero or more", self.value))),
            Err(error) => Err(wrong("value", format!("{:?}: {error}", self.value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::FactBody;

    #[test]
    fn facts_about_money_are_checked_before_they_are_kept() {
        for (kind, entity, body, field) in [
            ("price", "s", r#"{"series":"s","unit":"USD/MWh","value":"free"}"#, "value"),
            ("price", "s", r#"{"series":"s","unit":"USD","value":"1"}"#, "unit"),
            ("price", "s", r#"{"series":"s","unit":"XXL/MWh","value":"1"}"#, "unit"),
            ("prepaid_grant", "g", r#"{"contract_id":"c","currency":"USD","amount":"-1"}"#, "amount"),
            ("prepaid_grant", "g", r#"{"contract_id":"c","currency":"USD","amount":"1.005"}"#, "amount"),
            ("prepaid_grant", "g", r#"{"contract_id":"c","currency":"ABC","amount":"1"}"#, "currency"),
            ("deposit_held", "d", r#"{"contract_id":"c","currency":"USD","amount":"1"}"#, "body.body"),
            ("count", "k", r#"{"contract_id":"c","meter":"hands","value":"-1"}"#, "value"),
            ("count", "k", r#"{"contract_id":"c","meter":"hands","value":"0.0000001"}"#, "value"),
        ] {
            let error = FactBody::parse(kind, entity, body).unwrap_err();
            assert!(error.field.contains(field), "{kind} {body}: {error}");
        }
        for (kind, entity, body) in [
            ("price", "s", r#"{"series":"s","unit":"USD/MWh","value":"-3.5"}"#),
            ("price", "s", r#"{"series":"s","source":"ERCOT","unit":"USD/PH/s/day","value":"41.2"}"#),
            ("prepaid_grant", "g", r#"{"amount":"100","contract_id":"c","currency":"JPY","priority":2}"#),
            ("deposit_held", "d", r#"{"amount":"1.5","component":"dep","contract_id":"c","currency":"USD"}"#),
            ("count", "k", r#"{"contract_id":"c","meter":"hands","value":"1.5"}"#),
            (
                "past_invoice",
                "old/1",
                r#"{"amount":"5","contract_id":"c","currency":"USD","customer_id":"k","number":"7","open_amount":"0","period":"2026-09"}"#,
            ),
        ] {
            assert_eq!(FactBody::parse(kind, entity, body).unwrap().to_json(), body);
        }
    }
}
