//! Thousands of random contracts of all kinds, usages and prices against an independent oracle (python3,
//! exact fractions): equal to the last minor unit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::random::{Case, Random, case};
use serde_json::json;
use wb_rating::{Context, Contract, KINDS, Line, Prices, RatingError, rate_in};

const CASES: usize = 4_000;

fn rate(case: &Case) -> Result<Vec<Line>, RatingError> {
    let contract = Contract::parse(&case.contract.to_string())
        .unwrap_or_else(|error| panic!("{error}\n{}", case.contract));
    let mut context = Context::new(case.period, case.stretch).unwrap();
    context.prices = Prices::new(case.prices.clone()).unwrap();
    context.grants.clone_from(&case.grants);
    context.deposits.clone_from(&case.deposits);
    rate_in(&contract, &context, &case.usage)
}

fn question(case: &Case) -> String {
    let bounds = |interval: wb_units::Interval| [interval.start_us, interval.end_us];
    let question = json!({
        "contract": case.contract, "period": bounds(case.period), "stretch": bounds(case.stretch),
        "prices": case.prices, "grants": case.grants, "deposits": case.deposits, "usage": case.usage,
    });
    format!("{question}\n")
}

/// The oracle's answers.
fn ask(questions: String) -> Vec<String> {
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
    String::from_utf8(answer.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn amounts_equal_those_of_exact_fractions() {
    let seed =
        std::env::var("WEIGHBRIDGE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_090_103);
    println!("seed {seed} (set WEIGHBRIDGE_SEED to choose another)");
    let mut random = Random(seed);
    let mut questions = String::new();
    let (mut cases, mut ours) = (Vec::with_capacity(CASES), Vec::with_capacity(CASES));
    let mut seen: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for _ in 0..CASES {
        let case = case(&mut random);
        questions.push_str(&question(&case));
        ours.push(match rate(&case) {
            Ok(lines) => {
                for line in &lines {
                    seen.entry(line.kind.clone()).or_default()[usize::from(line.amount.minor != 0)] += 1;
                }
                lines.iter().map(|line| line.amount.minor.to_string()).collect::<Vec<_>>().join(" ")
            }
            Err(RatingError::NoPrice { .. }) => "no-price".to_owned(),
            Err(error) => panic!("{error} ({:?})\n{}", std::error::Error::source(&error), case.contract),
        });
        cases.push(case);
    }
    let theirs = ask(questions);
    assert_eq!(theirs.len(), CASES);
    for (index, (our, their)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(our, their, "case {index} of seed {seed}\n{}", question(&cases[index]));
    }
    println!("lines by kind, [nought, not nought]: {seen:?}");
    let priced = ours.iter().filter(|line| *line != "no-price").count();
    assert!(priced > CASES / 2 && priced < CASES, "{priced} of {CASES} had all prices");
    for kind in KINDS {
        assert!(seen.get(*kind).is_some_and(|counts| counts[1] > 50), "{kind}: {:?}", seen.get(*kind));
    }
}
