//! Held GPUs, slices and fractions: exact time, and no GPU held twice.
//!
//! Held time is counted in microseconds times parts of a GPU, with [`WHOLE_GPU`] parts to one:
//! a MIG slice of g sevenths and a fraction in parts per million are both whole numbers of parts,
//! so that nothing is rounded before it is shown.

use std::collections::BTreeMap;

use wb_units::{Interval, Micros};

/// Parts of one GPU: a multiple of 7, for MIG, and of 1,000,000, for fractions.
pub const WHOLE_GPU: u64 = 7_000_000;

/// Parts of a GPU for each compute slice of MIG.
const MIG_SLICE: u64 = WHOLE_GPU / 7;

/// Compute slices of a GPU that can be divided.
const MIG_SLICES: u8 = 7;

/// A MIG profile, such as `1g.5gb` or `1g.10gb+me`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MigProfile {
    /// Compute slices, 1 to 7.
    pub compute_slices: u8,
    /// Memory in GB.
    pub memory_gb: u16,
}

impl MigProfile {
    /// Reads a profile's name. Attributes behind a `+` do not change what is held.
    ///
    /// # Errors
    /// [`AllocationError::UnknownProfile`].
    pub fn parse(name: &str) -> Result<Self, AllocationError> {
        let read = || {
            let (slices, rest) = name.split_once("g.")?;
            let memory = rest.split('+').next()?.strip_suffix("gb")?;
            let profile = Self { compute_slices: slices.parse().ok()?, memory_gb: memory.parse().ok()? };
            ((1..=MIG_SLICES).contains(&profile.compute_slices) && profile.memory_gb > 0).then_some(profile)
        };
        read().ok_or_else(|| AllocationError::UnknownProfile { name: name.chars().take(40).collect() })
    }
}

/// What is held of a node or GPU.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Share {
    /// Whole GPUs; which ones is not known, unless there is one and a device.
    Whole {
        /// How many.
        gpus: u32,
    },
    /// One slice of a GPU.
    Mig {
        /// What kind of slice.
        profile: MigProfile,
        /// Which one, by its GPU instance id.
        instance: String,
    },
    /// A part of a GPU's time.
    Fraction {
        /// How much of it, in parts per million.
        ppm: u32,
    },
}

impl Share {
    /// Parts of a GPU that are held.
    #[must_use]
    pub fn parts(&self) -> u64 {
        match self {
            Self::Whole { gpus } => u64::from(*gpus).saturating_mul(WHOLE_GPU),
            Self::Mig { profile, .. } => u64::from(profile.compute_slices) * MIG_SLICE,
            Self::Fraction { ppm } => u64::from(*ppm) * 7,
        }
    }
}

/// A holding from start to end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allocation {
    /// The first instant held.
    pub start_us: Micros,
    /// The first instant no longer held; `None` while it goes on.
    pub end_us: Option<Micros>,
    /// The scheduler's id.
    pub allocation_id: String,
    /// The account that pays.
    pub account: String,
    /// The node.
    pub node_id: String,
    /// The GPU, by its UUID or index; empty where the scheduler does not give it.
    pub device: String,
    /// What is held of it.
    pub share: Share,
}

impl Allocation {
    fn interval(&self) -> Interval {
        Interval { start_us: self.start_us, end_us: self.end_us.unwrap_or(Micros::MAX) }
    }

    /// Its part in a time; `None` where it has none. An open allocation stays open in a time without an end.
    #[must_use]
    pub fn within(&self, time: Interval) -> Option<Self> {
        let part = self.interval().intersect(&time)?;
        let is_open = self.end_us.is_none() && part.end_us == Micros::MAX;
        let end_us = (!is_open).then_some(part.end_us);
        Some(Self { start_us: part.start_us, end_us, ..self.clone() })
    }

    /// Microseconds x parts of a GPU held inside an interval. An open allocation counts through the interval's end.
    /// Adds exactly over any split.
    #[must_use]
    pub fn held(&self, interval: Interval) -> u128 {
        let part = self.interval().intersect(&interval);
        part.map_or(0, |part| {
            u128::from(part.end_us.abs_diff(part.start_us)) * u128::from(self.share.parts())
        })
    }
}

/// Held time as GPU-seconds, rounded down: only to be shown.
#[must_use]
pub fn gpu_seconds(held: u128) -> u128 {
    held / u128::from(WHOLE_GPU) / 1_000_000
}

