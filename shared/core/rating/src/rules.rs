//! How a contract counts its usage, beside its components.

use crate::document::Node;
use crate::error::ContractError;
use crate::fields::{Fields, choice, text_of};

/// The witnesses of energy that a contract may accept, in the order that holds where it lists none. The last,
/// `nameplate`, is no measurement: it counts only where a contract lists it.
pub const WITNESSES: [&str; 5] = ["meter", "pdu", "firmware_counter", "firmware_power", "nameplate"];

/// What a contract may leave out of the uptime that the operator promises.
pub const CARVE_OUTS: [&str; 3] = ["curtailed", "maintenance", "unknown"];

/// How the usage of a contract is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountingRules {
    /// The witnesses of energy that count, by their names, the best first: each for the time that those before it do
    /// not cover.
    pub witnesses: Vec<&'static str>,
    /// The time without operation that is left out of uptime.
    pub carve_outs: Vec<&'static str>,
    /// Whether a pool's credits count as received, and not its payouts.
    pub earnings_are_receipts: bool,
}

impl Default for CountingRules {
    fn default() -> Self {
        let measured = WITNESSES.into_iter().filter(|witness| *witness != "nameplate");
        Self {
            witnesses: measured.collect(),
            carve_outs: vec!["curtailed", "maintenance"],
            earnings_are_receipts: false,
        }
    }
}

impl CountingRules {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let default = Self::default();
        let witnesses = match fields.optional("witnesses") {
            None => default.witnesses,
            Some(node) => {
                let witnesses = words(fields, "witnesses", &WITNESSES)?;
                if witnesses.is_empty() {
                    return Err(ContractError::Steps {
                        field: node.place.clone(),
                        detail: "the list is empty; name at least one witness, or leave it out",
                    });
                }
                witnesses
            }
        };
        let carve_outs = match fields.optional("carve_outs") {
            None => default.carve_outs,
            Some(_) => words(fields, "carve_outs", &CARVE_OUTS)?,
        };
        let earnings_are_receipts = fields.optional("receipts").is_some()
            && fields.word("receipts", &["pool_payout", "pool_earning"])? == "pool_earning";
        Ok(Self { witnesses, carve_outs, earnings_are_receipts })
    }
}

/// A list of some of a few words, each at most once.
fn words(
    fields: &mut Fields<'_>,
    name: &'static str,
    known: &[&'static str],
) -> Result<Vec<&'static str>, ContractError> {
    let mut found = Vec::new();
    for node in fields.list(name)? {
        let word = word_of(node, known)?;
        if found.contains(&word) {
            return Err(choice(node, "name each once".to_owned()));
        }
        found.push(word);
    }
    Ok(found)
}

fn word_of(node: &Node, known: &[&'static str]) -> Result<&'static str, ContractError> {
    let given = text_of(node)?;
    known.iter().find(|word| **word == given).copied().ok_or_else(|| {
        let words = known.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        choice(node, format!("write one of {words}"))
    })
}

#[cfg(test)]
mod tests {
    use crate::Contract;
    use serde_json::{Value, json};

    fn contract(extra: (&str, Value)) -> Result<Contract, crate::ContractError> {
        let mut body = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "l", "time_zone": "UTC",
            "components": [{"id": "f", "kind": "fixed_fee", "currency": "USD", "amount": "1"}]});
        body[extra.0] = extra.1;
        Contract::parse(&body.to_string())
    }

    #[test]
    fn a_contract_may_name_its_witnesses_carve_outs_and_receipts() {
        let plain = contract(("version", json!(1))).unwrap().counting;
        assert_eq!(plain, super::CountingRules::default());
        assert!(!plain.witnesses.contains(&"nameplate"));
        let named = contract(("witnesses", json!(["pdu", "nameplate"]))).unwrap().counting;
        assert_eq!(named.witnesses, ["pdu", "nameplate"]);
        assert!(contract(("carve_outs", json!([]))).unwrap().counting.carve_outs.is_empty());
        assert!(contract(("receipts", json!("pool_earning"))).unwrap().counting.earnings_are_receipts);
        for (field, value, code, word) in [
            ("witnesses", json!([]), "WB-5114", "at least one"),
            ("witnesses", json!(["meter", "meter"]), "WB-5113", "once"),
            ("witnesses", json!(["gauge"]), "WB-5113", "firmware_power"),
            ("witnesses", json!("meter"), "WB-5101", "list"),
            ("carve_outs", json!(["offline"]), "WB-5113", "maintenance"),
            ("receipts", json!("promises"), "WB-5113", "pool_payout"),
        ] {
            let error = contract((field, value)).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
