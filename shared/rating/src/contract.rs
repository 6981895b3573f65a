//! The contract document: read strictly, with every unit checked before anything is rated by it.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wb_units::Currency;
use wb_units::decimal::{self, Excess};

use crate::error::ContractError;

/// The longest identifier in a contract, in characters.
pub const ID_TEXT_MAX: usize = 128;

/// The most components of one contract: enough for every kind there is, few enough for one invoice.
const COMPONENTS_MAX: usize = 64;

/// The most decimal places of a price; finer than any tariff, coarse enough for exact 128-bit sums.
const PRICE_PLACES_MAX: u32 = 12;

/// The only chain whose work earns.
pub(crate) const EARNING_CHAIN: &str = "main";

/// What one customer pays and earns, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its id, the same for all versions.
    pub contract_id: String,
    /// The customer.
    pub customer_id: String,
    /// The operator's company that issues the invoices; numbers are gapless within it.
    pub legal_entity: String,
    /// IANA name of the zone whose months are billed.
    pub time_zone: String,
    /// What is charged, in the document's order.
    pub components: Vec<Component>,
}

/// One thing a contract charges or credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    /// See [`crate::components::pool_earnings`].
    PoolEarnings(PoolEarnings),
    /// See [`crate::components::metered_energy`].
    MeteredEnergy(MeteredEnergy),
}

/// Terms of the expected earnings of proven work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolEarnings {
    /// The component's id within the contract.
    pub id: String,
    /// Mean transaction fees of a block, in satoshi, added to the subsidy.
    pub mean_fees_sat: u64,
}

/// Terms of metered energy at one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeteredEnergy {
    /// The component's id within the contract.
    pub id: String,
    /// What the energy is paid in.
    pub currency: Currency,
    /// The price of a kilowatt-hour as the contract writes it.
    pub unit_price: String,
    /// The same price as an integer: units of 10^-`price_places` of the currency.
    pub price_scaled: u128,
    /// Decimal places of `price_scaled`.
    pub price_places: u32,
}

