//! What metering costs on one core: each normaliser, and folding samples into settlement intervals.
//!
//! The design point is 10,000 samples/s with peaks of three times that; the folds are of all machines' intervals at
//! a close: 500,000 machines have 144 million intervals a day, so a fold must stay under a microsecond.

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wb_metering::counters::{CounterSample, counted_in, steps};
use wb_metering::energy::RegisterReading;
use wb_metering::energy::sources::{MeterFacts, PowerSample, of_power, of_register};
use wb_metering::energy::witness::{Testimony, Witness, best, by_interval};
use wb_metering::miner::normalise;
use wb_metering::uptime::{self, Found, Poll, Windows, timeline};
use wb_units::time::SECOND_US;
use wb_units::{Interval, SETTLEMENT_INTERVAL_US};

/// Settlement intervals of a day.
const INTERVALS: u64 = 288;

/// A sample a minute.
const MINUTE_US: i64 = 60 * SECOND_US;

/// Samples of a day and the one that closes it.
const SAMPLES: i64 = 1_441;

/// One machine of each family.
const MACHINES: [&str; 10] = [
    "antminer-s19j",
    "antminer-s21-web",
    "whatsminer-m30",
    "whatsminer-m60",
    "braiins-s19xp",
    "luxos-s21",
    "epic-s19xp",
    "avalon-a1466",
    "auradine-at2880",
    "elphapex-dg2",
];

fn day() -> Interval {
    Interval { start_us: 0, end_us: SETTLEMENT_INTERVAL_US * 288 }
}

fn id(number: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

fn normalisers(c: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/miner-answers");
    let mut group = c.benchmark_group("normalise");
    group.throughput(Throughput::Elements(1));
    for machine in MACHINES.iter().chain(&["bitaxe-gamma", "braiins-s17-graphql"]) {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{machine}.json"))) else {
            continue;
        };
        group.bench_function(*machine, |b| b.iter(|| normalise(black_box(&text))));
    }
    group.finish();
}

fn folds(c: &mut Criterion) {
    let mut group = c.benchmark_group("interval-fold");
    group.throughput(Throughput::Elements(INTERVALS));

    let registers: Vec<RegisterReading> = (0..SAMPLES)
        .map(|minute| RegisterReading {
            at_us: minute * MINUTE_US + 7 * SECOND_US,
            id: id(minute),
            register_wh: 1_000_000 + minute.unsigned_abs() * 55,
        })
        .collect();
    let facts = MeterFacts {
        rollover_wh: Some(1_000_000_000),
        power_max_mw: 10_000_000,
        longest_us: SETTLEMENT_INTERVAL_US,
        replacements: Vec::new(),
        corrections: Vec::new(),
    };
    group.bench_function("register", |b| {
        b.iter(|| {
            let pieces = of_register(black_box(&registers), &facts);
            let all = [Testimony { witness: Witness::Meter, pieces }];
            by_interval(&best(&all, &Witness::ALL, day()))
        });
    });

    let power: Vec<PowerSample> = (0..SAMPLES)
        .map(|minute| PowerSample {
            at_us: minute * MINUTE_US,
            id: id(minute),
            uptime_s: Some(minute.unsigned_abs() * 60),
            power_mw: 3_300_000 + minute.unsigned_abs() % 97,
        })
        .collect();
    group.bench_function("register-and-power", |b| {
        b.iter(|| {
            // The meter is silent in every other hour.
            let heard: Vec<RegisterReading> = registers
                .iter()
                .filter(|reading| reading.at_us / (60 * MINUTE_US) % 2 == 0)
                .copied()
                .collect();
            let all = [
                Testimony { witness: Witness::Meter, pieces: of_register(black_box(&heard), &facts) },
                Testimony { witness: Witness::FirmwarePower, pieces: of_power(&power, 2 * MINUTE_US) },
            ];
            by_interval(&best(&all, &Witness::ALL, day()))
        });
    });

    let polls: Vec<Poll> = (0..SAMPLES)
        .map(|minute| Poll {
            at_us: minute * MINUTE_US,
            id: id(minute),
            uptime_s: Some(minute.unsigned_abs() * 60),
            found: if minute % 50 == 0 { Found::Reachable } else { Found::Hashing },
        })
        .collect();
    group.bench_function("uptime", |b| {
        b.iter(|| {
            uptime::by_interval(&timeline(black_box(&polls), &Windows::default(), 2 * MINUTE_US, day()))
        });
    });

    let counters: Vec<CounterSample> = (0..SAMPLES)
        .map(|minute| CounterSample {
            at_us: minute * MINUTE_US,
            id: id(minute),
            uptime_s: Some(minute.unsigned_abs() * 60),
            value: minute.unsigned_abs() * 13,
        })
        .collect();
    group.throughput(Throughput::Elements(SAMPLES.unsigned_abs()));
    group.bench_function("counter-samples", |b| {
        b.iter_batched(
            || counters.clone(),
            |counters| counted_in(&steps(&counters, SETTLEMENT_INTERVAL_US), day()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, normalisers, folds);
criterion_main!(benches);
