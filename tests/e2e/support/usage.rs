//! Where everything is that the demonstration sent: its quantities, added up from the events themselves, beside what
//! `weighbridge usage` says of its months.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wb_units::time::{SECOND_US, rfc3339};

use super::place::Place;
use super::{DEMO_LIMIT, root};

/// The seed of the demonstration.
const SEED: u64 = 20_261_001;

/// Quantities by measure: work in units of 2^-32 difficulty, energy in thousandths of a watt-hour, GPU time in
/// microseconds.
type Sums = BTreeMap<&'static str, u128>;

/// What the events say, and the months in which they lie, each with the one before: a contract's month begins earlier
/// than that of UTC where its time zone is east of it, and ends later where it is west.
fn sent() -> (Sums, BTreeSet<String>) {
    let input = wb_testkit::demo_input(&root().join("tests/data"), SEED).unwrap();
    let mut sums = Sums::new();
    sums.insert("work", input.expect().credited_q32.values().sum());
    let mut registers: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    let mut runs: BTreeMap<String, u128> = BTreeMap::new();
    let mut months = BTreeSet::new();
    let of = |body: &Value, fields: &[&str]| -> String {
        fields.iter().map(|field| format!("{}/", body[field])).collect()
    };
    for event in input.parts.iter().flat_map(|part| &part.events) {
        let (body, at_us) = (&event["body"], event["event_time_us"].as_i64().unwrap());
        let mut from_us = at_us;
        match event["kind"].as_str().unwrap() {
            "energy_reading" => {
                let register = registers.entry(of(body, &["machine_id", "meter_id", "witness"])).or_default();
                register.insert(at_us, body["register_wh"].as_u64().unwrap());
            }
            "gpu_span" => {
                from_us = body["start_us"].as_i64().unwrap();
                // A running allocation was last seen at the event's time.
                let end_us = body["end_us"].as_i64().unwrap_or(at_us);
                let gpus = u128::from(body["gpus"].as_u64().unwrap());
                let gpu_us = gpus * u128::from((end_us - from_us).unsigned_abs());
                // Of two rows of one run the longer one holds.
                let run =
                    runs.entry(of(body, &["node_id", "allocation_id", "device", "start_us"])).or_default();
                *run = gpu_us.max(*run);
            }
            "share" | "block" => {}
            _ => continue,
        }
        let mut day_us = from_us - 2 * 86_400 * SECOND_US;
        while day_us <= at_us + 2 * 86_400 * SECOND_US {
            months.insert(rfc3339(day_us)[..7].to_owned());
            day_us += 86_400 * SECOND_US;
        }
    }
    sums.insert("gpu_time", runs.into_values().sum());
    let rises = registers.into_values().flat_map(|register| {
        let values: Vec<u64> = register.into_values().collect();
        let rises = values.windows(2).map(|pair| u128::from(pair[1].saturating_sub(pair[0])));
        rises.collect::<Vec<_>>()
    });
    sums.insert("energy", rises.sum::<u128>() * 1_000);
    (sums, months)
}

/// Everything that was sent and accepted is in one place: billed, covered, excluded or in suspense.
pub(crate) fn assert_conserved(place: &Place) {
    let (sent, months) = sent();
    let mut arguments = vec!["usage", "--json"];
    months.iter().for_each(|month| arguments.extend(["--period", month]));
    assert!(sent.values().all(|sum| *sum > 0), "{sent:?}");
    let told = place.run("usage", &arguments, DEMO_LIMIT).success("weighbridge usage").stdout;
    let mut sums = Sums::from([("work", 0), ("energy", 0), ("gpu_time", 0)]);
    let mut places = BTreeSet::new();
    for line in told.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let quantity: u128 = row["quantity"].as_str().unwrap().parse().unwrap();
        let measure = row["measure"].as_str().unwrap();
        for (of, sum) in &mut sums {
            *sum += if *of == measure { quantity } else { 0 };
        }
        places.insert(row["place"].as_str().unwrap().to_owned());
    }
    assert_eq!(sums, sent, "{told}");
    for expected in ["billed", "excluded", "suspense"] {
        assert!(places.contains(expected), "nothing is {expected}:\n{told}");
    }
}
