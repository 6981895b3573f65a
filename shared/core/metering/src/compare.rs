//! Comparisons of witnesses: hashrate proven, claimed and paid; energy by witness; GPU time allocated, scheduled and
//! utilised.
//!
//! Each pair has its difference, the difference that chance and the instruments' class alone would give, and a flag
//! where it is larger. Nothing is chosen or corrected here.
//!
//! Proven work is a sum of shares that arrive by chance: its relative standard deviation is
//! sqrt(sum d^2) / sum d. A pool that pays for shares adds none of its own; one that pays for
//! blocks adds that of the blocks it found.

use crate::energy::witness::Witness;
use crate::miner::Reading;
use crate::ratio::{ONE_PPM, difference_ppm, ppm};

/// How many standard deviations count as chance, in thousandths: 3.29 gives one false flag in a thousand pairs.
pub const CHANCE_SIGMAS_MILLI: u64 = 3_290;

/// A pair of witnesses of one quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The first witness.
    pub left_name: &'static str,
    /// Its value.
    pub left: u128,
    /// The second, by which the difference is divided.
    pub right_name: &'static str,
    /// Its value.
    pub right: u128,
    /// Left less right, in parts per million of right; `None` where right is zero and left is not.
    pub difference_ppm: Option<i64>,
    /// The difference that chance and the instruments alone would give, in parts per million.
    pub expected_ppm: u64,
    /// Standard deviations of chance that the difference amounts to, in thousandths; `None` where
    /// chance has no part in it.
    pub z_milli: Option<i64>,
    /// Whether it is larger than expected.
    pub is_beyond: bool,
}

/// What is expected of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Expected {
    /// Relative standard deviation by chance, parts per million.
    sigma_ppm: u64,
    /// The error of the instruments, parts per million.
    class_ppm: u64,
}

fn pair(left: (&'static str, u128), right: (&'static str, u128), expected: Expected) -> Pair {
    let off_ppm = if left.1 == right.1 { Some(0) } else { difference_ppm(left.1, right.1) };
    let chance_ppm = u128::from(expected.sigma_ppm) * u128::from(CHANCE_SIGMAS_MILLI) / 1_000;
    let expected_ppm = u64::try_from(chance_ppm).unwrap_or(u64::MAX).saturating_add(expected.class_ppm);
    let sigma = i64::try_from(expected.sigma_ppm).ok().filter(|sigma| *sigma > 0);
    Pair {
        left_name: left.0,
        left: left.1,
        right_name: right.0,
        right: right.1,
        difference_ppm: off_ppm,
        expected_ppm,
        z_milli: off_ppm.zip(sigma).and_then(|(off, sigma)| Some(off.checked_mul(1_000)? / sigma)),
        is_beyond: off_ppm.is_none_or(|off| off.unsigned_abs() > expected_ppm),
    }
}

/// Sums over accepted shares, in one unit of difficulty. The chance in proven work follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShareSums {
    /// Sum of the shares' difficulty.
    pub difficulty: u128,
    /// Sum of its squares.
    pub difficulty_squared: u128,
}

impl ShareSums {
    /// Relative standard deviation of the work, in parts per million, rounded up; all of it where there are no
    /// shares.
    #[must_use]
    pub fn sigma_ppm(&self) -> u64 {
        if self.difficulty == 0 {
            return ONE_PPM;
        }
        let root = self.difficulty_squared.isqrt();
        let rounded_up = root + u128::from(root * root < self.difficulty_squared);
        ppm(rounded_up, self.difficulty).map_or(ONE_PPM, |share| share.saturating_add(1).min(ONE_PPM))
    }
}

/// Hashrate of one machine, site or customer by its three witnesses, as hashes of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hashrates {
    /// Proven by shares.
    pub proven: u128,
    /// The sums behind it.
    pub shares: ShareSums,
    /// Claimed by the firmware: its rate over the time it covered.
    pub claimed: Option<u128>,
    /// The hashes that the pool's payment stands for.
    pub paid: Option<u128>,
    /// Blocks that the pool found, where it pays for blocks.
    pub pool_blocks: Option<u64>,
    /// The error of a firmware's own rate, in parts per million.
    pub firmware_class_ppm: u64,
    /// What fees and rounding take from a payment at most, in parts per million.
    pub payment_class_ppm: u64,
}

