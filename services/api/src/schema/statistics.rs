//! Statistics: what chance can explain, comparison with nameplates, and signs of invented shares. None of it is
//! billed, so floats are used where whole numbers are not needed.

use async_graphql::SimpleObject;
use ruint::aliases::U256;
use wb_clickhouse::read;
use wb_statistics::uniformity::{Histogram, Judgement, judge};
use wb_statistics::{HashrateEstimate, Level, WorkSums, hashrate, nameplate};

/// Statistics of one machine over a range of time.
#[derive(Debug, SimpleObject)]
pub(crate) struct WorkerStatistics {
    /// The machine.
    pub(crate) machine_id: String,
    /// How long it was yours within the range, in seconds.
    pub(crate) observed_seconds: f64,
    /// Its work by chain. A chain that was assigned to it but brought no share has a row with an upper limit.
    pub(crate) work: Vec<WorkerWork>,
    /// Its shares against its rated hashrate; null if the rated hashrate is not known for the whole time, or if it
    /// worked on more than one chain.
    pub(crate) nameplate: Option<Nameplate>,
}

/// Accepted work of one machine on one chain.
#[derive(Debug, SimpleObject)]
pub(crate) struct WorkerWork {
    /// The chain.
    pub(crate) chain: String,
    /// Accepted shares.
    pub(crate) shares: String,
    /// The effective number of shares: the number of shares of equal difficulty that would be as precise, (sum d)^2 /
    /// sum d^2.
    pub(crate) effective_shares: f64,
    /// Credited difficulty in units of 2^-32.
    pub work_q32: String,
    /// The mean rate in hashes per second, half to even; null where no time was observed.
    pub(crate) hashrate_hs: Option<String>,
    /// The lower end of its 95 % interval in hashes per second, from chance.
    pub(crate) low_hs: Option<String>,
    /// The upper end of its 95 % interval in hashes per second, from chance. Without shares it exists if the assigned
    /// difficulty is known.
    pub(crate) high_hs: Option<String>,
    /// Whether its hashes are distributed as by chance; null without shares.
    pub(crate) uniformity: Option<Uniformity>,
}

/// Where the hashes of a machine's shares lie below their targets. Chance spreads them evenly.
#[derive(Debug, SimpleObject)]
pub(crate) struct Uniformity {
    /// Shares that were tested: at most 50000, selected by the low bits of their hashes.
    pub(crate) shares: String,
    /// The Kolmogorov-Smirnov distance from an even distribution, to within 1/1024.
    pub(crate) ks_statistic: f64,
    /// The probability of such a distance by chance.
    pub(crate) ks_p_value: f64,
    /// The part just under the target with the least likely number of shares is the last 1 in this many.
    pub(crate) tail_one_in: i32,
    /// Shares in that part.
    pub(crate) tail_shares: String,
    /// Shares expected in that part.
    pub(crate) tail_expected: f64,
    /// The p-value of all tests together.
    pub(crate) p_value: f64,
    /// Whether chance does not explain the distribution. An honest machine is flagged in at most one of 2000 tests.
    pub(crate) flagged: bool,
}

/// A machine's shares against its rated hashrate.
#[derive(Debug, SimpleObject)]
pub(crate) struct Nameplate {
    /// The rated hashrate in hashes per second, its mean over the time.
    pub(crate) rated_hs: String,
    /// Shares expected at that rate, in effective shares.
    pub(crate) expected_shares: f64,
    /// Shares found over shares expected; 1 is as rated.
    pub(crate) ratio: f64,
    /// The probability of so few shares or fewer at the rated hashrate: bad luck.
    pub(crate) so_few_p_value: f64,
    /// The two-sided p-value: twice the smaller of so few or fewer and so many or more.
    pub(crate) two_sided_p_value: f64,
}

