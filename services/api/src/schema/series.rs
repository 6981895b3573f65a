//! The arguments of a series.

use wb_clickhouse::read::{MAX_BUCKETS, Selection, SeriesRange};

use super::time::Time;
use crate::error::{ApiError, graphql};

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// The shortest bucket: one settlement interval.
const BUCKET_MINUTES: i32 = 5;

/// Reads a range with buckets.
pub(super) fn buckets(
    from: Time,
    to: Time,
    bucket_minutes: Option<i32>,
) -> async_graphql::Result<SeriesRange> {
    let bucket_us = i64::from(bucket_minutes.unwrap_or(BUCKET_MINUTES)).saturating_mul(MINUTE_US);
    SeriesRange::new(from.0, to.0, bucket_us).map_err(|refusal| graphql(ApiError::from(refusal)))
}

/// Reads a range as a whole.
pub(super) fn whole(from: Time, to: Time) -> async_graphql::Result<SeriesRange> {
    SeriesRange::whole(from.0, to.0).map_err(|refusal| graphql(ApiError::from(refusal)))
}

/// The cost of a series: its buckets times the cost of each.
pub(super) fn series_cost(from: Time, to: Time, bucket_minutes: Option<i32>, child: usize) -> usize {
    let bucket_us = i64::from(bucket_minutes.unwrap_or(BUCKET_MINUTES)).saturating_mul(MINUTE_US).max(1);
    let buckets = to.0.saturating_sub(from.0).max(0) / bucket_us + 1;
    // The resolver refuses a longer range with a better message than that of the cost.
    let buckets = usize::try_from(buckets.min(MAX_BUCKETS)).unwrap_or(usize::MAX);
    buckets.saturating_mul(child).saturating_add(1)
}

/// Reads at most one of the arguments that narrow a series.
pub(super) fn selection(
    site_id: Option<String>,
    machine_id: Option<String>,
    customer_id: Option<String>,
) -> async_graphql::Result<Selection> {
    match (site_id, machine_id, customer_id) {
        (None, None, None) => Ok(Selection::All),
        (Some(site), None, None) => Ok(Selection::Site(site)),
        (None, Some(machine), None) => Ok(Selection::Machine(machine)),
        (None, None, Some(customer)) => Ok(Selection::Customer(customer)),
        _ => {
            let problem = "give at most one of siteId, machineId and customerId".to_owned();
            Err(graphql(ApiError::Arguments { problem }))
        }
    }
}
