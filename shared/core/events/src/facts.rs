//! The forms of reference facts. Each is checked when it arrives; what is stored is the checked
//! form, written again in one spelling.

mod corrections;
mod machine;
mod metering;
mod money;
mod party;
mod policy;
mod redrive;
mod stratum_v2;
mod withdrawal;

pub use corrections::{CountedEvent, METER_RATIO, MeterRatio, VOID, Void, WORDS_BYTES_MAX, id_text};
pub use machine::Machine;
pub use metering::{
    CREDIT_PLACES, Curtailment, ENERGY_SOURCES, EnergyMix, Maintenance, Meter, Outage, PoolEarning,
    PoolPayout,
};
pub use money::{COUNT_PLACES, Count, DepositHeld, PRICE_PLACES, PastInvoice, PrepaidGrant, Price};
pub use party::{ACCOUNT, Account, Customer, LegalEntity};
pub use policy::{DATA_POLICY, DataPolicy, POLICY_US_MAX};
pub use redrive::{REDRIVE, Redrive};
pub use stratum_v2::{EXTENDED, JobV2, STANDARD};
pub use withdrawal::{CONTRACT_WITHDRAWAL, ContractWithdrawal};

use serde::{Deserialize, Serialize};
use wb_proof::hex;
use wb_proof::stratum_v1;
use wb_units::time::check_zone;

use crate::missing;
use crate::refusal::InputError;

/// A site where machines stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name for people.
    pub name: String,
    /// Its IANA time zone.
    pub time_zone: String,
    /// The series of prices of its power, per kWh or MWh. Reports compute the cost of power from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_price_series: Option<String>,
    /// The series of prices of a bitcoin. Reports value what the site mined by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub btc_price_series: Option<String>,
    /// The series of prices of a GPU-hour. Reports value what the site sold by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_price_series: Option<String>,
}

/// Which customer and contract a machine belongs to. Takes effect on interval boundaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The machine.
    pub machine_id: String,
    /// The customer.
    pub customer_id: String,
    /// The contract.
    pub contract_id: String,
}

/// How shares of a connection are read and credited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The machine that works in it.
    pub machine_id: String,
    /// The worker's name.
    pub worker: String,
    /// The chain it works on; only `main` earns.
    pub chain: String,
    /// `stratum_v1`, `stratum_v2_standard`, `stratum_v2_extended` or `replay`.
    pub protocol: String,
    /// The scope of its job ids: a pool or proxy instance.
    pub scope: String,
    /// The pool's part of the extranonce, hex; Stratum V2 calls it `extranonce_prefix`.
    #[serde(alias = "extranonce_prefix")]
    pub extranonce1: String,
    /// Bytes of the miner's part; Stratum V2 calls it `extranonce_size`.
    #[serde(alias = "extranonce_size")]
    pub extranonce2_size: usize,
    /// Version bits that may roll (BIP310), eight hex digits.
    pub version_mask: Option<String>,
    /// The difficulty credited for a share, decimal text.
    pub assigned_difficulty: String,
    /// How long after the tip changed a share on the tip before is not yet stale, in milliseconds; 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_window_ms: Option<u32>,
}

/// A job of a pool or proxy, as `mining.notify` sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The scope of its job id: a pool or proxy instance.
    pub scope: String,
    /// The job's id in that scope.
    pub job_id: String,
    /// The chain.
    pub chain: String,
    /// Height of the block under work.
    pub height: u32,
    /// Previous block in notify's word order, 64 hex digits.
    pub prevhash: String,
    /// Coinbase before the extranonce, hex.
    pub coinb1: String,
    /// Coinbase after the extranonce, hex.
    pub coinb2: String,
    /// Merkle branch, 64 hex digits each.
    pub branch: Vec<String>,
    /// Block version, eight hex digits.
    pub version: String,
    /// Network target in compact form, eight hex digits.
    pub nbits: String,
    /// The earliest time of a share, eight hex digits.
    pub ntime: String,
    /// Whether work on older jobs is to stop.
    pub clean_jobs: bool,
}

/// A new best block of a chain, valid from the moment it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tip {
    /// The chain.
    pub chain: String,
    /// The block's height.
    pub height: u32,
    /// Its hash as people read it, 64 hex digits.
    pub hash: String,
}

/// The network's target from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDifficulty {
    /// The chain.
    pub chain: String,
    /// The first height it holds for.
    pub height: u32,
    /// The target in compact form, eight hex digits.
    pub nbits: String,
}

