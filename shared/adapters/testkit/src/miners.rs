//! Answers of invented machines, as samples of the fleet.

use std::path::Path;

use serde_json::{Value, json};
use wb_units::time::SECOND_US;

use crate::build::Builder;
use crate::plan::{FLEET_END_US, FLEET_START_US};
use crate::{Expect, MINER_AGENT, Part, TestkitError, read};

/// When some machines are switched off, in seconds after the fleet's start.
const SWITCHED_OFF_S: i64 = 7_500;

const _: () = assert!(FLEET_END_US <= FLEET_START_US + SWITCHED_OFF_S * SECOND_US);

/// Which machine gave which answers, and when, in seconds after the fleet's start. Answers of switched-off machines
/// come after the fleet's last share.
const SAMPLES: [(&str, &str, i64); 10] = [
    ("antminer-s19j", "tx1-m01", 300),
    ("whatsminer-m30", "tx1-m02", 300),
    ("whatsminer-m60", "tx1-m03", 300),
    ("braiins-s19xp", "tx1-m04", 300),
    ("luxos-s21", "tx1-m05", 300),
    ("epic-s19xp", "tx1-m06", 300),
    ("antminer-l7", "no1-l01", 300),
    ("whatsminer-m30-off", "tx1-m02", SWITCHED_OFF_S),
    ("braiins-s19xp-paused", "tx1-m04", SWITCHED_OFF_S),
    ("luxos-s21-curtailed", "tx1-m05", SWITCHED_OFF_S),
];

pub(crate) fn samples(data_dir: &Path, builder: &mut Builder) -> Result<Part, TestkitError> {
    let mut part =
        Part { name: "miner samples", source: MINER_AGENT, events: Vec::new(), expect: Expect::default() };
    for (file, machine, after_s) in SAMPLES {
        let (path, text) = read(data_dir, &format!("miner-answers/{file}.json"))?;
        let answers: Value = serde_json::from_str(&text)
            .map_err(|error| TestkitError::Form { path, what: error.to_string() })?;
        let body = json!({"machine_id": machine, "answers": answers});
        let at_us = FLEET_START_US + after_s * SECOND_US;
        part.events.push(builder.event(MINER_AGENT, "miner_sample", machine, at_us, body));
        part.expect.accepted += 1;
    }
    Ok(part)
}
