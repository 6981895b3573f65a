//! Random contracts and usages against an independent oracle (python3, exact fractions), and the
//! property that neither order nor pieces of the usage matter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::json;
use wb_rating::{Contract, EnergyGroup, Usage, WorkGroup, rate};

const CASES: usize = 400;

/// The SplitMix64 sequence: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Small and huge values alike: a random number of random bits.
    fn wide(&mut self, bits: u64) -> u128 {
        let value = u128::from(self.next()) << 64 | u128::from(self.next());
        value >> (128 - 1 - self.below(bits))
    }
}

fn contract(price: &str, currency: &str, mean_fees_sat: u64) -> Contract {
    let body = json!({
        "contract_id": "c-1", "customer_id": "k", "legal_entity": "e", "time_zone": "UTC",
        "components": [
            {"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC",
             "mean_fees_sat": mean_fees_sat.to_string()},
            {"id": "power", "kind": "metered_energy", "currency": currency,
             "unit": format!("{currency}/kWh"), "unit_price": price},
        ]
    });
    Contract::parse(&body.to_string()).unwrap()
}

fn random_usage(random: &mut Random) -> Usage {
    let nbits = [0x1d00_ffff, 0x1b04_04cb, 0x1702_1369, 0x1900_896c, 0x207f_ffff, 0x1c01_0000];
    let subsidies = [5_000_000_000, 2_500_000_000, 312_500_000, 1, 0];
    let work = (0..random.below(12))
        .map(|_| WorkGroup {
            chain: if random.below(4) == 0 { "testnet3" } else { "main" }.to_owned(),
            nbits: nbits[usize::try_from(random.below(6)).unwrap()],
            subsidy_sat: subsidies[usize::try_from(random.below(5)).unwrap()],
            credited_q32: random.wide(80),
            shares: random.below(1000),
        })
        .collect();
    let energy = (0..random.below(8))
        .map(|index| EnergyGroup {
            machine_id: format!("m-{}", random.below(3)),
            meter_id: format!("meter-{index}"),
            witness: "meter".to_owned(),
            // Often a whole number of half kilowatt-hours, so that exact halves occur.
            energy_mwh: if random.below(2) == 0 {
                u128::from(random.below(100)) * 500_000
            } else {
                random.wide(60)
            },
            resets: 0,
            unknown_us: 0,
        })
        .collect();
    Usage { work, energy }
}

#[test]
fn amounts_equal_those_of_exact_fractions() {
    let seed =
        std::env::var("WEIGHBRIDGE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_090_103);
    println!("seed {seed} (set WEIGHBRIDGE_SEED to choose another)");
    let mut random = Random(seed);
    let prices = [
        ("0.0725", "USD"),
        ("0.01", "EUR"),
        ("1", "JPY"),
        ("0.000000000001", "KWD"),
        ("12.345", "NOK"),
        ("0", "USD"),
    ];
    let mut questions = String::new();
    let mut ours = Vec::with_capacity(CASES);
    for _ in 0..CASES {
        let (price, currency) = prices[usize::try_from(random.below(6)).unwrap()];
        let mean_fees_sat = if random.below(2) == 0 { 0 } else { random.below(50_000_000) };
        let usage = random_usage(&mut random);
        let lines = rate(&contract(price, currency, mean_fees_sat), &usage).unwrap();
        let work: Vec<_> = usage
            .work
            .iter()
            .map(|g| {
                json!([g.chain, g.nbits.to_string(), g.subsidy_sat.to_string(), g.credited_q32.to_string()])
            })
            .collect();
        let energy: Vec<_> = usage.energy.iter().map(|g| g.energy_mwh.to_string()).collect();
        let case = json!({"work": work, "mean_fees_sat": mean_fees_sat.to_string(), "energy_mwh": energy,
            "price": price, "places": lines[1].amount.currency.scale().to_string()});
        questions.push_str(&format!("{case}\n"));
        ours.push(format!("{} {}", lines[0].amount.minor, lines[1].amount.minor));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/rate.py");
    let mut oracle = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle needs python3 on the PATH");
    let mut stdin = oracle.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let answer = oracle.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(answer.status.success());
    let theirs: Vec<_> = std::str::from_utf8(&answer.stdout).unwrap().lines().collect();
    assert_eq!(theirs.len(), CASES);
    for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(our, their, "case {index} of seed {seed}");
    }
    assert!(ours.iter().filter(|line| *line != "0 0").count() > CASES / 2, "most cases are worth something");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn neither_order_nor_pieces_change_a_line(seed in any::<u64>(), swaps in prop::collection::vec(any::<u64>(), 1..20)) {
        let mut random = Random(seed);
        let usage = random_usage(&mut random);
        let contract = contract("0.0725", "USD", 12_345);
        let mut pieces = usage.clone();
        for group in &usage.work {
            let part = group.credited_q32 / 3;
            if let Some(first) = pieces.work.iter_mut().find(|other| *other == group) {
                first.credited_q32 -= part;
                first.shares = 0;
            }
            pieces.work.push(WorkGroup { credited_q32: part, ..group.clone() });
        }
        for swap in swaps {
            let count = u64::try_from(pieces.work.len()).unwrap();
            if count > 1 {
                pieces.work.swap(usize::try_from(swap % count).unwrap(), usize::try_from(swap / 7 % count).unwrap());
            }
            pieces.energy.reverse();
        }
        prop_assert_eq!(rate(&contract, &usage).unwrap(), rate(&contract, &pieces).unwrap());
    }
}