/// A fact of any kind, checked. A contract stays a JSON value here: its form belongs to the
/// rating engine.
#[derive(Debug, Clone, PartialEq)]
pub enum FactBody {
    /// See [`Site`].
    Site(Site),
    /// See [`Machine`].
    Machine(Machine),
    /// See [`Customer`].
    Customer(Customer),
    /// See [`LegalEntity`].
    LegalEntity(LegalEntity),
    /// See [`Assignment`].
    Assignment(Assignment),
    /// See [`Account`].
    Account(Account),
    /// A contract document.
    Contract(serde_json::Value),
    /// See [`ContractWithdrawal`].
    ContractWithdrawal(ContractWithdrawal),
    /// See [`Session`].
    Session(Session),
    /// See [`Job`].
    Job(Job),
    /// See [`JobV2`].
    JobV2(JobV2),
    /// See [`Tip`].
    Tip(Tip),
    /// See [`NetworkDifficulty`].
    NetworkDifficulty(NetworkDifficulty),
    /// See [`Price`].
    Price(Price),
    /// See [`Redrive`].
    Redrive(Redrive),
    /// See [`Curtailment`].
    Curtailment(Curtailment),
    /// See [`Maintenance`].
    Maintenance(Maintenance),
    /// See [`EnergyMix`].
    EnergyMix(EnergyMix),
    /// See [`Meter`].
    Meter(Meter),
    /// See [`PoolEarning`].
    PoolEarning(PoolEarning),
    /// See [`PoolPayout`].
    PoolPayout(PoolPayout),
    /// See [`Void`].
    Void(Void),
    /// See [`MeterRatio`].
    MeterRatio(MeterRatio),
    /// See [`DataPolicy`].
    DataPolicy(DataPolicy),
    /// See [`Outage`].
    Outage(Outage),
    /// See [`Count`].
    Count(Count),
    /// See [`PrepaidGrant`].
    PrepaidGrant(PrepaidGrant),
    /// See [`DepositHeld`].
    DepositHeld(DepositHeld),
    /// See [`PastInvoice`].
    PastInvoice(PastInvoice),
}

/// The kinds of facts, for messages.
pub const FACT_KINDS: &str = "site, machine, customer, legal_entity, assignment, account, contract, contract_withdrawal, \
     session, job, tip, network_difficulty, price, curtailment, maintenance, energy_mix, meter, pool_earning, pool_payout, \
     void, meter_ratio, data_policy, outage, count, prepaid_grant, deposit_held, past_invoice";

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, InputError> {
    missing::read(text, "body.body")
}

