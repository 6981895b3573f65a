//! Normalisers against answers of invented machines in the recorded shapes, and, where
//! `WEIGHBRIDGE_RECORDINGS` names a folder of recordings, against those.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use wb_metering::miner::{Family, State, normalise};

/// What a machine's answers must read as; the hashrate as text, since it may pass 64 bits.
#[derive(Deserialize, Debug, PartialEq)]
struct Expected {
    family: String,
    state: String,
    algorithm: String,
    hashrate_hs: Option<String>,
    power_mw: Option<u64>,
    uptime_s: Option<u64>,
    accepted_shares: Option<u64>,
    rejected_shares: Option<u64>,
    stale_shares: Option<u64>,
}

fn read(answers: &str) -> Result<Expected, String> {
    let reading = normalise(answers).map_err(|error| error.to_string())?;
    Ok(Expected {
        family: reading.family.as_str().to_owned(),
        state: reading.state.as_str().to_owned(),
        algorithm: reading.algorithm.to_owned(),
        hashrate_hs: reading.hashrate_hs.map(|rate| rate.to_string()),
        power_mw: reading.power_mw,
        uptime_s: reading.uptime_s,
        accepted_shares: reading.accepted_shares,
        rejected_shares: reading.rejected_shares,
        stale_shares: reading.stale_shares,
    })
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/miner-answers")
}

#[test]
fn invented_machines_read_as_expected() {
    let table = fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&table).unwrap();
    assert_eq!(expected.len(), 10);
    for (name, expected) in expected {
        let answers = fs::read_to_string(fixtures().join(format!("{name}.json"))).unwrap();
        assert_eq!(read(&answers), Ok(expected), "{name}");
    }
}

/// Whatever is cut off or exchanged in an answer, it is read or refused; nothing breaks, and what
/// a machine cannot have said is not made up.
#[test]
fn damaged_answers_are_read_or_refused() {
    let table = fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&table).unwrap();
    for name in expected.keys() {
        let text = fs::read_to_string(fixtures().join(format!("{name}.json"))).unwrap();
        for cut in (1..text.len()).step_by(97).filter(|cut| *cut < text.trim_end().len()) {
            assert!(normalise(&text[..cut]).is_err(), "{name} cut at byte {cut}");
        }
        for (from, to) in [("[", "{"), (": ", ": null, \"x\": "), ("\"5", "\"-5"), ("e", "\u{e9}")] {
            if let Ok(reading) = normalise(&text.replace(from, to)) {
                assert_eq!(reading.state == State::Hashing, reading.hashrate_hs > Some(0), "{name}: {from}");
            }
        }
    }
}

/// A machine's answers by command, each exactly as it was given.
type Answers = BTreeMap<String, Box<RawValue>>;

/// The folders of recordings that hold one machine each, with their answers by command.
fn machines(folder: &Path, found: &mut Vec<(PathBuf, Answers)>) {
    let mut answers = Answers::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            machines(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let command = path.file_stem().unwrap().to_string_lossy().into_owned();
            answers.insert(command, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap());
        }
    }
    if !answers.is_empty() {
        found.push((folder.to_owned(), answers));
    }
}

#[test]
fn recordings_of_real_machines_conform() {
    let Some(root) = std::env::var_os("WEIGHBRIDGE_RECORDINGS") else {
        println!("WEIGHBRIDGE_RECORDINGS is not set: no recordings to read");
        return;
    };
    let root = PathBuf::from(root);
    let families = BTreeMap::from([
        ("antminer", Family::AntminerStock),
        ("whatsminer", Family::Whatsminer),
        ("braiins", Family::BraiinsOs),
        ("luxminer", Family::LuxOs),
        ("luxos", Family::LuxOs),
        ("epic", Family::Epic),
    ]);
    let mut found = Vec::new();
    machines(&root, &mut found);
    assert!(!found.is_empty(), "{} holds no recordings", root.display());
    for (folder, answers) in found {
        let relative = folder.strip_prefix(&root).unwrap();
        let named = relative.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let Some(family) = named.and_then(|name| families.get(name.as_str()).copied()) else {
            println!("not read yet: {}", relative.display());
            continue;
        };
        let text = serde_json::to_string(&answers).unwrap();
        let reading = normalise(&text).unwrap_or_else(|error| panic!("{}: {error}", relative.display()));
        println!(
            "{}: {} {} {:?} H/s, {:?} mW",
            relative.display(),
            reading.family.as_str(),
            reading.state.as_str(),
            reading.hashrate_hs,
            reading.power_mw
        );
        assert_eq!(reading.family, family, "{}", relative.display());
        // Between 1 TH/s and 1 PH/s: a wrong unit is off by a thousand.
        if let Some(rate) = reading.hashrate_hs.filter(|rate| *rate > 0) {
            assert!((10_u128.pow(12)..10_u128.pow(15)).contains(&rate), "{}: {rate}", relative.display());
        }
        // And so is power: between 100 W and 20 kW while hashing.
        if let (State::Hashing, Some(power_mw)) = (reading.state, reading.power_mw) {
            assert!((100_000..20_000_000).contains(&power_mw), "{}: {power_mw}", relative.display());
        }
    }
}