/// The ends of the 95 % interval of a point of the hashrate series.
pub(super) fn bounds_of(point: &read::HashratePoint) -> (String, Option<String>) {
    let length_us = point.bucket.end_us.saturating_sub(point.bucket.start_us);
    let sums = WorkSums {
        shares: point.shares,
        credited_q32: point.credited_q32,
        credited_q32_squared: point.credited_q32_squared,
        duration_us: u64::try_from(length_us).unwrap_or(0),
        assigned_q32: u128::try_from(point.largest_q32).ok(),
    };
    sums.estimate(Level::P95).map_or_else(
        || ("0".to_owned(), None),
        |estimate| (estimate.low_hs.to_string(), estimate.high_hs.map(|high| high.to_string())),
    )
}

impl From<read::Worker> for WorkerStatistics {
    fn from(worker: read::Worker) -> Self {
        // A session that says no readable difficulty says none.
        let assigned = worker.assigned.as_ref().and_then(|assigned| {
            let q32 = wb_proof::parse_difficulty_q32(&assigned.difficulty).ok()?;
            Some((assigned.chain.as_str(), q32))
        });
        let mut chains: Vec<(String, WorkSums, Option<Uniformity>)> = Vec::new();
        for work in &worker.work {
            let assigned_q32 = assigned.filter(|(chain, _)| *chain == work.chain).map(|(_, q32)| q32);
            let largest_q32 = u128::try_from(work.largest_q32).ok();
            let sums = WorkSums {
                shares: work.shares,
                credited_q32: work.credited_q32,
                credited_q32_squared: work.credited_q32_squared,
                duration_us: worker.duration_us,
                assigned_q32: assigned_q32.max(largest_q32),
            };
            chains.push((work.chain.clone(), sums, uniformity(&work.positions)));
        }
        if let Some((chain, q32)) = assigned
            && !chains.iter().any(|(known, ..)| known == chain)
        {
            let silence = WorkSums {
                shares: 0,
                credited_q32: U256::ZERO,
                credited_q32_squared: U256::ZERO,
                duration_us: worker.duration_us,
                assigned_q32: Some(q32),
            };
            chains.push((chain.to_owned(), silence, None));
        }
        let nameplate = match chains.as_slice() {
            [(_, sums, _)] => nameplate_of(&worker, sums),
            _ => None,
        };
        Self {
            observed_seconds: seconds(worker.duration_us),
            nameplate,
            work: chains.into_iter().map(work).collect(),
            machine_id: worker.machine_id,
        }
    }
}

fn work((chain, sums, uniformity): (String, WorkSums, Option<Uniformity>)) -> WorkerWork {
    let estimate = sums.estimate(Level::P95);
    let shown = |pick: fn(&HashrateEstimate) -> Option<U256>| {
        estimate.as_ref().and_then(pick).map(|value| value.to_string())
    };
    WorkerWork {
        chain,
        shares: sums.shares.to_string(),
        effective_shares: hashrate::effective_shares(sums.credited_q32, sums.credited_q32_squared),
        work_q32: sums.credited_q32.to_string(),
        hashrate_hs: shown(|estimate| Some(estimate.mean_hs)),
        low_hs: shown(|estimate| Some(estimate.low_hs)),
        high_hs: shown(|estimate| estimate.high_hs),
        uniformity,
    }
}

fn uniformity(positions: &[(u16, u64)]) -> Option<Uniformity> {
    let mut histogram = Histogram::default();
    for (bin, shares) in positions {
        histogram.add(usize::from(*bin), *shares);
    }
    judge(&histogram).map(Uniformity::from)
}

impl From<Judgement> for Uniformity {
    fn from(judgement: Judgement) -> Self {
        Self {
            shares: judgement.shares.to_string(),
            ks_statistic: judgement.ks_statistic,
            ks_p_value: judgement.ks_p_value,
            tail_one_in: i32::try_from(judgement.tail.one_in).unwrap_or(i32::MAX),
            tail_shares: judgement.tail.found.to_string(),
            tail_expected: judgement.tail.expected,
            p_value: judgement.p_value,
            flagged: judgement.flagged,
        }
    }
}

