//! How often invented shares are found, and how often honest workers are flagged.

use wb_statistics::uniformity::invented::{ALPHA, binomial_at_least};
use wb_statistics::uniformity::{Histogram, judge, ks};
use wb_statistics::{Level, garwood};

use super::generator::{Generator, allowance};
use super::report;

const SEED: u64 = 20_261_124;
const SHARES: u32 = 500;
const HONEST: u32 = 40_000;
const CHEATERS: u32 = 2_000;

/// Of how many shares an inventor makes up one.
const ONE_INVENTED_OF: u32 = 10;

/// How far under the target the invented ones lie at most, as a part of it.
const WIDTHS: [f64; 6] = [0.000_001, 0.001, 0.01, 0.03, 0.05, 0.1];

fn worker(generator: &mut Generator, invented: u32, width: f64) -> Histogram {
    let mut histogram = Histogram::default();
    for _ in 0..SHARES - invented {
        histogram.add_position(generator.uniform());
    }
    for _ in 0..invented {
        histogram.add_position(1.0 - width * generator.uniform());
    }
    histogram
}

#[test]
fn invented_shares_are_found_and_honest_workers_left_alone() {
    let mut generator = Generator::new(SEED);
    let mut lines = vec![format!(
        "Seed {SEED}; {SHARES} shares a worker; flagged where the p-value of all tests together is at most {ALPHA}."
    )];
    lines.push(String::new());
    let mut flagged = 0_u32;
    for _ in 0..HONEST {
        flagged += u32::from(judge(&worker(&mut generator, 0, 0.0)).unwrap().flagged);
    }
    let bound = garwood(f64::from(flagged), Level::P95).high / f64::from(HONEST);
    lines.push(format!(
        "False alarms: {flagged} of {HONEST} honest workers, {:.3} in 1,000 (95 % bound {:.3}).",
        f64::from(flagged) / f64::from(HONEST) * 1_000.0,
        bound * 1_000.0
    ));
    // Not the figure alone but its upper bound is under one in 1,000.
    assert!(bound < 0.001, "{flagged} of {HONEST}: up to {bound}");
    assert!(f64::from(flagged) / f64::from(HONEST) <= ALPHA + allowance(ALPHA, HONEST), "{flagged}");

    lines.push(String::new());
    lines.push("| 10 % invented, within this part under the target | found |".to_owned());
    lines.push("|---|---|".to_owned());
    for width in WIDTHS {
        let mut found = 0_u32;
        for _ in 0..CHEATERS {
            let histogram = worker(&mut generator, SHARES / ONE_INVENTED_OF, width);
            found += u32::from(judge(&histogram).unwrap().flagged);
        }
        let power = f64::from(found) / f64::from(CHEATERS);
        lines.push(format!("| {width} | {found} of {CHEATERS}, {:.2} % |", power * 100.0));
        assert!(power - allowance(power, CHEATERS) >= 0.9, "{width}: {power}");
    }
    report::state("invented shares", &lines);
}

/// What the tails alone add to the false alarms, without sampling error: each one's probability of
/// its first count that flags.
#[test]
fn the_tails_keep_to_their_part_of_the_false_alarms() {
    let each = 0.000_05;
    let mut all = 0.0;
    for one_in in [8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0] {
        let first = (0..u64::from(SHARES))
            .map(|found| binomial_at_least(found, u64::from(SHARES), 1.0 / one_in))
            .find(|p| *p <= each)
            .unwrap();
        all += first;
    }
    println!("tails flag at most {:.4} honest workers in 1,000", all * 1_000.0);
    assert!(all <= 8.0 * each);
}

/// The p-value is itself uniform where the hypothesis holds: so many honest workers lie below it.
#[test]
fn the_ks_p_value_is_what_it_says() {
    let seed = SEED + 1;
    println!("seed {seed}");
    let mut generator = Generator::new(seed);
    for count in [8_usize, 30, 500] {
        let workers = 8_000_u32;
        let p_values: Vec<f64> = (0..workers)
            .map(|_| {
                let mut values: Vec<f64> = (0..count).map(|_| generator.uniform()).collect();
                ks::exact(&mut values).unwrap().p_value
            })
            .collect();
        for alpha in [0.5, 0.1, 0.05, 0.01] {
            let below = u32::try_from(p_values.iter().filter(|p| **p <= alpha).count()).unwrap();
            let part = f64::from(below) / f64::from(workers);
            println!("{count} values: p-value at most {alpha} in {part}");
            // The correction itself is good to 4 parts in a hundred at eight values.
            assert!(
                (part - alpha).abs() <= allowance(alpha, workers) + 0.04 * alpha,
                "{count} {alpha}: {part}"
            );
        }
    }
}
