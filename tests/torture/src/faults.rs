//! The faults: what is done to the processes.

pub mod committed_late;
pub mod storm;
pub mod strace;
pub mod syscalls;

use std::sync::atomic::{AtomicU64, Ordering};

/// What was done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Random kills of the product's processes.
    pub kills: AtomicU64,
    /// Kills at a chosen system call, and errors injected into one, that were hit.
    pub points: AtomicU64,
    /// Points that were not reached in time.
    pub missed: AtomicU64,
    /// Processes that were stopped and woken.
    pub stops: AtomicU64,
    /// Aggregators stopped with a verified block whose commit was not sent, woken after others had committed it.
    pub committed_late: AtomicU64,
    /// Lost attempts that were collected meanwhile.
    pub collected: AtomicU64,
    /// Aggregators that were asked to end, started or added.
    pub rebalances: AtomicU64,
}

impl Counts {
    /// A number as it is now.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
