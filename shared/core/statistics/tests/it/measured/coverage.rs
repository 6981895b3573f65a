//! How often the 95 % interval of a hashrate holds the true one.
//!
//! Two ways, of which neither trusts the other. The exact one adds the Poisson probabilities (by
//! their recurrence, not by the crate's incomplete gamma function) of the counts whose interval
//! holds the truth: it has no sampling error and is judged strictly. The simulated one draws
//! 100,000 miners: its part has a standard error of 0.07 of a hundredth, so it is judged by
//! whether it lies within four of them of the exact one.

use std::collections::HashMap;

use ruint::aliases::U256;
use wb_statistics::{HashrateEstimate, Level, WorkSums};

use super::generator::{Generator, allowance, ln_factorials};
use super::report;

const SEED: u64 = 20_261_123;
const MINERS: u32 = 100_000;
const DURATION_S: u32 = 3_600;
const DIFFICULTY_Q32: u128 = 65_536 << 32;

/// The estimates of an hour with so many shares of one difficulty.
struct Estimates {
    by_count: HashMap<u32, HashrateEstimate>,
}

impl Estimates {
    fn holds(&mut self, count: u32, expected: f64) -> bool {
        let estimate = self.by_count.entry(count).or_insert_with(|| {
            let (shares, difficulty) = (U256::from(count), U256::from(DIFFICULTY_Q32));
            let sums = WorkSums {
                shares: u64::from(count),
                credited_q32: difficulty * shares,
                credited_q32_squared: difficulty * difficulty * shares,
                duration_us: u64::from(DURATION_S) * 1_000_000,
                assigned_q32: Some(DIFFICULTY_Q32),
            };
            sums.estimate(Level::P95).unwrap()
        });
        let truth_hs = rate_hs(expected * f64::from(U256::from(DIFFICULTY_Q32)));
        holds(estimate, truth_hs)
    }

    /// The probability of a count whose interval holds the truth.
    fn exact(&mut self, expected: f64) -> f64 {
        // From the most probable count outwards, as parts of its probability; all of them add to one.
        let mode = u32::try_from(U256::try_from(expected.floor()).unwrap()).unwrap();
        let (mut covered, mut all) = (0.0, 0.0);
        let (mut count, mut term) = (mode, 1.0_f64);
        while term > 1e-18 {
            all += term;
            covered += if self.holds(count, expected) { term } else { 0.0 };
            count += 1;
            term *= expected / f64::from(count);
        }
        (count, term) = (mode, 1.0);
        while count > 0 && term > 1e-18 {
            term *= f64::from(count) / expected;
            count -= 1;
            all += term;
            covered += if self.holds(count, expected) { term } else { 0.0 };
        }
        covered / all
    }
}

fn rate_hs(work_q32: f64) -> f64 {
    work_q32 * 65_536.0 / 65_535.0 / f64::from(DURATION_S)
}

fn holds(estimate: &HashrateEstimate, truth_hs: f64) -> bool {
    let high = estimate.high_hs.map_or(f64::INFINITY, f64::from);
    f64::from(estimate.low_hs) <= truth_hs && truth_hs <= high
}

fn per_cent(part: f64) -> String {
    format!("{:.3} %", part * 100.0)
}

#[test]
fn the_interval_holds_the_truth_as_often_as_it_says() {
    let mut estimates = Estimates { by_count: HashMap::new() };
    let mut generator = Generator::new(SEED);
    let ln_factorials = ln_factorials(30_000);
    let mut lines = vec![
        format!("Seed {SEED}; {MINERS} simulated miners a line; shares of one difficulty."),
        String::new(),
        "| shares expected | coverage, exact sum | coverage, simulated |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for expected in [0.5, 1.0, 3.0, 10.0, 30.0, 100.0, 200.0, 500.0, 2_000.0] {
        let exact = estimates.exact(expected);
        let mut covered = 0_u32;
        for _ in 0..MINERS {
            covered += u32::from(estimates.holds(generator.poisson(expected, &ln_factorials), expected));
        }
        let simulated = f64::from(covered) / f64::from(MINERS);
        lines.push(format!("| {expected} | {} | {} |", per_cent(exact), per_cent(simulated)));
        assert!(exact >= 0.95, "{expected}: {exact}");
        assert!(expected < 200.0 || exact <= 0.955, "{expected}: {exact}");
        let off = (simulated - exact).abs();
        assert!(off <= allowance(exact, MINERS), "{expected}: simulated {simulated}, exact {exact}");
    }

    // A fleet: each miner with a rate of its own, evenly spread on the logarithm from 200 to 2,000.
    let (mut covered, mut exact) = (0_u32, 0.0);
    for _ in 0..MINERS {
        let expected = 200.0 * 10_f64.powf(generator.uniform());
        covered += u32::from(estimates.holds(generator.poisson(expected, &ln_factorials), expected));
    }
    let points = 400_u32;
    for point in 0..points {
        exact += estimates.exact(200.0 * 10_f64.powf((f64::from(point) + 0.5) / f64::from(points)));
    }
    exact /= f64::from(points);
    let simulated = f64::from(covered) / f64::from(MINERS);
    lines.push(format!(
        "| 200 to 2000, each miner its own | {} | {} |",
        per_cent(exact),
        per_cent(simulated)
    ));
    assert!((0.95..=0.955).contains(&exact), "{exact}");
    assert!((simulated - exact).abs() <= allowance(exact, MINERS), "{simulated} {exact}");

    // The coverage jumps where a count enters or leaves, so single expectations lie above the mean.
    let (mut least, mut most) = (1.0_f64, 0.0_f64);
    for point in 0..3_000_u32 {
        let exact = estimates.exact(0.05 * 10_f64.powf(f64::from(point) / 600.0));
        least = least.min(exact);
    }
    for point in 0..2_000_u32 {
        most = most.max(estimates.exact(200.0 + f64::from(point) * 0.05));
    }
    lines.push(String::new());
    lines.push(format!(
        "Exact, over 3,000 expectations from 0.05 to 5,000: never below {}. At single expectations from 200 to 300 \
         it reaches {}.",
        per_cent(least),
        per_cent(most)
    ));
    assert!(least >= 0.95, "{least}");
    assert!(most <= 0.96, "{most}");
    report::state("coverage", &lines);
}

