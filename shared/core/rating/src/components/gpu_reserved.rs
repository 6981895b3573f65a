//! Reserved GPUs: paid for the time of the reservation, used or not.
//!
//! ```text
//! amount = half_even(gpus x hours of the reservation within the stretch x price per GPU-hour)
//! ```
//!
//! The reservation begins and ends at the first five-minute boundary at or after its instants; where they
//! are left out it lasts as long as the contract. Hours are real hours: a day of a clock change has 23 or 25.

use wb_units::time::boundary_at_or_after;
use wb_units::{Interval, Micros};

use crate::components::common::unit_price;
use crate::context::{HOUR_US, duration_us};
use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Decimal, Fields, Head};
use crate::line::input;
use crate::scope::{Draft, Rated, Scope};
use crate::usage::reserved::Reserved;

/// The most GPUs of one reservation.
const GPUS_MAX: u64 = 1_000_000;

/// Terms of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// How many GPUs.
    pub gpus: u64,
    /// The price of a GPU-hour.
    pub unit_price: Decimal,
    /// When the reservation begins, if not with the contract.
    pub from_us: Option<Micros>,
    /// When it ends, if not with the contract.
    pub to_us: Option<Micros>,
    /// The nodes that the GPUs are in; any of the contract's where it is empty.
    pub nodes: Vec<String>,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let gpus = fields.whole("gpus", 1..=GPUS_MAX)?;
        let unit_price = unit_price(fields, head.currency, "GPU-hour")?;
        let (from_us, to_us) = (fields.instant_or_none("from")?, fields.instant_or_none("to")?);
        if from_us.zip(to_us).is_some_and(|(from_us, to_us)| to_us <= from_us) {
            let node = fields.required("to")?;
            return Err(ContractError::Moment {
                field: node.place.clone(),
                value: crate::fields::text_of(node)?.to_owned(),
                right: "write an instant after the reservation's start",
            });
        }
        let nodes = fields.ids_or_none("nodes")?;
        Ok(Self { head, gpus, unit_price, from_us, to_us, nodes })
    }

    /// The GPUs with their time and nodes.
    pub(crate) fn reserved(&self) -> Reserved {
        Reserved {
            interval: Interval {
                start_us: self.from_us.map_or(Micros::MIN, boundary_at_or_after),
                end_us: self.to_us.map_or(Micros::MAX, boundary_at_or_after),
            },
            gpus: self.gpus,
            nodes: self.nodes.iter().cloned().collect(),
        }
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let reserved = self.reserved();
        let within_us = scope.stretch()?.intersect(&reserved.interval).map_or(0, duration_us);
        let hours = Exact::ratio(within_us, HOUR_US).ok_or_else(|| scope.overflow("hours"))?;
        let quantity = hours.times(Exact::from(self.gpus)).ok_or_else(|| scope.overflow("GPU-hours"))?;
        let price = format!("{} {}/GPU-hour", self.unit_price.text, self.head.currency.code());
        let draft = Draft {
            description: "Reserved GPUs".to_owned(),
            quantity,
            unit: "GPU-hour".to_owned(),
            formula: format!("{} GPUs x hours x {price}", self.gpus),
            unit_price: price,
            amount: quantity.times(self.unit_price.value).ok_or_else(|| scope.overflow("amount"))?,
            inputs: vec![input([("gpus", self.gpus.to_string()), ("hours", hours.to_string())])],
        };
        Ok(vec![scope.finish(&self.head, "gpu_reserved", draft)?])
    }
}