fn nameplate_of(worker: &read::Worker, sums: &WorkSums) -> Option<Nameplate> {
    // Shares of a time without a nameplate must not be held against the one of another time.
    if worker.rated_us == 0 || worker.rated_us != worker.duration_us {
        return None;
    }
    let rated_hs = worker.rated_hs_us.checked_div(U256::from(worker.rated_us))?;
    let difficulty_q32 = hashrate::effective_q32(sums.credited_q32, sums.credited_q32_squared)
        .or_else(|| sums.assigned_q32.map(|q32| f64::from(U256::from(q32))))?;
    let expected = nameplate::expected_shares(rated_hs, worker.rated_us, difficulty_q32);
    let found = hashrate::effective_shares(sums.credited_q32, sums.credited_q32_squared);
    let test = nameplate::test(found, expected)?;
    Some(Nameplate {
        rated_hs: rated_hs.to_string(),
        expected_shares: test.expected,
        ratio: test.ratio,
        so_few_p_value: test.so_few_p,
        two_sided_p_value: test.two_sided_p,
    })
}

fn seconds(duration_us: u64) -> f64 {
    f64::from(U256::from(duration_us)) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_clickhouse::read::{Assigned, ChainWork, Worker};

    const HOUR_US: u64 = 3_600_000_000;
    const DIFFICULTY_Q32: u64 = 65_536 << 32;

    fn worker(shares: u64, positions: Vec<(u16, u64)>) -> Worker {
        let (difficulty, count) = (U256::from(DIFFICULTY_Q32), U256::from(shares));
        let work = ChainWork {
            chain: "main".to_owned(),
            shares,
            credited_q32: difficulty * count,
            credited_q32_squared: difficulty * difficulty * count,
            largest_q32: difficulty,
            positions,
        };
        Worker {
            machine_id: "m".to_owned(),
            duration_us: HOUR_US,
            rated_us: HOUR_US,
            // 100 TH/s: 1,279 shares an hour.
            rated_hs_us: U256::from(100_000_000_000_000_u64) * U256::from(HOUR_US),
            assigned: Some(Assigned { chain: "main".to_owned(), difficulty: "65536".to_owned() }),
            work: if shares > 0 { vec![work] } else { Vec::new() },
        }
    }

    #[test]
    fn a_heap_under_the_target_is_flagged_and_even_hashes_are_not() {
        let even: Vec<(u16, u64)> = (0..1_024).step_by(2).map(|bin| (bin, 1)).collect();
        let mut heap = even.clone();
        heap.push((1_023, 57));
        for (positions, flagged) in [(even, false), (heap, true)] {
            let shown = WorkerStatistics::from(worker(1_279, positions));
            let uniformity = shown.work[0].uniformity.as_ref().unwrap();
            assert_eq!(uniformity.flagged, flagged, "{uniformity:?}");
        }
    }

    #[test]
    fn silence_has_an_upper_limit_and_is_told_from_bad_luck() {
        let shown = WorkerStatistics::from(worker(0, Vec::new()));
        let silent = &shown.work[0];
        assert_eq!((silent.shares.as_str(), silent.low_hs.as_deref()), ("0", Some("0")));
        // 3.688879 shares of difficulty 65536 an hour.
        let high: f64 = silent.high_hs.as_ref().unwrap().parse().unwrap();
        assert!((high / 78_188_686_595.4 - 3.688_879).abs() < 1e-5, "{high}");
        assert!(silent.uniformity.is_none());
        assert!(shown.nameplate.unwrap().so_few_p_value < 1e-9);

        let mut unknown = worker(0, Vec::new());
        unknown.assigned = None;
        let shown = WorkerStatistics::from(unknown);
        assert!(shown.work.is_empty() && shown.nameplate.is_none());
    }

    #[test]
    fn a_nameplate_of_part_of_the_time_is_not_held_against_all_of_it() {
        let found = WorkerStatistics::from(worker(1_279, Vec::new())).nameplate.unwrap();
        assert!((found.ratio - 1.0).abs() < 1e-3 && found.two_sided_p_value > 0.9, "{found:?}");
        assert_eq!(found.rated_hs, "100000000000000");
        let mut part = worker(1_279, Vec::new());
        part.rated_us /= 2;
        assert!(WorkerStatistics::from(part).nameplate.is_none());
    }
}
