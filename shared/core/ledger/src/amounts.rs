//! Amounts in stored form: minor units as decimal text, which every JSON reader holds exactly.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wb_units::{Currency, Money};

use crate::invoice::Total;
use crate::refusal::Refusal;

/// The most minor units of one amount. A hundred million amounts of this size still add up in 128 bits,
/// so that no sum over a ledger can overflow.
const MINOR_MAX: i128 = 1 << 96;

/// Minor units of some currency, written as decimal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Minor(pub i128);

/// An amount of a named currency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// The amount in minor units.
    pub amount_minor: Minor,
    /// The currency's code.
    pub currency: String,
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Minor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Minor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let minor = minor_of(&text).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no whole number of minor units under 2^96 either way"))
        })?;
        Ok(Self(minor))
    }
}

impl Amount {
    /// An amount of a currency.
    #[must_use]
    pub fn new(minor: i128, currency: &str) -> Self {
        Self { amount_minor: Minor(minor), currency: currency.to_owned() }
    }

    /// The amount with all places of its currency; in minor units where the currency is not known.
    #[must_use]
    pub fn text(&self) -> String {
        money_text(self.amount_minor.0, &self.currency)
    }
}

/// Minor units from their one text; `None` for any other text and beyond the bound.
pub(crate) fn minor_of(text: &str) -> Option<i128> {
    let minor: i128 = text.parse().ok()?;
    (minor.to_string() == text && minor.abs() <= MINOR_MAX).then_some(minor)
}

/// An amount as decimal text without its currency.
#[must_use]
pub fn money_text(minor: i128, code: &str) -> String {
    match Currency::from_code(code) {
        Ok(currency) => Money { minor, currency }.decimal_text(),
        Err(_) => minor.to_string(),
    }
}

/// That an amount is above zero, within the bound and of a known currency.
pub(crate) fn check_positive(what: &'static str, amount: &Amount) -> Result<(), Refusal> {
    check_signed(what, amount)?;
    if amount.amount_minor.0 > 0 {
        return Ok(());
    }
    Err(Refusal::Amount {
        what,
        amount: amount.text(),
        currency: amount.currency.clone(),
        right: "above zero",
    })
}

/// That an amount is not zero, within the bound and of a known currency.
pub(crate) fn check_signed(what: &'static str, amount: &Amount) -> Result<(), Refusal> {
    let refuse = |right| Refusal::Amount {
        what,
        amount: amount.amount_minor.to_string(),
        currency: amount.currency.clone(),
        right,
    };
    if Currency::from_code(&amount.currency).is_err() {
        return Err(refuse("of a currency that contracts may use"));
    }
    if amount.amount_minor.0.abs() > MINOR_MAX {
        return Err(refuse("under 2^96 minor units"));
    }
    if amount.amount_minor.0 == 0 { Err(refuse("other than zero")) } else { Ok(()) }
}

/// Sums by currency, as totals, sorted by currency.
pub(crate) fn totals(amounts: impl IntoIterator<Item = (String, i128)>) -> Vec<Total> {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for (currency, minor) in amounts {
        *sums.entry(currency).or_default() += minor;
    }
    sums.into_iter()
        .map(|(currency, minor)| Total {
            amount: money_text(minor, &currency),
            amount_minor: minor.to_string(),
            currency,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_have_one_text() {
        for (text, minor) in
            [("\"0\"", Some(0)), ("\"-7\"", Some(-7)), ("\"79228162514264337593543950336\"", Some(1 << 96))]
        {
            assert_eq!(serde_json::from_str::<Minor>(text).ok().map(|m| m.0), minor);
            assert_eq!(serde_json::to_string(&Minor(minor.unwrap_or_default())).unwrap(), text);
        }
        for text in
            ["7", "\"07\"", "\"+7\"", "\"7.0\"", "\"-0\"", "\"\"", "\"79228162514264337593543950337\""]
        {
            assert!(serde_json::from_str::<Minor>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn totals_are_sums_by_currency() {
        let sums = totals([("USD".to_owned(), 105), ("BTC".to_owned(), 1), ("USD".to_owned(), -5)]);
        let shown: Vec<_> = sums.iter().map(|t| (t.currency.as_str(), t.amount.as_str())).collect();
        assert_eq!(shown, [("BTC", "0.00000001"), ("USD", "1.00")]);
    }
}
