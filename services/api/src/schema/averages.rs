//! Moving averages of the hashrate. They are computed in integers, so two requests at one cut get the same digits.

use async_graphql::SimpleObject;
use wb_clickhouse::read::RecentWork;
use wb_statistics::ewma::Window;
use wb_statistics::ewma::fixed::FixedAverages;
use wb_units::SETTLEMENT_INTERVAL_US;

/// The cost of all averages: the five-minute sums of 31 days, and the fields of a few chains.
pub(super) fn averages_cost(child: usize) -> usize {
    const INTERVALS: usize = 31 * 288;
    const CHAINS: usize = 4;
    child.saturating_mul(CHAINS * Window::ALL.len()).saturating_add(INTERVALS)
}

/// Moving averages of the accepted work on one chain.
#[derive(Debug, SimpleObject)]
pub(crate) struct HashrateAverages {
    /// The chain; work of different chains is never added up.
    pub(crate) chain: String,
    /// The average over each window, the shortest first.
    pub(crate) windows: Vec<HashrateAverage>,
}

/// A moving average, computed as by ckpool: older work counts less.
#[derive(Debug, SimpleObject)]
pub(crate) struct HashrateAverage {
    /// The window's name, as in ckpool: `1m`, `5m`, `15m`, `1hr`, `6hr`, `1d` or `7d`. The averages of 1 m and 5 m
    /// come from sums of 5 minutes, within which the work is taken as even, so they change only every five minutes.
    pub(crate) window: String,
    /// The window's length in seconds.
    pub(crate) window_seconds: i32,
    /// The average in hashes per second, rounded down. It starts at zero with the first work in the 31 days: at a
    /// steady rate it shows 63 % after one window; after 31 days it shows 98.8 % in the window of 7 days and 100 % in
    /// the others.
    pub(crate) hashrate_hs: String,
}

impl From<RecentWork> for HashrateAverages {
    fn from(work: RecentWork) -> Self {
        let mut averages = FixedAverages::default();
        averages.advance_each(work.credited_q32, u64::try_from(SETTLEMENT_INTERVAL_US).unwrap_or_default());
        let average = |window: Window| HashrateAverage {
            window: window.name().to_owned(),
            window_seconds: i32::try_from(window.seconds()).unwrap_or(i32::MAX),
            hashrate_hs: averages.hashrate_hs(window).to_string(),
        };
        Self { chain: work.chain, windows: Window::ALL.into_iter().map(average).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruint::aliases::U256;

    /// What each window shows for a rate of 65536 x 10^12 / 65535 hashes per second.
    fn shown(intervals: impl IntoIterator<Item = bool>) -> Vec<f64> {
        // 300 x 10^12 units of 2^-32 of difficulty in five minutes.
        let work = |worked| if worked { U256::from(300_000_000_000_000_u64) } else { U256::ZERO };
        let credited_q32 = intervals.into_iter().map(work).collect();
        let averages = HashrateAverages::from(RecentWork { chain: "main".into(), credited_q32 });
        let rate = |average: &HashrateAverage| average.hashrate_hs.parse::<f64>().unwrap();
        averages.windows.iter().map(|average| rate(average) * 65_535.0 / 65_536.0 / 1e12).collect()
    }

    #[test]
    fn a_steady_rate_is_shown_as_far_as_the_text_says() {
        let month = shown([true; 31 * 288]);
        assert!(month[..6].iter().all(|part| (part - 1.0).abs() < 1e-6), "{month:?}");
        assert!((month[6] - 0.988).abs() < 1e-3, "{month:?}");
        let hour = shown([true; 12]);
        assert!((hour[3] - 0.632).abs() < 1e-3, "{hour:?}");
    }

    #[test]
    fn silence_is_forgotten_by_the_longest_windows_last() {
        let part = shown([true; 288].into_iter().chain([false; 12]));
        // An hour of silence after a day of work: e^-(1 h / window) of what was there, e^-1 of 1 - e^-24.
        assert!(part[0] < 1e-20 && part[1] < 1e-4, "{part:?}");
        assert!((part[3] - 0.368).abs() < 1e-3, "{part:?}");
        assert!((part[5] - 0.632 * 0.959).abs() < 1e-3, "{part:?}");
        assert_eq!(shown([]), [0.0; 7]);
    }
}
