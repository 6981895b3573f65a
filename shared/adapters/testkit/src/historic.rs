//! Real blocks as Stratum V1 sessions, and mutations of them that must be refused.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wb_units::time::SECOND_US;

use crate::build::{Builder, Rated};
use crate::{Expect, POOL_HISTORIC, Part, TestkitError, read};

const ACCEPTED_FILE: &str = "bitcoin/stratum_v1_jobs.json";
const REJECTED_FILE: &str = "bitcoin/stratum_v1_rejects.json";

/// The start of the site's facts: before the oldest of its blocks.
const START_US: i64 = 1_325_376_000 * SECOND_US;

/// The block version from which on a coinbase starts with its height (BIP34).
const BIP34_VERSION: u32 = 2;

pub(crate) fn parts(data_dir: &Path, builder: &mut Builder) -> Result<Vec<Part>, TestkitError> {
    builder.site("pool-historic", "Real blocks", "UTC", START_US);
    let mut machines = Vec::new();
    let mut parts = Vec::new();
    for (name, file) in [("historic blocks", ACCEPTED_FILE), ("historic rejects", REJECTED_FILE)] {
        let (path, text) = read(data_dir, file)?;
        let cases: Vec<Value> = serde_json::from_str(&text)
            .map_err(|error| TestkitError::Form { path: path.clone(), what: error.to_string() })?;
        let mut part = Part { name, source: POOL_HISTORIC, events: Vec::new(), expect: Expect::default() };
        for case in &cases {
            add(&Case { path: &path, case }, &mut machines, builder, &mut part)?;
        }
        parts.push(part);
    }
    Ok(parts)
}

/// A case of the files.
struct Case<'a> {
    path: &'a PathBuf,
    case: &'a Value,
}

impl<'a> Case<'a> {
    fn text(&self, pointer: &str) -> Result<&'a str, TestkitError> {
        self.case
            .pointer(pointer)
            .and_then(Value::as_str)
            .ok_or_else(|| self.form(&format!("no text at {pointer}")))
    }

    fn hex_u32(&self, pointer: &str) -> Result<u32, TestkitError> {
        u32::from_str_radix(self.text(pointer)?, 16)
            .map_err(|_| self.form(&format!("no hex number at {pointer}")))
    }

    fn form(&self, what: &str) -> TestkitError {
        let name = self.case.get("name").map(Value::to_string).unwrap_or_default();
        TestkitError::Form { path: self.path.clone(), what: format!("case {name}: {what}") }
    }
}

fn add(
    case: &Case<'_>,
    machines: &mut Vec<String>,
    builder: &mut Builder,
    part: &mut Part,
) -> Result<(), TestkitError> {
    let name = case.text("/name")?;
    let block = name.split('/').next().unwrap_or(name);
    let chain = if block.contains("testnet") { "testnet3" } else { "main" };
    let height = height_of(case, block)?;
    let job_ntime_s = case.hex_u32("/notify_params/7")?;
    // Shares are submitted at the time of their job. A time before the job's is then only too old for the job, so
    // each case is refused for the first reason in its file.
    let at_us = i64::from(job_ntime_s) * SECOND_US;

    let known = machines.iter().position(|known| known == block).unwrap_or_else(|| {
        machines.push(block.to_owned());
        machines.len() - 1
    });
    let machine = format!("mus-{}", known + 1);
    if name == block {
        let rated = Rated { power_w: 1_000, ..Rated::default() };
        builder.machine(&machine, "pool-historic", "Unknown miner of a real block", rated, START_US);
    }
    // Job ids repeat between cases, so each has its own scope.
    let scope = format!("historic/{name}");
    let job_id = case.text("/notify_params/0")?;
    let assigned = case.case.get("assigned_difficulty").map(Value::to_string).unwrap_or_default();
    let session = json!({
        "machine_id": machine,
        "worker": case.text("/submit_params/0")?,
        "chain": chain,
        "protocol": "stratum_v1",
        "scope": scope,
        "extranonce1": case.text("/extranonce1")?,
        "extranonce2_size": case.case.get("extranonce2_size"),
        "version_mask": case.case.get("version_mask"),
        "assigned_difficulty": assigned,
    });
    builder.fact("session", &scope, at_us, session);
    let notify = |index: usize| case.case.pointer(&format!("/notify_params/{index}"));
    let job = json!({
        "scope": scope,
        "job_id": job_id,
        "chain": chain,
        "height": height,
        "prevhash": notify(1),
        "coinb1": notify(2),
        "coinb2": notify(3),
        "branch": notify(4),
        "version": notify(5),
        "nbits": notify(6),
        "ntime": notify(7),
        "clean_jobs": notify(8),
    });
    builder.fact("job", &format!("{scope}/{job_id}"), at_us, job);

    let mut submit = json!({
        "session_id": scope,
        "job_id": case.text("/submit_params/1")?,
        "extranonce2": case.text("/submit_params/2")?,
        "ntime": case.text("/submit_params/3")?,
        "nonce": case.text("/submit_params/4")?,
    });
    if let Some(bits) = case.case.pointer("/submit_params/5") {
        submit["version_bits"] = bits.clone();
    }
    part.events.push(builder.event(POOL_HISTORIC, "share", &scope, at_us, submit));
    match (case.text("/verdict")?, case.case.get("reason").and_then(Value::as_str)) {
        ("accepted", None) => {
            let whole: u128 =
                assigned.parse().map_err(|_| case.form("assigned_difficulty is not a whole number"))?;
            let solves = case.case.get("solves_block").and_then(Value::as_bool) == Some(true);
            part.expect.credit(chain, &machine, whole << 32, solves);
        }
        ("rejected", Some(reason)) => *part.expect.rejected.entry(reason.to_owned()).or_default() += 1,
        _ => return Err(case.form("verdict and reason do not go together")),
    }
    Ok(())
}

/// The block's height from its name, checked against its coinbase if that starts with the height.
fn height_of(case: &Case<'_>, block: &str) -> Result<u32, TestkitError> {
    let digits = block.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let height: u32 = digits.parse().map_err(|_| case.form("its name does not end in a height"))?;
    if case.hex_u32("/notify_params/5")? < BIP34_VERSION {
        return Ok(height);
    }
    let coinbase = ["/notify_params/2", "/extranonce1", "/submit_params/2", "/notify_params/3"]
        .into_iter()
        .map(|pointer| case.text(pointer))
        .collect::<Result<String, _>>()?;
    let written = bip34_height(&coinbase);
    if written != Some(height) {
        return Err(
            case.form(&format!("its coinbase begins with height {written:?}, its name says {height}"))
        );
    }
    Ok(height)
}

/// The height at the start of a coinbase. Version, input count and null outpoint take 41 bytes; then come the
/// script's length and its first push: a length of up to 4 and the little-endian bytes.
fn bip34_height(coinbase_hex: &str) -> Option<u32> {
    let byte = |index: usize| u32::from_str_radix(coinbase_hex.get(2 * index..2 * index + 2)?, 16).ok();
    let length = byte(42).filter(|length| (1..=4).contains(length))?;
    (0..length)
        .rev()
        .try_fold(0_u32, |height, index| Some((height << 8) | byte(43 + usize::try_from(index).ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::bip34_height;

    #[test]
    fn heights_are_read_from_coinbases() {
        let before = "00".repeat(42);
        for (script, height) in
            [("03bb7903", Some(227_771)), ("024a52", Some(21_066)), ("05aa", None), ("", None)]
        {
            assert_eq!(bip34_height(&format!("{before}{script}")), height, "{script}");
        }
    }
}
