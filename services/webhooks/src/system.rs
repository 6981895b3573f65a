//! The clock and random numbers of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::ports::{Clock, Jitter};

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Random numbers from the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemJitter;

impl Jitter for SystemJitter {
    fn ppm(&self) -> u32 {
        let mut drawn = [0; 4];
        // Without random numbers there is no jitter; the pauses stay.
        if getrandom::fill(&mut drawn).is_err() {
            return 0;
        }
        u32::from_le_bytes(drawn) % 1_000_000
    }
}
