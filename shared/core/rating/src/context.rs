//! What a bill depends on beside usage and contract: the period, dated prices, and balances.

use serde::{Deserialize, Serialize};
use wb_units::time::{interval_start, rfc3339};
use wb_units::{Interval, Micros};

use crate::error::PeriodError;
use crate::exact::Exact;
use crate::prices::Prices;

/// Microseconds of an hour.
pub(crate) const HOUR_US: u128 = 3_600_000_000;

/// The period, the part of it that is rated, and what was recorded for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    period: Interval,
    stretch: Interval,
    /// Dated prices.
    pub prices: Prices,
    /// Credit that was paid in advance.
    pub grants: Vec<PrepaidGrant>,
    /// Deposits that are held already.
    pub deposits: Vec<DepositHeld>,
}

/// Credit that was paid in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepaidGrant {
    /// Its id.
    pub grant_id: String,
    /// Its currency.
    pub currency: String,
    /// What is left of it before this bill, in minor units.
    #[serde(with = "crate::usage::text")]
    pub balance_minor: u128,
    /// From when it may be used.
    pub valid_from_us: Micros,
    /// When it lapses, if ever.
    pub expires_us: Option<Micros>,
    /// Lower is used first.
    pub priority: u32,
}

/// A deposit that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositHeld {
    /// The deposit's component.
    pub component: String,
    /// How much, in minor units of the component's currency.
    #[serde(with = "crate::usage::text")]
    pub held_minor: u128,
}

impl Context {
    /// A part of a period, still without prices and balances.
    ///
    /// # Errors
    /// [`PeriodError::Stretch`] where the part is empty, not inside the period or not on the grid.
    pub fn new(period: Interval, stretch: Interval) -> Result<Self, PeriodError> {
        let on_grid = |at_us| interval_start(at_us) == at_us;
        let bounds = [period.start_us, period.end_us, stretch.start_us, stretch.end_us];
        let detail = if stretch.start_us >= stretch.end_us {
            Some("it has no length")
        } else if stretch.start_us < period.start_us || stretch.end_us > period.end_us {
            Some("it reaches out of its period")
        } else if !bounds.into_iter().all(on_grid) {
            Some("a bound is not on a five-minute boundary")
        } else {
            None
        };
        match detail {
            Some(detail) => Err(PeriodError::Stretch {
                start: rfc3339(stretch.start_us),
                end: rfc3339(stretch.end_us),
                detail,
            }),
            None => Ok(Self {
                period,
                stretch,
                prices: Prices::default(),
                grants: Vec::new(),
                deposits: Vec::new(),
            }),
        }
    }

    /// The whole of a period.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn whole(period: Interval) -> Result<Self, PeriodError> {
        Self::new(period, period)
    }

    /// The same with prices.
    #[must_use]
    pub fn with_prices(self, prices: Prices) -> Self {
        Self { prices, ..self }
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Interval {
        self.period
    }

    /// The part of it that is rated.
    #[must_use]
    pub fn stretch(&self) -> Interval {
        self.stretch
    }

    /// Hours of the stretch.
    pub(crate) fn stretch_hours(&self) -> Option<Exact> {
        Exact::ratio(duration_us(self.stretch), HOUR_US)
    }

    /// Five-minute intervals of the stretch over those of the period: how fixed amounts are prorated.
    pub(crate) fn fraction(&self) -> Option<Exact> {
        Exact::ratio(duration_us(self.stretch), duration_us(self.period))
    }
}

/// The length of an interval that does not end before it starts.
pub(crate) fn duration_us(interval: Interval) -> u128 {
    u128::try_from(interval.duration_us()).unwrap_or(0)
}
