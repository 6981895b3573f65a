//! Facts that explain what was metered: windows, meters, a site's mix of energy, what pools paid.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wb_units::decimal::{self, Excess};

use crate::refusal::InputError;

/// When a site or machine was told to draw less. The fact holds for as long as the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curtailment {
    /// The site.
    pub site_id: String,
    /// The machine; absent where all machines of the site are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// Why, or under which programme.
    pub program: String,
    /// What it is credited with, decimal text in the currency of the site's power price, spread evenly
    /// over the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
}

/// When a site or machine was being worked on. The fact holds for as long as the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// The site.
    pub site_id: String,
    /// The machine; absent where all machines of the site are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// What was done.
    pub reason: String,
}

/// When GPUs of a node could not be used. The fact holds for as long as that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The node.
    pub machine_id: String,
    /// How many of its GPUs; absent where all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// What happened: a failed node, a GPU fault and its number.
    pub reason: String,
}

/// Where a site's energy comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyMix {
    /// Parts per million by source (`grid`, `solar`, `wind`, `hydro`, `gas`); they sum to one million.
    pub parts_ppm: BTreeMap<String, u64>,
    /// Of the grid's energy, what is renewable, in parts per million.
    pub grid_renewable_ppm: u64,
}

/// The sources of energy that a mix may name.
pub const ENERGY_SOURCES: [&str; 5] = ["grid", "solar", "wind", "hydro", "gas"];

/// A meter that measures more than the machine that its readings are recorded for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// The site.
    pub site_id: String,
    /// The machine that its readings are recorded for: the one at the meter's place.
    pub machine_id: String,
    /// `site`: all that the site takes in. Of several such meters the sum is the site's.
    pub measures: String,
}

/// What a pool credited for a span of time: the time for which the fact holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolEarning {
    /// The pool.
    pub pool: String,
    /// The site whose work it is for.
    pub site_id: String,
    /// The contract that it is for; absent where it is for the site as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<String>,
    /// Satoshi, decimal digits.
    pub amount_sat: String,
    /// Blocks that the pool found in the time, where it pays for blocks and not for shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_blocks: Option<u64>,
    /// The machine it is for, where the pool reports each machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The customer whose account it went to; absent for the site's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
}

/// What a pool paid out, at the instant from which the fact holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolPayout {
    /// The pool.
    pub pool: String,
    /// The site it is for.
    pub site_id: String,
    /// The contract that it is for; absent where it is for the site as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<String>,
    /// Satoshi, decimal digits.
    pub amount_sat: String,
    /// The transaction, 64 hex digits; absent where it was not paid on the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// The machine it is for, where the pool reports each machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The customer whose account it went to; absent for the site's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
}

fn wrong(field: &str, reason: String) -> InputError {
    InputError::field(format!("body.body.{field}"), reason)
}

fn check_sat(text: &str) -> Result<(), InputError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.parse::<u64>().is_ok() {
        return Ok(());
    }
    Err(wrong("amount_sat", format!("{text:?} is not a number of satoshi: write digits, such as 2500000")))
}

impl Curtailment {
    pub(super) fn check(&self) -> Result<(), InputError> {
        let Some(credit) = &self.credit else { return Ok(()) };
        decimal::parse(credit, CREDIT_PLACES, Excess::Refuse)
            .map(drop)
            .map_err(|error| wrong("credit", format!("{credit:?}: {error}")))
    }
}

/// Decimal places of a credit that are kept.
pub const CREDIT_PLACES: u32 = 8;

impl Outage {
    pub(super) fn check(&self) -> Result<(), InputError> {
        if self.gpus == Some(0) {
            return Err(wrong("gpus", "is 0: write how many could not be used, or leave it out".to_owned()));
        }
        Ok(())
    }
}