/// The pairs of hashrate that have two witnesses.
#[must_use]
pub fn hashrate(of: &Hashrates) -> Vec<Pair> {
    let sigma_ppm = of.shares.sigma_ppm();
    // 1 / sqrt(n) of the pool's blocks, rounded up.
    let pool_sigma_ppm = of.pool_blocks.map_or(0, |blocks| {
        let square = u128::from(ONE_PPM) * u128::from(ONE_PPM) / u128::from(blocks.max(1));
        u64::try_from(square.isqrt() + 1).unwrap_or(ONE_PPM)
    });
    let proven = ("proven", of.proven);
    let mut pairs = Vec::new();
    if let Some(claimed) = of.claimed {
        let expected = Expected { sigma_ppm, class_ppm: of.firmware_class_ppm };
        pairs.push(pair(("claimed", claimed), proven, expected));
    }
    if let Some(paid) = of.paid {
        // The pool counts the same shares: their chance is in both.
        let expected = Expected { sigma_ppm: pool_sigma_ppm, class_ppm: of.payment_class_ppm };
        pairs.push(pair(("paid", paid), proven, expected));
    }
    if let Some((claimed, paid)) = of.claimed.zip(of.paid) {
        let both = u128::from(sigma_ppm).pow(2) + u128::from(pool_sigma_ppm).pow(2);
        let expected = Expected {
            sigma_ppm: u64::try_from(both.isqrt()).unwrap_or(ONE_PPM),
            class_ppm: of.firmware_class_ppm.saturating_add(of.payment_class_ppm),
        };
        pairs.push(pair(("claimed", claimed), ("paid", paid), expected));
    }
    pairs
}

/// A machine's own average since its start against the rate that its accepted shares stand for: difficulty x 2^48 /
/// 65535 / uptime. The machine reports both, but a firmware that inflates its rate cannot inflate what a pool
/// accepted. The chance is that of as many shares of one difficulty; `None` where a figure is missing.
#[must_use]
pub fn own_claim(reading: &Reading, firmware_class_ppm: u64) -> Option<Pair> {
    let by_shares = reading.share_hashrate_hs()?;
    let claimed = reading.average?.hashrate_hs;
    let count = u128::from(reading.accepted_shares.filter(|count| *count > 0)?);
    let sums = ShareSums { difficulty: count, difficulty_squared: count };
    let expected = Expected { sigma_ppm: sums.sigma_ppm(), class_ppm: firmware_class_ppm };
    Some(pair(("claimed", claimed), ("shares", by_shares), expected))
}

/// The error of a witness of energy, in parts per million: a class 0.5 meter, a PDU of 1 %, firmware of 5 %, a
/// nameplate of 10 %.
#[must_use]
pub fn energy_class_ppm(witness: Witness) -> u64 {
    match witness {
        Witness::Meter => 5_000,
        Witness::Pdu => 10_000,
        Witness::FirmwareCounter | Witness::FirmwarePower => 50_000,
        Witness::Nameplate => 100_000,
    }
}

/// Each witness of energy against every better one, for the same time.
#[must_use]
pub fn energy(by_witness: &[(Witness, u128)]) -> Vec<Pair> {
    let mut ordered = by_witness.to_vec();
    ordered.sort_unstable();
    let mut pairs = Vec::new();
    for (place, (better, right)) in ordered.iter().enumerate() {
        for (worse, left) in ordered.iter().skip(place + 1) {
            let class_ppm = energy_class_ppm(*better) + energy_class_ppm(*worse);
            let expected = Expected { sigma_ppm: 0, class_ppm };
            pairs.push(pair((worse.as_str(), *left), (better.as_str(), *right), expected));
        }
    }
    pairs
}

/// GPU time of one node, site or customer, in microseconds x parts of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GpuTime {
    /// Allocated, by the spans that are billed.
    pub allocated: u128,
    /// Scheduled, by another scheduler's or the orchestrator's own count.
    pub scheduled: Option<u128>,
    /// The same for the time with GPU samples.
    pub sampled: Option<SampledGpuTime>,
    /// The most by which the times of two schedulers differ, in parts per million.
    pub scheduler_class_ppm: u64,
    /// The error of the mean of samples, in parts per million.
    pub sampling_class_ppm: u64,
}

