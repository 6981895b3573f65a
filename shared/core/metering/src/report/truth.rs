//! Comparisons of witnesses, for a machine and for a site, over the same time.

use std::collections::BTreeMap;

use wb_units::Interval;

use super::machine::{Claims, Rules, hashes_of, share_sums};
use crate::compare::{self, GpuTime, Hashrates, Pair};
use crate::energy::witness::{Piece, Testimony, Witness};

/// Energy by two witnesses over the time with data of both: (the better one's, the worse one's).
pub type SharedEnergy = BTreeMap<(Witness, Witness), (u128, u128)>;

/// One machine's witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineTruth {
    /// The machine.
    pub machine_id: String,
    /// Its hashrate, as hashes of the intervals in which its firmware claimed any.
    pub hashrates: Option<Hashrates>,
    /// The sums behind it.
    pub claims: Option<Claims>,
    /// Its energy by each pair of witnesses.
    pub energy: SharedEnergy,
    /// Its own average against its own accepted shares.
    pub own_claim: Option<Pair>,
    /// Its GPU time, where it is a GPU node with allocations or samples.
    pub gpu: Option<GpuTime>,
}

/// What a pair is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Hashes of the time with data of both witnesses.
    Hashes,
    /// Hashes per second since the machine's start, as the machine reports them.
    OwnHashrate,
    /// Satoshi that the pool credited against those expected of the proven work of the same time.
    Earned,
    /// Energy in nanojoules.
    Energy,
    /// GPU time in microseconds x parts of a GPU.
    GpuTime,
}

impl Quantity {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hashes => "hashes",
            Self::OwnHashrate => "own_hashrate",
            Self::Earned => "earned",
            Self::Energy => "energy",
            Self::GpuTime => "gpu_time",
        }
    }

    /// The unit of both values.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Hashes => "H",
            Self::OwnHashrate => "H/s",
            Self::Earned => "sat",
            Self::Energy => "nJ",
            Self::GpuTime => "GPU-us/7000000",
        }
    }
}

/// A pair of witnesses, with what it is about and of which machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The machine; `None` for the whole report.
    pub machine_id: Option<String>,
    /// What is compared.
    pub quantity: Quantity,
    /// The two witnesses.
    pub pair: Pair,
}

/// The sums of all machines' witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TruthSums {
    claims: Claims,
    has_claims: bool,
    energy: SharedEnergy,
    gpu: Option<GpuTime>,
}

impl TruthSums {
    /// Adds a machine.
    pub fn add(&mut self, machine: &MachineTruth) {
        if let Some(claims) = &machine.claims {
            self.has_claims = true;
            self.claims.hashes += claims.hashes;
            self.claims.credited_q32 += claims.credited_q32;
            self.claims.credited_q32_squared =
                self.claims.credited_q32_squared.saturating_add(claims.credited_q32_squared);
        }
        self.add_energy(&machine.energy);
        self.gpu = super::either(self.gpu, machine.gpu);
    }

    /// Adds another site.
    pub fn merge(&mut self, other: &Self) {
        self.has_claims |= other.has_claims;
        self.claims.hashes += other.claims.hashes;
        self.claims.credited_q32 += other.claims.credited_q32;
        self.claims.credited_q32_squared =
            self.claims.credited_q32_squared.saturating_add(other.claims.credited_q32_squared);
        self.add_energy(&other.energy);
        self.gpu = super::either(self.gpu, other.gpu);
    }

    fn add_energy(&mut self, energy: &SharedEnergy) {
        for (pair, (better_nj, worse_nj)) in energy {
            let sum = self.energy.entry(*pair).or_default();
            sum.0 += better_nj;
            sum.1 += worse_nj;
        }
    }

    /// What firmware claimed, with the work of the same intervals; `None` where there are no claims.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        self.has_claims.then_some(self.claims)
    }

    /// The pairs of the whole.
    #[must_use]
    pub fn comparisons(&self, rules: &Rules) -> Vec<Comparison> {
        let of = |quantity, pair| Comparison { machine_id: None, quantity, pair };
        let mut found = Vec::new();
        if self.has_claims {
            let hashrates = Hashrates {
                proven: hashes_of(self.claims.credited_q32),
                shares: share_sums(self.claims.credited_q32, self.claims.credited_q32_squared),
                claimed: Some(self.claims.hashes),
                firmware_class_ppm: rules.firmware_class_ppm,
                ..Hashrates::default()
            };
            found.extend(compare::hashrate(&hashrates).into_iter().map(|pair| of(Quantity::Hashes, pair)));
        }
        found.extend(energy_pairs(&self.energy).map(|pair| of(Quantity::Energy, pair)));
        found.extend(self.gpu.iter().flat_map(compare::gpu).map(|pair| of(Quantity::GpuTime, pair)));
        found
    }
}

fn energy_pairs(shared: &SharedEnergy) -> impl Iterator<Item = Pair> {
    shared.iter().flat_map(|((better, worse), (better_nj, worse_nj))| {
        compare::energy(&[(*better, *better_nj), (*worse, *worse_nj)])
    })
}

impl MachineTruth {
    /// The machine's pairs.
    #[must_use]
    pub fn comparisons(&self) -> Vec<Comparison> {
        let of = |quantity, pair| Comparison { machine_id: Some(self.machine_id.clone()), quantity, pair };
        let hashes = self.hashrates.iter().flat_map(compare::hashrate);
        let mut found: Vec<Comparison> = hashes.map(|pair| of(Quantity::Hashes, pair)).collect();
        found.extend(self.own_claim.iter().map(|pair| of(Quantity::OwnHashrate, pair.clone())));
        found.extend(energy_pairs(&self.energy).map(|pair| of(Quantity::Energy, pair)));
        found.extend(self.gpu.iter().flat_map(compare::gpu).map(|pair| of(Quantity::GpuTime, pair)));
        found
    }
}

/// The values of each pair of witnesses for the time, within `inside`, with data of both.
#[must_use]
pub fn shared_energy(testimonies: &[Testimony], inside: &[Interval]) -> SharedEnergy {
    let mut shared = SharedEnergy::new();
    for (place, better) in testimonies.iter().enumerate() {
        for worse in testimonies.iter().skip(place + 1) {
            let (mut better_nj, mut worse_nj) = (0, 0);
            each_overlap(&better.pieces, &worse.pieces, |left, right, common| {
                for part in inside.iter().filter_map(|inside| inside.intersect(common)) {
                    better_nj += left.within(&part);
                    worse_nj += right.within(&part);
                }
            });
            if better_nj > 0 || worse_nj > 0 {
                shared.insert((better.witness, worse.witness), (better_nj, worse_nj));
            }
        }
    }
    shared
}

/// Walks the common times of two lists of pieces, both in order of time.
fn each_overlap(left: &[Piece], right: &[Piece], mut meet: impl FnMut(&Piece, &Piece, &Interval)) {
    let (mut at_left, mut at_right) = (0, 0);
    while let (Some(one), Some(other)) = (left.get(at_left), right.get(at_right)) {
        if let Some(common) = one.interval.intersect(&other.interval) {
            meet(one, other, &common);
        }
        if one.interval.end_us <= other.interval.end_us {
            at_left += 1;
        } else {
            at_right += 1;
        }
    }
}
