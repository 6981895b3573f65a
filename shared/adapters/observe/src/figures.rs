//! Figures for Prometheus: `GET /metrics` on a port of its own, one for each process.
//!
//! Whoever has a figure uses the macros of the crate `metrics`, which cost next to nothing where no
//! port is configured. Labels are topics, partitions, verdicts and steps only: their number is bounded.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

use crate::ObserveError;

/// Upper bounds of the buckets of times, in seconds: from a name's half a millisecond to a block that
/// nearly times out.
const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Serves the figures of this process on an address, from now on. To be called on a tokio runtime.
///
/// # Errors
/// [`ObserveError::Figures`] where the address cannot be listened on, or at a second call.
pub fn serve_figures(address: SocketAddr) -> Result<(), ObserveError> {
    let failed = |source: BuildError| ObserveError::Figures { address, source: Box::new(source) };
    // Bound here first: the exporter would say only later that it cannot listen.
    let free = std::net::TcpListener::bind(address);
    free.map_err(|source| ObserveError::Figures { address, source: Box::new(source) })?;
    let seconds = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new()
        .with_http_listener(address)
        .set_buckets_for_metric(seconds, &SECONDS)
        .and_then(PrometheusBuilder::install)
        .map_err(failed)?;
    describe();
    Ok(())
}

/// A count as the gauges take it. Above 2^53 it is the nearest that they can hold.
#[must_use]
pub fn figure(count: u64) -> f64 {
    f64::from(u32::try_from(count >> 32).unwrap_or(u32::MAX)) * 4_294_967_296.0
        + f64::from(u32::try_from(count & 0xffff_ffff).unwrap_or(u32::MAX))
}

/// What each figure means, as it is served.
fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "weighbridge_events_total",
        Unit::Count,
        "events in committed blocks, by topic and verdict"
    );
    describe_counter!("weighbridge_blocks_committed_total", Unit::Count, "blocks committed, by topic");
    describe_histogram!(
        "weighbridge_block_step_seconds",
        Unit::Seconds,
        "time of a block's steps: fold, write, verify, name"
    );
    describe_gauge!(
        "weighbridge_lag_records",
        Unit::Count,
        "records of a partition that are not committed yet"
    );
    describe_gauge!(
        "weighbridge_live_proofs",
        Unit::Count,
        "proofs of the two newest tips in memory, by partition"
    );
    describe_gauge!(
        "weighbridge_commits_unprojected",
        Unit::Count,
        "records of names that ClickHouse does not hold yet"
    );
    describe_gauge!(
        "weighbridge_checked_commits",
        Unit::Count,
        "names below this are checked for conservation"
    );
    describe_counter!(
        "weighbridge_conservation_breaches_total",
        Unit::Count,
        "breaches of the conservation law"
    );
    describe_gauge!("weighbridge_alarm", Unit::Count, "1 while an alarm stands");
    describe_counter!("weighbridge_ingest_events_total", Unit::Count, "events answered, by answer");
    describe_histogram!("weighbridge_ingest_request_seconds", Unit::Seconds, "time of a request to ingest");
}