/// Whether a JSON object has a field `protocol`; false for text that is not such an object, whose errors are found
/// later.
fn has_protocol(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Peek {
        protocol: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Peek>(text).is_ok_and(|peek| peek.protocol.is_some())
}

fn as_hex_error(error: &wb_proof::hex::HexError) -> InputError {
    InputError::field(format!("body.body.{}", error.field()), error.to_string())
}

impl FactBody {
    /// Reads and checks the inner body of a fact.
    ///
    /// # Errors
    /// [`InputError`] naming the field, what is wrong with it and what would be right.
    pub fn parse(kind: &str, entity: &str, text: &str) -> Result<Self, InputError> {
        let body = match kind {
            "site" => Self::Site(read(text)?),
            "machine" => Self::Machine(read(text)?),
            "customer" => Self::Customer(read(text)?),
            "legal_entity" => Self::LegalEntity(read(text)?),
            "assignment" => Self::Assignment(read(text)?),
            ACCOUNT => Self::Account(read(text)?),
            "contract" => Self::Contract(read(text)?),
            CONTRACT_WITHDRAWAL => Self::ContractWithdrawal(read(text)?),
            "session" => Self::Session(read(text)?),
            // The two forms of a job share few names; this one says which it is.
            "job" if has_protocol(text) => Self::JobV2(read(text)?),
            "job" => Self::Job(read(text)?),
            "tip" => Self::Tip(read(text)?),
            "network_difficulty" => Self::NetworkDifficulty(read(text)?),
            "price" => Self::Price(read(text)?),
            REDRIVE => Self::Redrive(read(text)?),
            "curtailment" => Self::Curtailment(read(text)?),
            "maintenance" => Self::Maintenance(read(text)?),
            "energy_mix" => Self::EnergyMix(read(text)?),
            "meter" => Self::Meter(read(text)?),
            "pool_earning" => Self::PoolEarning(read(text)?),
            "pool_payout" => Self::PoolPayout(read(text)?),
            VOID => Self::Void(read(text)?),
            METER_RATIO => Self::MeterRatio(read(text)?),
            DATA_POLICY => Self::DataPolicy(read(text)?),
            "outage" => Self::Outage(read(text)?),
            "count" => Self::Count(read(text)?),
            "prepaid_grant" => Self::PrepaidGrant(read(text)?),
            "deposit_held" => Self::DepositHeld(read(text)?),
            "past_invoice" => Self::PastInvoice(read(text)?),
            other => {
                let reason = format!("unknown kind of fact {other:?}: known are {FACT_KINDS}");
                return Err(InputError::field("body.fact", reason));
            }
        };
        body.check(entity)?;
        Ok(body)
    }

    fn check(&self, entity: &str) -> Result<(), InputError> {
        let expected_entity = match self {
            Self::Site(site) => {
                site.check()?;
                entity.to_owned()
            }
            Self::Customer(customer) => {
                customer.check()?;
                entity.to_owned()
            }
            Self::LegalEntity(legal_entity) => {
                legal_entity.check()?;
                entity.to_owned()
            }
            Self::Machine(machine) => {
                machine.check()?;
                entity.to_owned()
            }
            Self::Assignment(assignment) => assignment.machine_id.clone(),
            Self::Contract(contract) => {
                contract.get("contract_id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
            }
            Self::ContractWithdrawal(withdrawal) => withdrawal.checked_entity()?,
            Self::Session(session) => {
                session.check()?;
                entity.to_owned()
            }
            Self::Job(job) => {
                job.parameters()?;
                format!("{}/{}", job.scope, job.job_id)
            }
            Self::JobV2(job) => {
                job.parameters()?;
                format!("{}/{}", job.scope, job.job_id)
            }
            Self::Tip(tip) => {
                tip.hash_internal()?;
                tip.chain.clone()
            }
            Self::NetworkDifficulty(difficulty) => {
                difficulty.nbits()?;
                difficulty.chain.clone()
            }
            Self::Price(price) => {
                price.check()?;
                price.series.clone()
            }
            Self::Redrive(redrive) => redrive.id.clone(),
            Self::Maintenance(_) | Self::Account(_) => entity.to_owned(),
            Self::Outage(outage) => {
                outage.check()?;
                entity.to_owned()
            }
            Self::Count(count) => {
                count.check()?;
                entity.to_owned()
            }
            Self::PrepaidGrant(grant) => {
                grant.check()?;
                entity.to_owned()
            }
            Self::DepositHeld(deposit) => {
                deposit.check()?;
                entity.to_owned()
            }
            Self::PastInvoice(invoice) => {
                invoice.check()?;
                entity.to_owned()
            }
            Self::Curtailment(curtailment) => {
                curtailment.check()?;
                entity.to_owned()
            }
            Self::EnergyMix(mix) => {
                mix.check()?;
                entity.to_owned()
            }
            Self::Meter(meter) => {
                meter.check()?;
                entity.to_owned()
            }
            Self::PoolEarning(earning) => {
                earning.check()?;
                entity.to_owned()
            }
            Self::PoolPayout(payout) => {
                payout.check()?;
                entity.to_owned()
            }
            Self::Void(void) => void.checked_entity()?,
            Self::MeterRatio(ratio) => ratio.checked_entity()?,
            Self::DataPolicy(policy) => policy.checked_entity()?,
        };
        if entity == expected_entity {
            Ok(())
        } else {
            let reason = format!("is {entity:?}, but the fact's body speaks of {expected_entity:?}");
            Err(InputError::field("body.entity", reason))
        }
    }

    /// Whether a fact of this kind holds for a span of time, so that it needs an end.
    #[must_use]
    pub fn needs_end(&self) -> bool {
        matches!(self, Self::PoolEarning(_) | Self::MeterRatio(_) | Self::Outage(_))
    }

    /// The stored spelling: compact JSON with sorted keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        let value = match self {
            Self::Site(body) => serde_json::to_value(body),
            Self::Machine(body) => serde_json::to_value(body),
            Self::Customer(body) => serde_json::to_value(body),
            Self::LegalEntity(body) => serde_json::to_value(body),
            Self::Assignment(body) => serde_json::to_value(body),
            Self::Account(body) => serde_json::to_value(body),
            Self::Contract(body) => Ok(body.clone()),
            Self::ContractWithdrawal(body) => serde_json::to_value(body),
            Self::Session(body) => serde_json::to_value(body),
            Self::Job(body) => serde_json::to_value(body),
            Self::JobV2(body) => serde_json::to_value(body),
            Self::Tip(body) => serde_json::to_value(body),
            Self::NetworkDifficulty(body) => serde_json::to_value(body),
            Self::Price(body) => serde_json::to_value(body),
            Self::Redrive(body) => serde_json::to_value(body),
            Self::Curtailment(body) => serde_json::to_value(body),
            Self::Maintenance(body) => serde_json::to_value(body),
            Self::EnergyMix(body) => serde_json::to_value(body),
            Self::Meter(body) => serde_json::to_value(body),
            Self::PoolEarning(body) => serde_json::to_value(body),
            Self::PoolPayout(body) => serde_json::to_value(body),
            Self::Void(body) => serde_json::to_value(body),
            Self::MeterRatio(body) => serde_json::to_value(body),
            Self::DataPolicy(body) => serde_json::to_value(body),
            Self::Outage(body) => serde_json::to_value(body),
            Self::Count(body) => serde_json::to_value(body),
            Self::PrepaidGrant(body) => serde_json::to_value(body),
            Self::DepositHeld(body) => serde_json::to_value(body),
            Self::PastInvoice(body) => serde_json::to_value(body),
        };
        // These types have string keys and integers only, so writing them cannot fail.
        value.map(|value| value.to_string()).unwrap_or_default()
    }
}