/// Miners whose difficulty was changed under way: a part of the time at each of these, relative to
/// the first.
const LADDERS: &[(&str, &[f64])] = &[
    ("1, 2", &[1.0, 2.0]),
    ("1, 2, 4, 8", &[1.0, 2.0, 4.0, 8.0]),
    ("1, 16", &[1.0, 16.0]),
    ("1, 16, 256", &[1.0, 16.0, 256.0]),
];
const LADDER_MINERS: u32 = 20_000;

#[test]
fn unequal_difficulties_are_covered_where_the_largest_is_known() {
    let seed = SEED + 1;
    let mut generator = Generator::new(seed);
    let ln_factorials = ln_factorials(3_000);
    let mut lines = vec![
        format!("Seed {seed}; {LADDER_MINERS} simulated miners a line; equal time at each difficulty."),
        String::new(),
        "| difficulties | shares expected | largest assigned is known | largest seen is known | neither |"
            .to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (name, ladder) in LADDERS {
        let largest = ladder.iter().copied().fold(0.0, f64::max);
        for shares in [2.0, 20.0, 200.0] {
            // At one rate, so many shares come of each difficulty as its inverse says.
            let inverse: f64 = ladder.iter().map(|difficulty| 1.0 / difficulty).sum();
            let base = 4_294_967_296.0;
            let truth_hs = rate_hs(shares / inverse * f64::from(u32::try_from(ladder.len()).unwrap()) * base);
            let (mut known, mut seen, mut unknown) = (0_u32, 0_u32, 0_u32);
            let whole = |float: f64| U256::try_from(float).unwrap();
            for _ in 0..LADDER_MINERS {
                let mut sums = WorkSums {
                    shares: 0,
                    credited_q32: U256::ZERO,
                    credited_q32_squared: U256::ZERO,
                    duration_us: u64::from(DURATION_S) * 1_000_000,
                    assigned_q32: None,
                };
                let mut largest_seen = 0.0_f64;
                for difficulty in *ladder {
                    let count = generator.poisson(shares / inverse / difficulty, &ln_factorials);
                    let q32 = whole(difficulty * base);
                    largest_seen = largest_seen.max(if count > 0 { *difficulty } else { 0.0 });
                    sums.shares += u64::from(count);
                    sums.credited_q32 += q32 * U256::from(count);
                    sums.credited_q32_squared += q32 * q32 * U256::from(count);
                }
                unknown += u32::from(holds(&sums.estimate(Level::P95).unwrap(), truth_hs));
                sums.assigned_q32 = Some(u128::try_from(whole(largest_seen * base)).unwrap());
                // Silence is bounded by a known assignment only; without one it has no upper end.
                seen += u32::from(sums.shares == 0 || holds(&sums.estimate(Level::P95).unwrap(), truth_hs));
                sums.assigned_q32 = Some(u128::try_from(whole(largest * base)).unwrap());
                known += u32::from(holds(&sums.estimate(Level::P95).unwrap(), truth_hs));
            }
            let [known, seen, unknown] =
                [known, seen, unknown].map(|covered| f64::from(covered) / f64::from(LADDER_MINERS));
            let [exactly, nearly, hardly] = [known, seen, unknown].map(per_cent);
            lines.push(format!("| {name} | {shares} | {exactly} | {nearly} | {hardly} |"));
            let least = 0.95 - allowance(0.95, LADDER_MINERS);
            assert!(known >= least, "{name}, {shares}: {known} with the largest known");
        }
    }
    report::state("unequal difficulties", &lines);
}