/// GPU time of the time with GPU samples, in microseconds x parts of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampledGpuTime {
    /// Utilised, by the GPUs' own samples.
    pub utilised: u128,
    /// Allocated.
    pub allocated: u128,
    /// Scheduled.
    pub scheduled: Option<u128>,
    /// GPU time of the settlement intervals in which an allocation began or ended, outside the allocation: a mean
    /// over the interval may include it.
    pub at_edges: u128,
}

impl std::ops::Add for GpuTime {
    type Output = Self;

    /// The sum of two nodes or sites; what only one of them has stays as it is. The classes are the larger ones.
    fn add(self, other: Self) -> Self {
        Self {
            allocated: self.allocated + other.allocated,
            scheduled: known(self.scheduled, other.scheduled, |left, right| left + right),
            sampled: known(self.sampled, other.sampled, |left, right| SampledGpuTime {
                utilised: left.utilised + right.utilised,
                allocated: left.allocated + right.allocated,
                scheduled: known(left.scheduled, right.scheduled, |left, right| left + right),
                at_edges: left.at_edges + right.at_edges,
            }),
            scheduler_class_ppm: self.scheduler_class_ppm.max(other.scheduler_class_ppm),
            sampling_class_ppm: self.sampling_class_ppm.max(other.sampling_class_ppm),
        }
    }
}

/// The sum where both are known, else the known one.
fn known<T>(left: Option<T>, right: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(add(left, right)),
        (known, None) | (None, known) => known,
    }
}

