//! Money: an integer of minor units at the fixed scale of its currency.

use crate::decimal::{self, DecimalError, Excess};

/// A currency with the number of decimal places of its minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: &'static str,
    scale: u32,
}

/// The currencies that contracts may use. ISO 4217 gives the fiat scales; BTC is counted in satoshi.
const KNOWN: [Currency; 12] = [
    Currency { code: "BTC", scale: 8 },
    Currency { code: "USD", scale: 2 },
    Currency { code: "EUR", scale: 2 },
    Currency { code: "GBP", scale: 2 },
    Currency { code: "CAD", scale: 2 },
    Currency { code: "NOK", scale: 2 },
    Currency { code: "SEK", scale: 2 },
    Currency { code: "PYG", scale: 0 },
    Currency { code: "JPY", scale: 0 },
    Currency { code: "KWD", scale: 3 },
    Currency { code: "OMR", scale: 3 },
    Currency { code: "BHD", scale: 3 },
];

/// Why an amount was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// A currency that is not in the table.
    #[error(
        "unknown currency {code:?}: known are BTC, USD, EUR, GBP, CAD, NOK, SEK, PYG, JPY, KWD, OMR, BHD"
    )]
    UnknownCurrency {
        /// What was given.
        code: String,
    },
    /// Two currencies in one sum.
    #[error("cannot add {right} to {left}: a sum has one currency")]
    Mixed {
        /// The currency of the sum.
        left: &'static str,
        /// The other one.
        right: &'static str,
    },
    /// The sum does not fit.
    #[error("the sum does not fit 128 bits")]
    Overflow,
    /// The text is no amount.
    #[error("not an amount")]
    Amount(#[source] DecimalError),
}

impl Currency {
    /// Bitcoin, in satoshi.
    pub const BTC: Self = KNOWN[0];
    /// US dollars, in cents.
    pub const USD: Self = KNOWN[1];

    /// Finds a currency by its code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] for a code that is not in the table.
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        KNOWN
            .into_iter()
            .find(|known| known.code == code)
            .ok_or_else(|| MoneyError::UnknownCurrency { code: code.to_owned() })
    }

    /// Its code, such as `USD`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Decimal places of its minor unit.
    #[must_use]
    pub fn scale(self) -> u32 {
        self.scale
    }
}

/// An amount of one currency, in its minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units: cents, satoshi.
    pub minor: i128,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// Reads decimal text such as `174753.07`.
    ///
    /// # Errors
    /// [`MoneyError::Amount`] where the text is malformed or finer than the minor unit.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let minor = decimal::parse(text, currency.scale, Excess::Refuse).map_err(MoneyError::Amount)?;
        Ok(Self { minor, currency })
    }

    /// Adds two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`] for two currencies, [`MoneyError::Overflow`] beyond 128 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed { left: self.currency.code, right: other.currency.code });
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// The amount as decimal text with all its places, without the currency.
    #[must_use]
    pub fn decimal_text(self) -> String {
        decimal::format(self.minor, self.currency.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_scale_of_their_currency() {
        for (text, code, minor) in [
            ("174753.07", "USD", 17_475_307),
            ("1", "JPY", 1),
            ("0.00000001", "BTC", 1),
            ("1.234", "KWD", 1234),
        ] {
            let currency = Currency::from_code(code).unwrap();
            assert_eq!(Money::parse(text, currency).unwrap().minor, minor);
        }
        assert!(Money::parse("0.001", Currency::USD).is_err());
        assert!(Currency::from_code("usd").is_err());
    }

    #[test]
    fn currencies_are_not_mixed() {
        let dollar = Money { minor: 1, currency: Currency::USD };
        let satoshi = Money { minor: 1, currency: Currency::BTC };
        assert!(dollar.checked_add(satoshi).is_err());
        assert_eq!(dollar.checked_add(dollar).unwrap().decimal_text(), "0.02");
    }
}
