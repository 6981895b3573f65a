//! Moving averages over the windows that ckpool shows, from sums of work per interval.
//!
//! ckpool's `decay_time` (libckpool.c) replaces an average f after `elapsed` seconds in which
//! `added` came: with p = 1 - e^(-elapsed / window), f becomes (f + p x added / elapsed) / (1 + p).
//! It settles on the true rate, but a single long step forgets at most half of f, however long it
//! was: the formula is made for steps that are short beside the window. An interval is therefore
//! advanced in equal steps of at most [`STEP_US`], all at the interval's mean rate; since each one
//! divides the distance to that rate by 1 + p, all of them together are one power.
//!
//! [`fixed`] is the same in integers, for a rule that could reach a bill.

pub mod fixed;

use ruint::aliases::U256;

use crate::number;

/// The longest step in microseconds: 1/32 of a minute, so that the shortest window sees short steps.
pub const STEP_US: u64 = 1_875_000;

/// ckpool's bound on elapsed / window.
const MAX_WINDOWS: f64 = 36.0;

/// A window of ckpool's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// One hour.
    H1,
    /// Six hours.
    H6,
    /// One day.
    D1,
    /// Seven days.
    D7,
}

impl Window {
    /// All windows, the shortest first.
    pub const ALL: [Self; 7] = [Self::M1, Self::M5, Self::M15, Self::H1, Self::H6, Self::D1, Self::D7];

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::M1 => 60,
            Self::M5 => 300,
            Self::M15 => 900,
            Self::H1 => 3_600,
            Self::H6 => 21_600,
            Self::D1 => 86_400,
            Self::D7 => 604_800,
        }
    }

    /// Its name, as ckpool writes it after `hashrate`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1hr",
            Self::H6 => "6hr",
            Self::D1 => "1d",
            Self::D7 => "7d",
        }
    }
}

/// One step of ckpool's: the average `f` after `elapsed_s` seconds in which `added` came.
///
/// The unit is that of `added` per second. No time changes nothing.
#[must_use]
pub fn decay(f: f64, added: f64, elapsed_s: f64, window_s: f64) -> f64 {
    if elapsed_s > 0.0 { steps(f, added / elapsed_s, elapsed_s, window_s, 1.0) } else { f }
}

/// `count` steps of `step_s` seconds each, all at one rate.
fn steps(f: f64, rate: f64, step_s: f64, window_s: f64, count: f64) -> f64 {
    let forgotten = -(-(step_s / window_s).min(MAX_WINDOWS)).exp_m1();
    rate + (f - rate) * (-count * forgotten.ln_1p()).exp()
}

/// How many steps an interval is cut into, and each one's length in microseconds.
fn cut(duration_us: u64) -> (u64, f64) {
    let count = duration_us.div_ceil(STEP_US).max(1);
    (count, number::count(duration_us) / number::count(count))
}

/// Moving averages of work over all windows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Averages {
    /// Work in units of 2^-32 per second, by window.
    per_second_q32: [f64; Window::ALL.len()],
}

impl Averages {
    /// Takes the work that was credited in the interval that follows, in units of 2^-32, with the
    /// interval's length. Intervals without work must be taken too: silence is what decays.
    pub fn advance(&mut self, credited_q32: U256, duration_us: u64) {
        if duration_us == 0 {
            return;
        }
        let (count, step_us) = cut(duration_us);
        let step_s = step_us / 1e6;
        let rate = number::wide(credited_q32) / (number::count(duration_us) / 1e6);
        for (average, window) in self.per_second_q32.iter_mut().zip(Window::ALL) {
            *average = steps(*average, rate, step_s, f64::from(window.seconds()), number::count(count));
        }
    }

    /// The average over a window in hashes per second.
    #[must_use]
    pub fn hashrate_hs(&self, window: Window) -> f64 {
        self.per_second_q32(window) * 65_536.0 / 65_535.0
    }

    /// The average over a window in units of 2^-32 of difficulty per second.
    #[must_use]
    pub fn per_second_q32(&self, window: Window) -> f64 {
        let place = Window::ALL.iter().position(|each| *each == window);
        place.and_then(|place| self.per_second_q32.get(place)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_found_in_every_window() {
        let mut averages = Averages::default();
        // 40 weeks of five minutes with 3,000,000 each: 10,000 a second.
        for _ in 0..40 * 2_016 {
            averages.advance(U256::from(3_000_000), 300_000_000);
        }
        for window in Window::ALL {
            let found = averages.per_second_q32(window);
            assert!((found / 10_000.0 - 1.0).abs() < 1e-12, "{}: {found}", window.name());
            assert!((averages.hashrate_hs(window) / found - 65_536.0 / 65_535.0).abs() < 1e-12);
        }
    }

    #[test]
    fn one_interval_is_as_many_steps_as_it_is_cut_into() {
        for window in Window::ALL {
            let window_s = f64::from(window.seconds());
            let mut stepped = 77.0;
            for _ in 0..160 {
                stepped = decay(stepped, 1_000.0 * 1.875, 1.875, window_s);
            }
            let at_once = steps(77.0, 1_000.0, 1.875, window_s, 160.0);
            assert!((stepped / at_once - 1.0).abs() < 1e-12, "{}: {stepped} {at_once}", window.name());
        }
        assert_eq!(cut(300_000_000).0, 160);
        assert_eq!(cut(1).0, 1);
    }

    #[test]
    fn silence_decays_nearly_as_the_exponential_does() {
        let mut averages = Averages { per_second_q32: [1_000.0; 7] };
        averages.advance(U256::ZERO, 300_000_000);
        for window in Window::ALL {
            let elapsed = 300.0 / f64::from(window.seconds());
            let found = averages.per_second_q32(window) / 1_000.0;
            // Of second order in the step beside the window: 3 % of the exponent at one minute.
            let low = (-elapsed * 1.001).exp();
            let high = (-elapsed * 0.96).exp();
            assert!((low..=high).contains(&found), "{}: {found} in {low}..{high}", window.name());
        }
        let before = averages;
        averages.advance(U256::from(9), 0);
        assert_eq!(averages, before, "no time changes nothing");
        assert_eq!(decay(5.0, 1.0, 0.0, 60.0).to_bits(), 5.0_f64.to_bits());
    }
}
