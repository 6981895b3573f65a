//! What the dispatcher needs from outside. It owns these traits; adapters implement them.

use std::future::Future;

/// What the ledger's records are, an offset and bytes each.
pub type Records = Vec<(u64, Vec<u8>)>;

/// The topic `ledger`.
pub trait LedgerSource: Send + Sync {
    /// All records from `offset` on, in offset order, up to the end as it is now.
    fn read_from(
        &self,
        offset: u64,
    ) -> impl Future<Output = Result<Records, Box<dyn std::error::Error + Send + Sync>>> + Send;
}

/// The wall clock: the time in a signature, and when a message is tried again.
pub trait Clock: Send + Sync {
    /// Now, UTC microseconds.
    fn now_us(&self) -> i64;
}

/// Chance: it keeps endpoints that failed together from being tried together.
pub trait Jitter: Send + Sync {
    /// A number from 0 to 999,999.
    fn ppm(&self) -> u32;
}