impl Site {
    fn check(&self) -> Result<(), InputError> {
        check_zone(&self.time_zone).map_err(|reason| InputError::field("body.body.time_zone", reason))
    }
}

impl Session {
    fn check(&self) -> Result<(), InputError> {
        if self.stale_window_ms.is_some_and(|window_ms| window_ms > STALE_WINDOW_MS_MAX) {
            let reason = format!("at most {STALE_WINDOW_MS_MAX}: ten minutes after its tip, work is old");
            return Err(InputError::field("body.body.stale_window_ms", reason));
        }
        match self.channel()? {
            Some(_) => Ok(()),
            None => self.parameters().map(drop),
        }
    }

    /// The session as the proof needs it, where its protocol is not one of Stratum V2: that is [`Session::channel`].
    ///
    /// # Errors
    /// [`InputError`] naming the field that is not of its form.
    pub fn parameters(&self) -> Result<stratum_v1::Session, InputError> {
        if !matches!(self.protocol.as_str(), "stratum_v1" | "replay") {
            let reason = format!(
                "unknown protocol {:?}: known are stratum_v1, {STANDARD}, {EXTENDED}, replay",
                self.protocol
            );
            return Err(InputError::field("body.body.protocol", reason));
        }
        if self.extranonce2_size > EXTRANONCE_BYTES_MAX {
            let reason =
                format!("is {}, at most {EXTRANONCE_BYTES_MAX} bytes are taken", self.extranonce2_size);
            return Err(InputError::field("body.body.extranonce2_size", reason));
        }
        let extranonce1 = hex::decode_vec("extranonce1", &self.extranonce1, EXTRANONCE_BYTES_MAX)
            .map_err(|error| as_hex_error(&error))?;
        let version_mask = self
            .version_mask
            .as_deref()
            .map(|mask| hex::decode_u32("version_mask", mask))
            .transpose()
            .map_err(|error| as_hex_error(&error))?;
        let assigned_q32 = wb_proof::parse_difficulty_q32(&self.assigned_difficulty)
            .map_err(|error| InputError::field("body.body.assigned_difficulty", error.to_string()))?;
        Ok(stratum_v1::Session {
            extranonce1,
            extranonce2_size: self.extranonce2_size,
            version_mask,
            assigned_q32,
        })
    }
}

/// The longest window after a change of tip: an average block.
pub const STALE_WINDOW_MS_MAX: u32 = 600_000;
/// The longest extranonce part.
pub const EXTRANONCE_BYTES_MAX: usize = 64;
/// The longest half of a coinbase.
pub const COINBASE_HALF_BYTES_MAX: usize = 32 * 1024;
/// The longest Merkle branch: 2^32 transactions.
pub const BRANCH_MAX: usize = 32;

