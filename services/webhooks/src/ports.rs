//! The traits that connect the dispatcher to the outside. Adapters implement them.

use std::future::Future;

/// Records of the ledger: offset and bytes of each.
pub type Records = Vec<(u64, Vec<u8>)>;

/// The topic `ledger`.
pub trait LedgerSource: Send + Sync {
    /// All records from `offset` on, in offset order, up to the present end.
    fn read_from(
        &self,
        offset: u64,
    ) -> impl Future<Output = Result<Records, Box<dyn std::error::Error + Send + Sync>>> + Send;
}

/// The wall clock: for the time in a signature, and for retries.
pub trait Clock: Send + Sync {
    /// The present, UTC microseconds.
    fn now_us(&self) -> i64;
}

/// Random numbers, so that endpoints that failed together are not retried together.
pub trait Jitter: Send + Sync {
    /// A number from 0 to 999,999.
    fn ppm(&self) -> u32;
}
