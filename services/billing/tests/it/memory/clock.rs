//! A clock that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wb_billing::ports::Clock;
use wb_units::Micros;

/// A clock that advances a little at every reading.
#[derive(Clone)]
pub(crate) struct TestClock(pub(crate) Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn at(now_us: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now_us)))
    }
}

impl Clock for TestClock {
    fn now_us(&self) -> Micros {
        i64::try_from(self.0.fetch_add(17, Ordering::SeqCst)).unwrap()
    }
}
