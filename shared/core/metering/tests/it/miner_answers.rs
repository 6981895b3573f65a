//! Normalisers against answers of invented machines in the recorded shapes, and, where `WEIGHBRIDGE_RECORDINGS` gives
//! a folder of recordings, against those.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wb_metering::miner::check::{Outcome, check, table};
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
    #[serde(default)]
    power_source: Option<String>,
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
        power_source: reading.power_source.map(|source| source.as_str().to_owned()),
    })
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/miner-answers")
}

#[test]
fn invented_machines_read_as_expected() {
    let table = fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&table).unwrap();
    assert_eq!(expected.len(), 19);
    for (name, expected) in expected {
        let answers = fs::read_to_string(fixtures().join(format!("{name}.json"))).unwrap();
        assert_eq!(read(&answers), Ok(expected), "{name}");
    }
}

/// Whatever is cut off or exchanged in an answer, it is read or refused without a panic, and impossible values are
/// not made up.
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

/// All recordings under a folder, as (path from it, text).
fn recordings(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            recordings(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let relative = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.push((relative, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn fixtures_can_be_checked_as_a_user_would() {
    let mut files = Vec::new();
    recordings(&fixtures(), &fixtures(), &mut files);
    files.retain(|(path, _)| path != "expected.json");
    let rows = check(&files);
    assert_eq!(rows.len(), files.len(), "each file is one machine");
    for row in rows {
        let Outcome::Read(reading) = row.outcome else { panic!("{}: {:?}", row.path, row.outcome) };
        assert!(row.path.starts_with(reading.family.as_str()), "{}", row.path);
        let fields = reading.fields;
        for (said, field) in [
            (reading.hashrate_hs.is_some(), fields.hashrate),
            (reading.power_mw.is_some(), fields.power),
            (reading.uptime_s.is_some(), fields.uptime),
            (reading.accepted_shares.is_some(), fields.accepted),
            (reading.rejected_shares.is_some(), fields.rejected),
            (reading.stale_shares.is_some(), fields.stale),
            (reading.average.is_some(), fields.average),
        ] {
            assert_eq!(said, field.is_some(), "{}: a value and its field go together: {fields:?}", row.path);
        }
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
        ("avalonminer", Family::Avalon),
        ("avalon", Family::Avalon),
        ("auradine", Family::Auradine),
        ("elphapex", Family::Elphapex),
        ("sealminer", Family::SealMiner),
        ("bitaxe", Family::Bitaxe),
    ]);
    let mut files = Vec::new();
    recordings(&root, &root, &mut files);
    assert!(!files.is_empty(), "{} holds no recordings", root.display());
    let rows = check(&files);
    println!("{}", table(&rows));
    let unread: Vec<_> = rows.iter().filter(|row| matches!(row.outcome, Outcome::Refused(_))).collect();
    assert!(unread.is_empty(), "{unread:?}");
    for (path, _) in &files {
        assert!(rows.iter().any(|row| row.path == *path), "{path} has no row");
    }
    for row in rows {
        let Outcome::Read(reading) = row.outcome else { continue };
        let first = row.path.split('/').next().unwrap_or_default();
        if let Some(family) = families.get(first) {
            assert_eq!(reading.family, *family, "{}", row.path);
        }
        // Between 100 GH/s and 1 PH/s for SHA-256d: a wrong unit is off by a thousand.
        let sane_rates = if reading.algorithm == "sha256d" {
            10_u128.pow(11)..10_u128.pow(15)
        } else {
            1..10_u128.pow(12)
        };
        if let Some(rate) = reading.hashrate_hs.filter(|rate| *rate > 0) {
            assert!(sane_rates.contains(&rate), "{}: {rate}", row.path);
        }
        // Power likewise: up to 20 kW, and at least 100 W while a large machine hashes, unless the answers are of
        // different moments, which is reported as a doubt.
        if let (State::Hashing, Some(power_mw)) = (reading.state, reading.power_mw) {
            let least = if reading.doubts().is_empty() { 100_000 } else { 1 };
            assert!((least..20_000_000).contains(&power_mw), "{}: {power_mw}", row.path);
        }
    }
}