impl Job {
    /// The job as the proof needs it.
    ///
    /// # Errors
    /// [`InputError`] naming the field that is not of its form.
    pub fn parameters(&self) -> Result<stratum_v1::Job, InputError> {
        if self.branch.len() > BRANCH_MAX {
            let reason = format!("has {} entries, at most {BRANCH_MAX} are taken", self.branch.len());
            return Err(InputError::field("body.body.branch", reason));
        }
        let number = |field, text| hex::decode_u32(field, text).map_err(|error| as_hex_error(&error));
        let half = |field, text| {
            hex::decode_vec(field, text, COINBASE_HALF_BYTES_MAX).map_err(|error| as_hex_error(&error))
        };
        let branch = self
            .branch
            .iter()
            .map(|entry| hex::decode_array("branch", entry).map_err(|error| as_hex_error(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let nbits = number("nbits", &self.nbits)?;
        wb_proof::Target::from_nbits(nbits)
            .map_err(|error| InputError::field("body.body.nbits", error.to_string()))?;
        Ok(stratum_v1::Job {
            job_id: self.job_id.clone(),
            prevhash_wire: hex::decode_array("prevhash", &self.prevhash)
                .map_err(|error| as_hex_error(&error))?,
            coinb1: half("coinb1", &self.coinb1)?,
            coinb2: half("coinb2", &self.coinb2)?,
            branch,
            version: number("version", &self.version)?,
            nbits,
            ntime: number("ntime", &self.ntime)?,
            clean_jobs: self.clean_jobs,
        })
    }
}

impl Tip {
    /// The hash in internal byte order.
    ///
    /// # Errors
    /// [`InputError`] where it is not 64 hex digits.
    pub fn hash_internal(&self) -> Result<[u8; 32], InputError> {
        let mut hash: [u8; 32] =
            hex::decode_array("hash", &self.hash).map_err(|error| as_hex_error(&error))?;
        hash.reverse();
        Ok(hash)
    }
}

impl NetworkDifficulty {
    /// The compact target.
    ///
    /// # Errors
    /// [`InputError`] where it is not eight hex digits of a valid target.
    pub fn nbits(&self) -> Result<u32, InputError> {
        let nbits = hex::decode_u32("nbits", &self.nbits).map_err(|error| as_hex_error(&error))?;
        wb_proof::Target::from_nbits(nbits)
            .map_err(|error| InputError::field("body.body.nbits", error.to_string()))?;
        Ok(nbits)
    }
}

/// What a block of a height pays, before fees: 50 BTC halved every 210,000 blocks, in satoshi
/// (Bitcoin Core, `GetBlockSubsidy`).
#[must_use]
pub fn subsidy_sat(height: u32) -> u64 {
    5_000_000_000_u64.checked_shr(height / 210_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsidy_halves() {
        for (height, expected_sat) in [
            (0, 5_000_000_000),
            (209_999, 5_000_000_000),
            (210_000, 2_500_000_000),
            (840_000, 312_500_000),
            (6_929_999, 1),
            (6_930_000, 0),
            (u32::MAX, 0),
        ] {
            assert_eq!(subsidy_sat(height), expected_sat);
        }
    }

    #[test]
    fn facts_are_checked_before_they_are_kept() {
        for (kind, entity, body, field) in [
            ("site", "s", r#"{"name":"S"}"#, "body.body"),
            ("site", "s", r#"{"name":"S","time_zone":"UTC","x":1}"#, "body.body"),
            ("site", "s", r#"{"name":"S","time_zone":"Mars"}"#, "body.body.time_zone"),
            ("machine", "m", r#"{"site_id":"s","model":"S21","rated_power_mw":"a"}"#, "rated_power_mw"),
            ("assignment", "m", r#"{"machine_id":"n","customer_id":"c","contract_id":"k"}"#, "body.entity"),
            ("tip", "main", r#"{"chain":"main","height":1,"hash":"xyz"}"#, "hash"),
            ("network_difficulty", "main", r#"{"chain":"main","height":1,"nbits":"00000000"}"#, "nbits"),
            ("wish", "x", "{}", "body.fact"),
        ] {
            let error = FactBody::parse(kind, entity, body).unwrap_err();
            assert!(error.field.contains(field), "{kind}: {error}");
        }
        let kept = FactBody::parse("site", "s", r#"{ "time_zone":"UTC", "name":"S" }"#).unwrap().to_json();
        assert_eq!(kept, r#"{"name":"S","time_zone":"UTC"}"#);
    }
}