impl EnergyMix {
    pub(super) fn check(&self) -> Result<(), InputError> {
        const WHOLE_PPM: u64 = 1_000_000;
        for source in self.parts_ppm.keys() {
            if !ENERGY_SOURCES.contains(&source.as_str()) {
                let reason = format!("unknown source {source:?}: known are {}", ENERGY_SOURCES.join(", "));
                return Err(wrong("parts_ppm", reason));
            }
        }
        let sum = self.parts_ppm.values().try_fold(0_u64, |sum, part| sum.checked_add(*part));
        if sum != Some(WHOLE_PPM) {
            let reason = format!("the parts sum to {sum:?}, and must to {WHOLE_PPM}");
            return Err(wrong("parts_ppm", reason));
        }
        if self.grid_renewable_ppm > WHOLE_PPM {
            return Err(wrong("grid_renewable_ppm", format!("is above {WHOLE_PPM}, which is all of it")));
        }
        Ok(())
    }
}

impl Meter {
    pub(super) fn check(&self) -> Result<(), InputError> {
        if self.measures == "site" {
            return Ok(());
        }
        let reason = format!(
            "unknown {:?}: known is site; a meter of one machine needs no fact of its own",
            self.measures
        );
        Err(wrong("measures", reason))
    }
}

impl PoolEarning {
    pub(super) fn check(&self) -> Result<(), InputError> {
        check_sat(&self.amount_sat)
    }
}

impl PoolPayout {
    pub(super) fn check(&self) -> Result<(), InputError> {
        check_sat(&self.amount_sat)?;
        let is_txid = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.txid.as_ref().is_none_or(is_txid) {
            return Ok(());
        }
        Err(wrong("txid", "is not a transaction: 64 hex digits".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::FactBody;

    #[test]
    fn facts_about_metering_are_checked_before_they_are_kept() {
        for (kind, entity, body, field) in [
            ("curtailment", "w1", r#"{"site_id":"s","program":"4CP","credit":"12,50"}"#, "credit"),
            ("curtailment", "w1", r#"{"site_id":"s"}"#, "body.body"),
            ("maintenance", "w2", r#"{"site_id":"s"}"#, "body.body"),
            ("energy_mix", "s", r#"{"parts_ppm":{"grid":999999},"grid_renewable_ppm":0}"#, "parts_ppm"),
            ("energy_mix", "s", r#"{"parts_ppm":{"coal":1000000},"grid_renewable_ppm":0}"#, "parts_ppm"),
            (
                "energy_mix",
                "s",
                r#"{"parts_ppm":{"grid":1000000},"grid_renewable_ppm":1000001}"#,
                "grid_renewable_ppm",
            ),
            (
                "energy_mix",
                "s",
                r#"{"parts_ppm":{"grid":18446744073709551615,"gas":2},"grid_renewable_ppm":0}"#,
                "parts_ppm",
            ),
            ("meter", "e", r#"{"site_id":"s","machine_id":"m","measures":"row"}"#, "measures"),
            ("pool_earning", "p/1", r#"{"pool":"p","site_id":"s","amount_sat":"-1"}"#, "amount_sat"),
            ("pool_earning", "p/1", r#"{"pool":"p","site_id":"s","amount_sat":5}"#, "amount_sat"),
            ("pool_payout", "p/1", r#"{"pool":"p","site_id":"s","amount_sat":""}"#, "amount_sat"),
            ("pool_payout", "p/1", r#"{"pool":"p","site_id":"s","amount_sat":"1","txid":"ab"}"#, "txid"),
        ] {
            let error = FactBody::parse(kind, entity, body).unwrap_err();
            assert!(error.field.contains(field), "{kind} {body}: {error}");
        }
        for (kind, entity, body) in [
            ("curtailment", "w1", r#"{"credit":"12.50","program":"4CP","site_id":"s"}"#),
            ("maintenance", "w2", r#"{"machine_id":"m","reason":"fans","site_id":"s"}"#),
            (
                "energy_mix",
                "s",
                r#"{"grid_renewable_ppm":410000,"parts_ppm":{"grid":700000,"solar":300000}}"#,
            ),
            ("meter", "e", r#"{"machine_id":"m","measures":"site","site_id":"s"}"#),
            ("pool_earning", "p/1", r#"{"amount_sat":"250","pool":"p","site_id":"s"}"#),
            ("pool_payout", "p/1", r#"{"amount_sat":"250","pool":"p","site_id":"s"}"#),
        ] {
            assert_eq!(FactBody::parse(kind, entity, body).unwrap().to_json(), body);
        }
    }
}