impl Component {
    /// The component's id within its contract.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::PoolEarnings(terms) => &terms.id,
            Self::MeteredEnergy(terms) => &terms.id,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContract {
    contract_id: String,
    customer_id: String,
    legal_entity: String,
    time_zone: String,
    components: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoolEarnings {
    id: String,
    #[serde(rename = "kind")]
    _kind: String,
    chain: String,
    currency: String,
    mean_fees_sat: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeteredEnergy {
    id: String,
    #[serde(rename = "kind")]
    _kind: String,
    currency: String,
    unit: String,
    unit_price: String,
}

impl Contract {
    /// Reads the inner body of a `contract` fact.
    ///
    /// # Errors
    /// [`ContractError`] for the first thing that is wrong: unknown or missing fields, identifiers,
    /// zone, kinds, currencies, units or numbers.
    pub fn parse(json: &str) -> Result<Self, ContractError> {
        let raw: RawContract = serde_json::from_str(json).map_err(|error| ContractError::Form {
            place: "document".to_owned(),
            detail: error.to_string(),
        })?;
        for (field, value) in [
            ("contract_id", &raw.contract_id),
            ("customer_id", &raw.customer_id),
            ("legal_entity", &raw.legal_entity),
        ] {
            check_id(field, value)?;
        }
        if TimeZone::get(&raw.time_zone).is_err() {
            return Err(ContractError::TimeZone { value: raw.time_zone });
        }
        let count = raw.components.len();
        if count == 0 || count > COMPONENTS_MAX {
            return Err(ContractError::ComponentCount { count, max: COMPONENTS_MAX });
        }
        let mut components = Vec::with_capacity(count);
        let mut ids = BTreeSet::new();
        for (index, value) in raw.components.into_iter().enumerate() {
            let place = format!("components[{index}]");
            let component = read_component(&place, value)?;
            if !ids.insert(component.id().to_owned()) {
                let value = component.id().to_owned();
                return Err(ContractError::RepeatedId { field: format!("{place}.id"), value });
            }
            components.push(component);
        }
        Ok(Self {
            contract_id: raw.contract_id,
            customer_id: raw.customer_id,
            legal_entity: raw.legal_entity,
            time_zone: raw.time_zone,
            components,
        })
    }
}

fn read_component(place: &str, value: serde_json::Value) -> Result<Component, ContractError> {
    let kind = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    match kind.as_str() {
        "pool_earnings" => read_pool_earnings(place, read_form(place, value)?).map(Component::PoolEarnings),
        "metered_energy" => {
            read_metered_energy(place, read_form(place, value)?).map(Component::MeteredEnergy)
        }
        _ => Err(ContractError::UnknownKind { field: format!("{place}.kind"), value: kind }),
    }
}

fn read_form<T: DeserializeOwned>(place: &str, value: serde_json::Value) -> Result<T, ContractError> {
    serde_json::from_value(value)
        .map_err(|error| ContractError::Form { place: place.to_owned(), detail: error.to_string() })
}

fn read_pool_earnings(place: &str, raw: RawPoolEarnings) -> Result<PoolEarnings, ContractError> {
    check_id(&format!("{place}.id"), &raw.id)?;
    if raw.chain != EARNING_CHAIN {
        return Err(ContractError::Chain { field: format!("{place}.chain"), value: raw.chain });
    }
    if raw.currency != Currency::BTC.code() {
        return Err(ContractError::Currency {
            field: format!("{place}.currency"),
            value: raw.currency,
            right: "a block pays in bitcoin, so earnings of work are in \"BTC\"".to_owned(),
            source: None,
        });
    }
    let wrong_fees = |source| ContractError::Number {
        field: format!("{place}.mean_fees_sat"),
        value: raw.mean_fees_sat.clone(),
        right: "write whole satoshi from 0 to 2100000000000000, such as \"0\"",
        source,
    };
    let fees =
        decimal::parse(&raw.mean_fees_sat, 0, Excess::Refuse).map_err(|error| wrong_fees(Some(error)))?;
    let mean_fees_sat = u64::try_from(fees)
        .ok()
        .filter(|fees_sat| *fees_sat <= 2_100_000_000_000_000)
        .ok_or_else(|| wrong_fees(None))?;
    Ok(PoolEarnings { id: raw.id, mean_fees_sat })
}

fn read_metered_energy(place: &str, raw: RawMeteredEnergy) -> Result<MeteredEnergy, ContractError> {
    check_id(&format!("{place}.id"), &raw.id)?;
    let currency = Currency::from_code(&raw.currency).map_err(|error| ContractError::Currency {
        field: format!("{place}.currency"),
        value: raw.currency.clone(),
        right: "write the code of a currency, such as \"USD\"".to_owned(),
        source: Some(error),
    })?;
    if raw.unit.split_once('/') != Some((currency.code(), "kWh")) {
        let field = format!("{place}.unit");
        return Err(ContractError::Unit { field, value: raw.unit, currency: currency.code() });
    }
    let wrong_price = |source| ContractError::Number {
        field: format!("{place}.unit_price"),
        value: raw.unit_price.clone(),
        right: "write a price of zero or more with at most 12 decimal places, such as \"0.0725\"",
        source,
    };
    // The scale of a price is its own: the places it is written with, not the currency's.
    let written = raw.unit_price.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let price_places = u32::try_from(written)
        .ok()
        .filter(|places| *places <= PRICE_PLACES_MAX && !raw.unit_price.contains(['e', 'E']))
        .ok_or_else(|| wrong_price(None))?;
    let price = decimal::parse(&raw.unit_price, price_places, Excess::Refuse)
        .map_err(|error| wrong_price(Some(error)))?;
    let price_scaled = u128::try_from(price)
        .ok()
        .filter(|_| !raw.unit_price.starts_with('-'))
        .ok_or_else(|| wrong_price(None))?;
    Ok(MeteredEnergy { id: raw.id, currency, unit_price: raw.unit_price, price_scaled, price_places })
}

fn check_id(field: &str, value: &str) -> Result<(), ContractError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    if value.is_empty() || value.len() > ID_TEXT_MAX || !value.bytes().all(allowed) {
        let value = value.chars().take(ID_TEXT_MAX).collect();
        return Err(ContractError::Identifier { field: field.to_owned(), value });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"contract_id":"lab-1","customer_id":"satoshi-lab","legal_entity":"genesis-hosting",
        "time_zone":"America/Chicago","components":[
        {"id":"earnings","kind":"pool_earnings","chain":"main","currency":"BTC","mean_fees_sat":"0"},
        {"id":"power","kind":"metered_energy","currency":"USD","unit":"USD/kWh","unit_price":"0.0725"}]}"#;

    #[test]
    fn a_contract_is_read_whole() {
        let contract = Contract::parse(GOOD).unwrap();
        assert_eq!(contract.customer_id, "satoshi-lab");
        let Component::MeteredEnergy(power) = &contract.components[1] else { panic!("order") };
        assert_eq!((power.price_scaled, power.price_places), (725, 4));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field_value_and_remedy() {
        for (from, to, code, words) in [
            ("USD/kWh", "EUR/kWh", "WB-5108", ["components[1].unit", "EUR/kWh", "\"USD/kWh\""]),
            ("USD/kWh", "USD/MWh", "WB-5108", ["components[1].unit", "USD/MWh", "\"USD/kWh\""]),
            ("USD/kWh", "kWh", "WB-5108", ["components[1].unit", "\"kWh\"", "\"USD/kWh\""]),
            ("\"0.0725\"", "\"-0.01\"", "WB-5109", ["components[1].unit_price", "-0.01", "0.0725"]),
            ("\"0.0725\"", "\"-0\"", "WB-5109", ["components[1].unit_price", "-0", "0.0725"]),
            ("\"0.0725\"", "\"7e-2\"", "WB-5109", ["components[1].unit_price", "7e-2", "0.0725"]),
            ("\"0.0725\"", "\"0.0000000000001\"", "WB-5109", ["unit_price", "0.0000000000001", "12"]),
            ("\"0.0725\"", "0.0725", "WB-5101", ["components[1]", "0.0725", "string"]),
            (
                "\"mean_fees_sat\":\"0\"",
                "\"mean_fees_sat\":\"0.5\"",
                "WB-5109",
                ["mean_fees_sat", "0.5", "satoshi"],
            ),
            ("\"chain\":\"main\"", "\"chain\":\"testnet3\"", "WB-5110", ["chain", "testnet3", "main"]),
            (
                "\"currency\":\"BTC\"",
                "\"currency\":\"USD\"",
                "WB-5107",
                ["components[0].currency", "USD", "BTC"],
            ),
            (
                "\"currency\":\"USD\"",
                "\"currency\":\"usd\"",
                "WB-5107",
                ["components[1].currency", "usd", "\"USD\""],
            ),
            (
                "pool_earnings",
                "pool_winnings",
                "WB-5104",
                ["components[0].kind", "pool_winnings", "pool_earnings"],
            ),
            (
                "\"id\":\"power\"",
                "\"id\":\"earnings\"",
                "WB-5106",
                ["components[1].id", "earnings", "differ"],
            ),
            ("America/Chicago", "America/Chikago", "WB-5103", ["time_zone", "America/Chikago", "IANA"]),
            ("\"lab-1\"", "\"lab 1\"", "WB-5102", ["contract_id", "lab 1", "A-Z"]),
            (
                "\"legal_entity\"",
                "\"legal_entitty\"",
                "WB-5101",
                ["document", "legal_entitty", "legal_entity"],
            ),
            ("\"chain\"", "\"extra\":1,\"chain\"", "WB-5101", ["components[0]", "extra", "unknown field"]),
        ] {
            let error = Contract::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.code(), code, "{text}");
            assert!(text.contains(code), "{text}");
            for word in words {
                assert!(text.contains(word), "{text} lacks {word}");
            }
        }
        let none = GOOD.split("[").next().unwrap().to_owned() + "[]}";
        assert_eq!(Contract::parse(&none).unwrap_err().code(), "WB-5105");
    }
}
