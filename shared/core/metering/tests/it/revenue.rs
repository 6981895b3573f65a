//! Expected bitcoin of published hashrates against published production.
//!
//! Sources: Riot Platforms, "Riot Announces July 2024 Production and Operations Updates", 5 August
//! 2024, whose table has June too (average operating hash rate 11.4 and 15.5 EH/s; 255 and 370
//! bitcoin produced); Marathon Digital Holdings, "MARA Announces Bitcoin Production and Mining
//! Operation Updates for June 2024", 3 July 2024 (average operational hash rate 26.3 EH/s; 590
//! bitcoin, 158 blocks of its own pool). Both are unaudited. Difficulties are the chain's; what is
//! expected here is subsidy alone, 3.125 BTC a block since the halving of April 2024.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::path::Path;

use ruint::aliases::{U256, U512};
use wb_metering::ratio::difference_ppm;
use wb_metering::revenue::{expected_sat_of_hashrate, stretches};
use wb_proof::Target;
use wb_units::Interval;
use wb_units::time::SECOND_US;

const SUBSIDY_SAT: u64 = 312_500_000;
const EPOCH_BLOCKS: u64 = 2_016;
/// Two weeks, what an epoch should take.
const EPOCH_S: u64 = 1_209_600;
const EH: u128 = 1_000_000_000_000_000_000;

const JUNE: i64 = 1_717_200_000; // 2024-06-01T00:00:00Z
const JULY: i64 = 1_719_792_000; // 2024-07-01T00:00:00Z
const AUGUST: i64 = 1_722_470_400; // 2024-08-01T00:00:00Z

struct Epoch {
    height: u64,
    time_s: i64,
    target: U256,
    chainwork: U256,
}

/// Hashes a block takes at a target, and the other way round: floor(2^256 / (x + 1)) both times.
fn inverse(value: U256) -> U256 {
    U256::from((U512::ONE << 256) / (U512::from(value) + U512::ONE))
}

fn epochs() -> Vec<Epoch> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/bitcoin/mainnet_epoch_headers.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let nbits = u32::from_str_radix(fields[5], 16).unwrap();
        Epoch {
            height: fields[0].parse().unwrap(),
            time_s: fields[4].parse().unwrap(),
            target: Target::from_nbits(nbits).unwrap().as_u256(),
            chainwork: U256::from_str_radix(fields[9], 16).unwrap(),
        }
    });
    rows.collect()
}

/// The epochs' starts and targets, an epoch that is left out put in: its difficulty from the
/// chainwork that the two known epochs before it and after it leave, and its start from the rule
/// that made that difficulty (old difficulty x two weeks / time taken).
fn completed(known: &[Epoch]) -> Vec<(i64, U256)> {
    let mut all = Vec::new();
    for pair in known.windows(2) {
        let [before, after] = pair else { panic!() };
        all.push((before.time_s * SECOND_US, before.target));
        let left_out = (after.height - before.height) / EPOCH_BLOCKS - 1;
        if left_out == 1 {
            let blocks = U256::from(EPOCH_BLOCKS);
            let work = after.chainwork - before.chainwork - inverse(before.target) * blocks;
            let target = inverse(work / blocks);
            let took_s = U512::from(EPOCH_S) * U512::from(target) / U512::from(before.target);
            let start_s = before.time_s + i64::try_from(took_s).unwrap();
            assert!(start_s < after.time_s);
            all.push((start_s * SECOND_US, target));
        }
    }
    all
}

#[test]
fn expected_bitcoin_meets_the_published_record() {
    let known = epochs();
    let network = stretches(&completed(&known), AUGUST * SECOND_US + 1, SUBSIDY_SAT);
    // (company, month, hashrate in tenths of EH/s, expected in tenths of BTC, reported in BTC)
    for (name, start_s, end_s, tenths_eh, expected_tenths, reported_btc) in [
        ("Riot June 2024", JUNE, JULY, 114, 2_565_u128, 255_u128),
        ("Riot July 2024", JULY, AUGUST, 155, 3_717, 370),
        ("MARA June 2024", JUNE, JULY, 263, 5_917, 590),
    ] {
        let period = Interval::new(start_s * SECOND_US, end_s * SECOND_US).unwrap();
        let expected_sat = expected_sat_of_hashrate(tenths_eh * EH / 10, period, &network).unwrap();
        let named_sat = expected_tenths * 10_000_000;
        let off_ppm = difference_ppm(expected_sat, named_sat).unwrap();
        let luck_ppm = difference_ppm(reported_btc * 100_000_000, expected_sat).unwrap();
        println!(
            "{name}: expected {expected_sat} sat, {off_ppm} ppm off; reported {reported_btc} BTC, {luck_ppm} ppm"
        );
        assert!(off_ppm.abs() <= 5_000, "{name}: {expected_sat} sat is {off_ppm} ppm from {named_sat}");
        // What was reported holds fees, and luck that a pool of its own does not smooth (158 blocks
        // have a standard deviation of 8 %); that all three are within 2 % is the record, no law.
        assert!(luck_ppm.abs() <= 20_000, "{name}: {luck_ppm} ppm");
    }
}

#[test]
fn an_epoch_that_was_left_out_is_found_from_chainwork() {
    // Epoch 852,768 had difficulty 82.05 T, and began on 2024-07-17.
    let known = epochs();
    let all = completed(&known);
    let found =
        all.iter().find(|(start_us, _)| (1_721_000_000..1_721_500_000).contains(&(start_us / SECOND_US)));
    let (_, target) = found.unwrap();
    let difficulty_tenths = (U256::from_limbs([0, 0, 0, 0xffff_0000]) * U256::from(10_u8)) / *target;
    let difficulty_tenths = u64::try_from(difficulty_tenths).unwrap();
    assert!((820_000_000_000_000..821_000_000_000_000).contains(&difficulty_tenths), "{difficulty_tenths}");
}