/// Why an allocation was refused.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// The same GPU or slice is held already.
    #[code("WB-3121")]
    #[error(
        "{device} on {node_id} is held by {other} already when {allocation_id} begins: one of the two \
         ends too late or has the wrong GPU"
    )]
    Overlap {
        /// The node.
        node_id: String,
        /// The GPU or slice.
        device: String,
        /// The allocation that is refused.
        allocation_id: String,
        /// The allocation that holds it.
        other: String,
    },
    /// A GPU is held whole, or in time shares, and in slices at once.
    #[code("WB-3122")]
    #[error(
        "{device} on {node_id} is divided into MIG slices by {other} while {allocation_id} holds it \
         undivided, or the other way round: a GPU is either divided or not"
    )]
    ParentAndSlice {
        /// The node.
        node_id: String,
        /// The GPU.
        device: String,
        /// The allocation that is refused.
        allocation_id: String,
        /// An allocation that holds it in the other way.
        other: String,
    },
    /// More is held than there is.
    #[code("WB-3123")]
    #[error(
        "with {allocation_id}, more of {holder} would be held than it has: end what is over, or correct \
         the node's number of GPUs"
    )]
    MoreThanThereIs {
        /// The GPU, or the node.
        holder: String,
        /// The allocation that is refused.
        allocation_id: String,
    },
    /// No MIG profile has this name.
    #[code("WB-3124")]
    #[error("{name:?} is no MIG profile: such as 1g.5gb, 2g.10gb or 7g.80gb is read")]
    UnknownProfile {
        /// The name given.
        name: String,
    },
}

/// The consistent allocations, and the refused ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Allocations that hold no GPU twice, in order of (start, end, id).
    pub allocations: Vec<Allocation>,
    /// The others, each with its reason.
    pub refused: Vec<(Allocation, AllocationError)>,
}

/// Accepts allocations in order of their start, in whatever order they came: of two that exclude each other, the one
/// that began first stands. Exact repeats count once. `node_gpus` gives the GPUs of a node, where known: it bounds
/// allocations without a device.
#[must_use]
pub fn accept(mut allocations: Vec<Allocation>, node_gpus: &BTreeMap<String, u32>) -> Accepted {
    allocations.sort();
    allocations.dedup();
    let mut accepted = Accepted::default();
    // Open allocations by node; ended ones are dropped as time passes.
    let mut running: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for allocation in allocations {
        let on_node = running.entry(allocation.node_id.clone()).or_default();
        on_node.retain(|at| {
            let other: Option<&Allocation> = accepted.allocations.get(*at);
            other.is_some_and(|other| other.interval().intersect(&allocation.interval()).is_some())
        });
        let others: Vec<&Allocation> =
            on_node.iter().filter_map(|at| accepted.allocations.get(*at)).collect();
        match refusal(&allocation, &others, node_gpus.get(&allocation.node_id).copied()) {
            Some(error) => accepted.refused.push((allocation, error)),
            None => {
                on_node.push(accepted.allocations.len());
                accepted.allocations.push(allocation);
            }
        }
    }
    accepted
}

fn refusal(new: &Allocation, others: &[&Allocation], node_gpus: Option<u32>) -> Option<AllocationError> {
    if new.interval().duration_us() <= 0 {
        return None;
    }
    let same_device = || others.iter().filter(|other| !new.device.is_empty() && other.device == new.device);
    for other in same_device() {
        let ids = |device: &str| (new.node_id.clone(), device.to_owned(), new.allocation_id.clone());
        match (&new.share, &other.share) {
            (Share::Mig { instance, .. }, Share::Mig { instance: held, .. }) if instance == held => {
                let (node_id, device, allocation_id) = ids(&format!("{} slice {instance}", new.device));
                return Some(AllocationError::Overlap {
                    node_id,
                    device,
                    allocation_id,
                    other: other.allocation_id.clone(),
                });
            }
            (Share::Mig { .. }, Share::Mig { .. }) | (Share::Fraction { .. }, Share::Fraction { .. }) => {}
            (Share::Mig { .. }, _) | (_, Share::Mig { .. }) => {
                let (node_id, device, allocation_id) = ids(&new.device);
                return Some(AllocationError::ParentAndSlice {
                    node_id,
                    device,
                    allocation_id,
                    other: other.allocation_id.clone(),
                });
            }
            _ => {
                let (node_id, device, allocation_id) = ids(&new.device);
                return Some(AllocationError::Overlap {
                    node_id,
                    device,
                    allocation_id,
                    other: other.allocation_id.clone(),
                });
            }
        }
    }
    let parts = |held: &mut dyn Iterator<Item = &&Allocation>| -> u64 {
        held.fold(new.share.parts(), |sum, other| sum.saturating_add(other.share.parts()))
    };
    let more = |holder: String| AllocationError::MoreThanThereIs {
        holder,
        allocation_id: new.allocation_id.clone(),
    };
    if !new.device.is_empty() && parts(&mut same_device()) > WHOLE_GPU {
        return Some(more(format!("{} on {}", new.device, new.node_id)));
    }
    let limit = u64::from(node_gpus?).saturating_mul(WHOLE_GPU);
    (parts(&mut others.iter()) > limit).then(|| more(format!("node {}", new.node_id)))
}

#[cfg(test)]
#[path = "allocation_tests.rs"]
mod tests;
