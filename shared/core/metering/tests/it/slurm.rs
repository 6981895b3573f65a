//! GPU-seconds of the recorded Slurm rows, against figures computed by hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;
use std::path::Path;

use wb_metering::gpu::allocation::{self, accept};
use wb_metering::gpu::sacct::{self, Nothing, RowOutcome};
use wb_metering::gpu::{Span, gpu_seconds, rows};
use wb_units::Interval;

const SECOND_US: i64 = 1_000_000;
const OCTOBER: i64 = 1_790_812_800; // 2026-10-01T00:00:00Z
const NOVEMBER: i64 = 1_793_491_200; // 2026-11-01T00:00:00Z
const DECEMBER: i64 = 1_796_083_200; // 2026-12-01T00:00:00Z

fn outcomes() -> Vec<RowOutcome> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/slurm/sacct.psv");
    sacct::parse(&std::fs::read_to_string(path).unwrap()).unwrap().rows
}

fn spans() -> Vec<Span> {
    let take = |outcome| match outcome {
        RowOutcome::Span(span) => Some(span),
        _ => None,
    };
    outcomes().into_iter().filter_map(take).collect()
}

fn per_account(spans: &[Span], from_s: i64, to_s: i64) -> BTreeMap<&str, u128> {
    let interval = Interval::new(from_s * SECOND_US, to_s * SECOND_US).unwrap();
    let mut sums = BTreeMap::new();
    for span in spans {
        *sums.entry(span.account.as_str()).or_insert(0) += gpu_seconds(span, interval);
    }
    sums
}

#[test]
fn gpu_seconds_of_october_and_november_are_exact() {
    let spans = spans();
    // 48101: 2026-10-30T22:10:00 to midnight of 1 November is 1 h 50 min + 24 h = 93,000 s on 8.
    // 48103: two seconds on one GPU before midnight.
    let october = per_account(&spans, OCTOBER, NOVEMBER);
    assert_eq!(october, BTreeMap::from([("acme", 744_000), ("birch", 2)]));
    // 48101: 1 h 40 min 30 s on 8 = 48,240. 48107: 1,061 s on 4 = 4,244. 48108: 1,800 s on 4 =
    // 7,200. 48104, still running: 86,400 s on 2 = 172,800 where the records end, on 3 November
    // at 08:00. 48103: three seconds on one GPU.
    let records_end = NOVEMBER + 2 * 86_400 + 8 * 3_600;
    let november = per_account(&spans, NOVEMBER, records_end);
    assert_eq!(november, BTreeMap::from([("acme", 48_240 + 4_244 + 7_200 + 172_800), ("birch", 3)]));
    let closed: Vec<Span> = spans.into_iter().filter(|span| span.end_us.is_some()).collect();
    let november = per_account(&closed, NOVEMBER, DECEMBER);
    assert_eq!(november, BTreeMap::from([("acme", 59_684), ("birch", 3)]));
}

#[test]
fn every_row_has_its_outcome() {
    let short: Vec<String> = outcomes()
        .into_iter()
        .map(|outcome| match outcome {
            RowOutcome::Span(span) => {
                format!("{} {} x{} {}", span.allocation_id, span.state, span.gpus, span.node_id)
            }
            RowOutcome::Nothing { job_id, why: Nothing::Step } => format!("{job_id} step"),
            RowOutcome::Nothing { job_id, why: Nothing::NeverStarted } => format!("{job_id} never started"),
            RowOutcome::Nothing { job_id, why: Nothing::NoGpus } => format!("{job_id} no gpus"),
            RowOutcome::Quarantined { line, job_id, reason } => format!("{job_id} line {line}: {reason}"),
        })
        .collect();
    assert_eq!(
        short,
        [
            "48101 COMPLETED x8 tx1-n07",
            "48101.batch step",
            "48101.extern step",
            "48102 never started",
            "48103 OUT_OF_MEMORY x1 tx1-n08",
            "48103.batch step",
            "48104 RUNNING x2 tx1-n09",
            "48105 no gpus",
            "48106 line 10: ElapsedRaw says 4000 s, Start to End are 3600 s: one of them is wrong",
            "48107 NODE_FAIL x4 tx1-n09",
            "48108 PREEMPTED x4 tx1-n09",
        ]
    );
}

#[test]
fn the_rows_hold_no_gpu_twice_and_a_later_row_closes_the_open_one() {
    let spans = spans();
    let merged = rows::merge(&spans);
    assert_eq!((merged.spans.len(), merged.contradictions.len()), (spans.len(), 0));
    let nodes = BTreeMap::from(["tx1-n07", "tx1-n08", "tx1-n09"].map(|node| (node.to_owned(), 8)));
    let accepted = accept(merged.spans.iter().map(Span::allocation).collect(), &nodes);
    assert_eq!(accepted.refused, []);
    let october = Interval::new(OCTOBER * SECOND_US, NOVEMBER * SECOND_US).unwrap();
    let held: u128 = accepted.allocations.iter().map(|allocation| allocation.held(october)).sum();
    assert_eq!(allocation::gpu_seconds(held), 744_002);
    // 48104 goes on until a row closes it.
    let open = spans.iter().find(|span| span.end_us.is_none()).unwrap();
    let closed = Span {
        end_us: Some(open.start_us + 90_000 * SECOND_US),
        elapsed_s: 90_000,
        state: "COMPLETED".to_owned(),
        ..open.clone()
    };
    let merged = rows::merge(&[closed.clone(), open.clone()]);
    assert_eq!(merged.spans, [closed]);
    // With four GPUs on the node, 48107's four would leave no room beside the two.
    let early = Span { start_us: NOVEMBER * SECOND_US, ..open.clone() };
    let both = spans.iter().filter(|span| span.allocation_id == "48107").chain([&early]);
    let refused =
        accept(both.map(Span::allocation).collect(), &BTreeMap::from([("tx1-n09".to_owned(), 4)])).refused;
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].0.allocation_id.as_str(), refused[0].1.code()), ("48107", "WB-3123"));
}
