//! Published and exactly computed numbers: nBits, targets, difficulties, hashes per share.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::value::RawValue;
use wb_proof::{
    MAX_DECIMAL_PLACES, Target, credit_q32_of_target, expected_hashes_decimal, parse_difficulty_q32,
    work_text,
};

fn text() -> String {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/vectors/numeric_vectors.json");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn vectors() -> Value {
    serde_json::from_str(&text()).unwrap()
}

#[test]
fn compact_bits_give_the_published_targets_and_difficulties() {
    /// The difficulty is taken as text: serde_json's own reading of a double may be one step off.
    #[derive(serde::Deserialize)]
    struct Row {
        nbits: String,
        target: String,
        difficulty_bdiff: Box<RawValue>,
    }
    #[derive(serde::Deserialize)]
    struct Rows {
        difficulty_from_nbits: Vec<Row>,
    }
    let Rows { difficulty_from_nbits: rows } = serde_json::from_str(&text()).unwrap();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let nbits = u32::from_str_radix(&row.nbits, 16).unwrap();
        let target = Target::from_nbits(nbits).unwrap();
        assert_eq!(target.to_string(), row.target);
        assert_eq!(target.to_nbits(), nbits);
        let double = |text: &str| text.parse::<f64>().unwrap().to_bits();
        let ours = target.difficulty_decimal(MAX_DECIMAL_PLACES);
        assert_eq!(double(&ours), double(row.difficulty_bdiff.get()), "{nbits:08x}: {ours}");
    }
}

#[test]
fn difficulties_give_the_exact_targets() {
    let vectors = vectors();
    let rows = vectors["target_from_difficulty_floor"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let difficulty = row["difficulty"].as_u64().unwrap();
        let target = Target::from_difficulty(difficulty).unwrap();
        assert_eq!(target.to_string(), row["target"].as_str().unwrap(), "difficulty {difficulty}");
        let q32 = parse_difficulty_q32(&difficulty.to_string()).unwrap();
        assert_eq!(Target::from_credit_q32(q32), Ok(target), "difficulty {difficulty}");
        assert!(credit_q32_of_target(&target) >= q32, "the floor of a target is never worth less");
    }
}

#[test]
fn one_share_of_difficulty_1_takes_the_stated_hashes() {
    let vectors = vectors();
    let stated = &vectors["hashes_per_bdiff1_share"];
    assert_eq!(work_text(1 << 32), format!("1 x {}", stated["exact"].as_str().unwrap()));
    assert_eq!(expected_hashes_decimal(1 << 32, 6), stated["decimal"].to_string());
}

/// Of a published rate: difficulty 32e9 in ten seconds, counted there with 2^32 hashes per share.
#[test]
fn a_published_hashrate_is_15_ppm_under_the_exact_one() {
    let vectors = vectors();
    let stated = &vectors["btcpool_share2HashrateG"];
    let difficulty = u128::from(stated["diff"].as_u64().unwrap());
    let exact_gh: u128 =
        expected_hashes_decimal(difficulty << 32, 0).parse::<u128>().unwrap() / 10_000_000_000;
    let theirs_gh = u128::from(stated["ghs"].as_u64().unwrap());
    let ppm = (exact_gh - theirs_gh) * 1_000_000 / theirs_gh;
    assert_eq!(ppm, 15);
}
