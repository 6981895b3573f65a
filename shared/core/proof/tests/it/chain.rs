//! Real blocks: every header, coinbase and Merkle branch in the data folder is rebuilt, hashed and judged.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::value::RawValue;
use wb_proof::{
    Header, MAX_DECIMAL_PLACES, Reason, ShareContext, Target, U256, Verdict, achieved_difficulty_decimal,
    achieved_difficulty_q32, display_hash, hex, judge, parse_display_hash, sha256d,
};

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/bitcoin").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rows of a CSV file without quotes or commas in fields, header row left out.
fn rows(name: &str) -> Vec<Vec<String>> {
    data(name).lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn header(text: &str) -> Header {
    Header::from_slice(&hex::decode_vec("header", text, 80).unwrap()).unwrap()
}

/// The column holds doubles printed with 15 digits or more: our exact value, rounded to as many digits, is the same
/// double.
fn assert_same_double(ours: &str, column: &str, what: &str) {
    let parse = |text: &str| text.parse::<f64>().unwrap();
    let mantissa = column.split('e').next().unwrap().replace('.', "");
    let digits = mantissa.trim_start_matches('0').len();
    let rounded = format!("{:.*e}", digits - 1, parse(ours));
    assert_eq!(parse(&rounded).to_bits(), parse(column).to_bits(), "{what}: {ours} and {column}");
}

/// The comparison of hash and target, done byte by byte from the most significant one.
fn meets_plainly(hash: &[u8; 32], target_be: &[u8; 32]) -> bool {
    hash.iter().rev().cmp(target_be.iter()).is_le()
}

/// The header as a share of its own network difficulty.
fn as_share(header: &Header, assigned_q32: u128) -> ShareContext {
    ShareContext {
        assigned_q32,
        network_nbits: header.nbits,
        job_ntime: header.ntime,
        event_time_s: i64::from(header.ntime),
        stale: false,
    }
}

fn merkle_root(coinbase: &[u8], branch: &[[u8; 32]]) -> [u8; 32] {
    branch.iter().fold(sha256d(coinbase), |below, beside| sha256d(&[below, *beside].concat()))
}

#[test]
fn the_first_400_blocks_are_rebuilt_from_their_parts() {
    let rows = rows("first_blocks_2009.csv");
    assert_eq!(rows.len(), 400);
    let mut prev = [0; 32];
    for row in &rows {
        let [height, hash, header_hex, time, bits, nonce, achieved, _txs, coinbase, branch] = row.as_slice()
        else {
            panic!("{row:?} has {} columns", row.len());
        };
        let header = header(header_hex);
        assert_eq!(display_hash(&header.hash()), *hash, "height {height}");
        assert_eq!(parse_display_hash("hash", hash), Ok(header.hash()));
        assert_eq!(header.prev, prev, "height {height}");
        assert_eq!(header.ntime.to_string(), *time);
        assert_eq!(format!("{:08x}", header.nbits), *bits);
        assert_eq!(header.nonce.to_string(), *nonce);
        let coinbase = hex::decode_vec("coinbase", coinbase, 1 << 16).unwrap();
        let branch: Vec<[u8; 32]> = branch
            .split([';', ' ', '|'])
            .filter(|hash| !hash.is_empty())
            .map(|hash| hex::decode_array("branch", hash).unwrap())
            .collect();
        assert_eq!(merkle_root(&coinbase, &branch), header.root, "height {height}");
        assert_same_double(&achieved_difficulty_decimal(&header.hash(), 30), achieved, height);

        let judgement = judge(&header, &as_share(&header, 1 << 32));
        assert_eq!((judgement.verdict, judgement.solves_block), (Verdict::Accepted, true), "height {height}");
        // One unit more than was reached is too much; exactly what was reached is not.
        let reached = u128::try_from(achieved_difficulty_q32(&header.hash())).unwrap();
        assert_eq!(judge(&header, &as_share(&header, reached)).verdict, Verdict::Accepted);
        let judgement = judge(&header, &as_share(&header, reached + 1));
        assert_eq!(judgement.verdict, Verdict::Rejected(Reason::LowDifficulty), "height {height}");
        assert!(judgement.solves_block);
        prev = header.hash();
    }
}

#[test]
fn eight_later_blocks_are_rebuilt_from_their_parts() {
    let blocks: Vec<BTreeMap<String, Box<RawValue>>> =
        serde_json::from_str(&data("real_blocks.json")).unwrap();
    assert_eq!(blocks.len(), 8);
    for block in &blocks {
        let text = |field: &str| block[field].get().trim_matches('"');
        let header = header(text("header_hex"));
        let name = text("name");
        assert_eq!(display_hash(&header.hash()), text("hash"), "{name}");
        assert_eq!(display_hash(&header.prev), text("prev_hash"), "{name}");
        assert_eq!(display_hash(&header.root), text("merkle_root"), "{name}");
        let coinbase = hex::decode_vec("coinbase", text("coinbase_tx_legacy_hex"), 1 << 16).unwrap();
        assert_eq!(display_hash(&sha256d(&coinbase)), text("coinbase_txid"), "{name}");
        let branch: Vec<String> = serde_json::from_str(text("merkle_branch_internal_order_hex")).unwrap();
        let branch: Vec<[u8; 32]> =
            branch.iter().map(|hash| hex::decode_array("branch", hash).unwrap()).collect();
        assert_eq!(merkle_root(&coinbase, &branch), header.root, "{name}");
        let target = Target::from_nbits(header.nbits).unwrap();
        assert!(target.is_met_by(&header.hash()) && meets_plainly(&header.hash(), &target.to_be_bytes()));
        assert_same_double(&target.difficulty_decimal(30), text("network_difficulty_bdiff"), name);
        let achieved = achieved_difficulty_decimal(&header.hash(), 30);
        assert_same_double(&achieved, text("achieved_difficulty_bdiff"), name);
    }
}

#[test]
fn each_epoch_header_meets_its_target_at_its_difficulty() {
    let rows = rows("mainnet_epoch_headers.csv");
    assert_eq!(rows.len(), 375);
    let mut chainwork = U256::ZERO;
    for row in &rows {
        let [height, hash, header_hex, version, time, bits, nonce, network, achieved, work] = row.as_slice()
        else {
            panic!("{row:?} has {} columns", row.len());
        };
        let header = header(header_hex);
        assert_eq!(display_hash(&header.hash()), *hash, "height {height}");
        assert_eq!(header.version.to_string(), *version, "height {height}");
        assert_eq!((header.ntime.to_string(), header.nonce.to_string()), (time.clone(), nonce.clone()));
        assert_eq!(format!("{:08x}", header.nbits), *bits);
        let target = Target::from_nbits(header.nbits).unwrap();
        assert_eq!(target.to_nbits(), header.nbits, "height {height}");
        assert!(target.is_met_by(&header.hash()), "height {height}");
        assert!(meets_plainly(&header.hash(), &target.to_be_bytes()), "height {height}");
        assert_same_double(&target.difficulty_decimal(MAX_DECIMAL_PLACES), network, height);
        assert_same_double(&achieved_difficulty_decimal(&header.hash(), 30), achieved, height);
        let total = U256::from_str_radix(work, 16).unwrap();
        assert!(total > chainwork, "height {height}: chainwork grows");
        chainwork = total;
    }
}
