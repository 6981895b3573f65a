//! The contract document: read strictly, with every unit checked before anything is rated by it.

use jiff::tz::TimeZone;

use crate::components::{Component, KINDS};
use crate::contract::{Contract, Format};
use crate::coverage;
use crate::document::{Malformed, Node, ROOT, Value};
use crate::error::ContractError;
use crate::fields::{Earlier, Fields, shorten, text_of};
use crate::rules::CountingRules;

/// The most components of one contract: more than there are kinds, and few enough for one invoice.
const COMPONENTS_MAX: usize = 64;

/// The longest time to pay, in days.
const PAYMENT_TERMS_DAYS_MAX: u32 = 366;

/// The most persons that an invoice may wait for.
const APPROVALS_MAX: u32 = 9;

/// A whole, in parts per million.
const WHOLE_PPM: u32 = 1_000_000;

impl Contract {
    /// Reads the inner body of a `contract` fact, which is JSON.
    ///
    /// # Errors
    /// [`ContractError`] for the first thing that is wrong: unknown or missing fields, identifiers,
    /// zone, kinds, currencies, units, references or numbers.
    pub fn parse(json: &str) -> Result<Self, ContractError> {
        Self::check(json, Format::Json).map_err(first)
    }

    /// Reads a document in TOML.
    ///
    /// # Errors
    /// As [`Self::parse`]; the place of what is wrong has its line.
    pub fn parse_toml(toml: &str) -> Result<Self, ContractError> {
        Self::check(toml, Format::Toml).map_err(first)
    }

    /// Reads a document and collects what is wrong: one error for the head and one for each component.
    ///
    /// # Errors
    /// All of them, in the order of the document, at least one.
    pub fn check(text: &str, format: Format) -> Result<Self, Vec<ContractError>> {
        let root = match format {
            Format::Json => Node::from_json(text),
            Format::Toml => Node::from_toml(text),
        };
        let root = root
            .map_err(|Malformed { detail }| vec![ContractError::Form { place: ROOT.to_owned(), detail }])?;
        let mut errors = Vec::new();
        let mut contract = read_head(&root).map_err(|error| errors.push(error)).ok();
        let components = read_components(&root, &mut errors);
        match contract.take() {
            Some(contract) if errors.is_empty() => Ok(Self { components, ..contract }),
            _ => Err(errors),
        }
    }
}

/// The first of at least one error.
fn first(mut errors: Vec<ContractError>) -> ContractError {
    if errors.is_empty() {
        return ContractError::ComponentCount { count: 0, max: COMPONENTS_MAX };
    }
    errors.swap_remove(0)
}

fn read_head(root: &Node) -> Result<Contract, ContractError> {
    let mut fields = Fields::of(root, &[])?;
    let contract_id = fields.id("contract_id")?;
    let customer_id = fields.id("customer_id")?;
    let legal_entity = fields.id("legal_entity")?;
    let zone = fields.required("time_zone")?;
    let time_zone = text_of(zone)?;
    if TimeZone::get(time_zone).is_err() {
        return Err(ContractError::TimeZone { field: zone.place.clone(), value: shorten(time_zone) });
    }
    let version = fields.whole_or_none("version", 1..=u64::from(u32::MAX))?.unwrap_or(1);
    let effective_from_us = fields.instant_or_none("effective_from")?;
    let effective_to_us = fields.instant_or_none("effective_to")?;
    if let (Some(from_us), Some(to_us), Some(node)) =
        (effective_from_us, effective_to_us, fields.optional("effective_to"))
        && to_us <= from_us
    {
        return Err(ContractError::Moment {
            field: node.place.clone(),
            value: shorten(text_of(node)?),
            right: "write an instant after effective_from",
        });
    }
    let payment_terms_days = fields.small_or_none("payment_terms_days", PAYMENT_TERMS_DAYS_MAX)?;
    let approvals = fields.small_or_none("approvals", APPROVALS_MAX)?;
    let completeness_ppm = fields.small_or_none("completeness_ppm", WHOLE_PPM)?;
    let late_fee_ppm = fields.small_or_none("late_fee_ppm", WHOLE_PPM)?;
    let purchase_order = fields.words("purchase_order")?;
    let counting = CountingRules::read(&mut fields)?;
    fields.required("components")?;
    fields.finish()?;
    Ok(Contract {
        contract_id,
        customer_id,
        legal_entity,
        time_zone: time_zone.to_owned(),
        version,
        effective_from_us,
        effective_to_us,
        payment_terms_days,
        approvals,
        completeness_ppm,
        late_fee_ppm,
        purchase_order,
        counting,
        components: Vec::new(),
    })
}

fn read_components(root: &Node, errors: &mut Vec<ContractError>) -> Vec<Component> {
    let mut components = Vec::new();
    // A missing list is reported with the head.
    let Value::Table(entries) = &root.value else { return components };
    let Some((_, list)) = entries.iter().find(|(key, _)| key == "components") else { return components };
    let Value::List(nodes) = &list.value else {
        let detail = format!("it is {}; write a list of components", list.value.describe());
        errors.push(ContractError::Form { place: list.place.clone(), detail });
        return components;
    };
    let count = nodes.len();
    if count == 0 || count > COMPONENTS_MAX {
        errors.push(ContractError::ComponentCount { count, max: COMPONENTS_MAX });
        return components;
    }
    let mut earlier: Vec<Earlier> = Vec::with_capacity(count);
    for node in nodes {
        match read_component(node, &earlier) {
            Ok(component) => {
                earlier.push(Earlier {
                    id: component.id().to_owned(),
                    kind: component.kind(),
                    currency: component.currency(),
                });
                components.push(component);
            }
            Err(error) => errors.push(error),
        }
    }
    if components.len() == count {
        let place_of = |place: usize| nodes.get(place).map_or_else(String::new, |node| node.place.clone());
        errors.extend(coverage::refusal(&components, place_of));
    }
    components
}

fn read_component(node: &Node, earlier: &[Earlier]) -> Result<Component, ContractError> {
    let mut fields = Fields::of(node, earlier)?;
    let kind = fields.required("kind")?;
    let name = text_of(kind)?;
    let unknown = || ContractError::UnknownKind {
        field: kind.place.clone(),
        value: shorten(name),
        known: KINDS.iter().map(|known| format!("{known:?}")).collect::<Vec<_>>().join(", "),
    };
    let component = Component::read(name, &mut fields)?.ok_or_else(unknown)?;
    if earlier.iter().any(|other| other.id == component.id()) {
        let field = fields.required("id")?.place.clone();
        return Err(ContractError::RepeatedId { field, value: component.id().to_owned() });
    }
    fields.finish()?;
    Ok(component)
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
        assert_eq!(power.unit_price.text, "0.0725");
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