/// The pairs of GPU time. Utilised below allocated or scheduled is idle time, no contradiction; above it, a GPU was
/// used that was not allocated.
#[must_use]
pub fn gpu(of: &GpuTime) -> Vec<Pair> {
    let allocated = ("allocated", of.allocated);
    let expected = Expected { sigma_ppm: 0, class_ppm: of.scheduler_class_ppm };
    let mut pairs = Vec::new();
    if let Some(scheduled) = of.scheduled {
        pairs.push(pair(("scheduled", scheduled), allocated, expected));
    }
    let classes_ppm = of.scheduler_class_ppm.saturating_add(of.sampling_class_ppm);
    let mut against = |sampled: SampledGpuTime, held: (&'static str, u128)| {
        let class_ppm = classes_ppm.saturating_add(ppm(sampled.at_edges, held.1).unwrap_or(0));
        let mut used = pair(("utilised", sampled.utilised), held, Expected { sigma_ppm: 0, class_ppm });
        used.is_beyond &= sampled.utilised > held.1;
        pairs.push(used);
    };
    if let Some(sampled) = of.sampled {
        against(sampled, ("allocated", sampled.allocated));
        if let Some(scheduled) = sampled.scheduled {
            against(sampled, ("scheduled", scheduled));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of n shares of one difficulty: sigma is 1 / sqrt(n).
    fn equal_shares(count: u128) -> ShareSums {
        ShareSums { difficulty: count * 1_000, difficulty_squared: count * 1_000_000 }
    }

    #[test]
    fn chance_follows_from_the_shares() {
        for (count, expected) in [(1, ONE_PPM), (100, 100_001), (10_000, 10_001), (1_000_000, 1_001)] {
            assert_eq!(equal_shares(count).sigma_ppm(), expected, "{count} shares");
        }
        // One large share among many small ones decides.
        let mixed = ShareSums { difficulty: 2_000, difficulty_squared: 1_000 + 1_000_000 };
        assert!((500_000..501_000).contains(&mixed.sigma_ppm()), "{}", mixed.sigma_ppm());
        assert_eq!(ShareSums::default().sigma_ppm(), ONE_PPM);
    }

    #[test]
    fn a_claim_beyond_chance_is_flagged() {
        let of = |claimed, count| Hashrates {
            proven: 1_000_000,
            shares: equal_shares(count),
            claimed: Some(claimed),
            paid: Some(985_000),
            pool_blocks: None,
            firmware_class_ppm: 20_000,
            payment_class_ppm: 20_000,
        };
        // A tenth more than proven: chance with 100 shares, a false claim with 10,000.
        let few = hashrate(&of(1_100_000, 100));
        assert_eq!((few[0].difference_ppm, few[0].is_beyond), (Some(100_000), false));
        let many = hashrate(&of(1_100_000, 10_000));
        assert_eq!((many[0].is_beyond, many[0].z_milli), (true, Some(9_999)));
        assert_eq!(many[0].expected_ppm, 32_903 + 20_000);
        assert_eq!((many[1].left_name, many[1].is_beyond, many[1].z_milli), ("paid", false, None));
        assert_eq!((many[2].left_name, many[2].right_name, many[2].is_beyond), ("claimed", "paid", true));
    }

    #[test]
    fn a_pool_that_pays_for_blocks_has_its_own_chance() {
        let of = |pool_blocks| Hashrates {
            proven: 1_000_000,
            shares: equal_shares(1_000_000),
            paid: Some(800_000),
            pool_blocks,
            ..Hashrates::default()
        };
        assert!(hashrate(&of(None))[0].is_beyond);
        assert!(!hashrate(&of(Some(100)))[0].is_beyond);
    }

    #[test]
    fn energy_is_compared_within_its_instruments() {
        let pairs =
            energy(&[(Witness::Nameplate, 1_300), (Witness::Meter, 1_000), (Witness::FirmwarePower, 1_040)]);
        let shown: Vec<_> = pairs
            .iter()
            .map(|pair| (pair.left_name, pair.right_name, pair.difference_ppm, pair.is_beyond))
            .collect();
        assert_eq!(
            shown,
            [
                ("firmware_power", "meter", Some(40_000), false),
                ("nameplate", "meter", Some(300_000), true),
                ("nameplate", "firmware_power", Some(250_000), true),
            ]
        );
        assert_eq!(energy(&[(Witness::Meter, 1)]), []);
    }

    #[test]
    fn idle_gpus_are_no_contradiction_and_unallocated_use_is() {
        let of = |scheduled, utilised| {
            let time = GpuTime {
                allocated: 1_000,
                scheduled: Some(scheduled),
                sampled: Some(SampledGpuTime {
                    utilised,
                    allocated: 1_000,
                    scheduled: Some(scheduled),
                    at_edges: 0,
                }),
                scheduler_class_ppm: 10_000,
                sampling_class_ppm: 50_000,
            };
            gpu(&time).iter().map(|pair| pair.is_beyond).collect::<Vec<_>>()
        };
        assert_eq!(of(1_005, 300), [false, false, false]);
        assert_eq!(of(900, 1_055), [true, false, true]);
        assert_eq!(of(900, 1_200), [true, true, true]);
        let sampled = Some(SampledGpuTime { utilised: 5, ..SampledGpuTime::default() });
        let nothing = gpu(&GpuTime { sampled, ..GpuTime::default() });
        assert_eq!((nothing[0].difference_ppm, nothing[0].is_beyond), (None, true));
        // A job of five seconds in an interval of three hundred that its mean stands for.
        let short = SampledGpuTime { utilised: 270, allocated: 5, scheduled: None, at_edges: 295 };
        let brief = gpu(&GpuTime { allocated: 5, sampled: Some(short), ..GpuTime::default() });
        assert_eq!((brief[0].expected_ppm, brief[0].is_beyond), (59_000_000, false));
    }

    #[test]
    fn a_firmware_that_inflates_its_rate_is_found_by_its_own_shares() {
        let claim = |rate_mhs: u64| {
            // 10,000 shares of difficulty 65,535 in 100,000 s are 6,553.5 of difficulty 1 a second:
            // 28.147 TH/s.
            let text = format!(
                r#"{{"s":{{"STATUS":[{{"Description":"FluxOS-1"}}],"SUMMARY":[{{"Accepted":10000,
                    "Difficulty Accepted":655350000,"Elapsed":100000,"MHS 5s":1,"MHS av":{rate_mhs}}}]}}}}"#
            );
            own_claim(&crate::miner::normalise(&text).unwrap(), 10_000).unwrap()
        };
        let honest = claim(28_200_000);
        assert_eq!((honest.right, honest.is_beyond), (28_147_497_671_065, false));
        let inflated = claim(30_000_000);
        assert!(inflated.is_beyond && inflated.z_milli > Some(6_000), "{inflated:?}");
    }
}
