//! Metrics for Prometheus: `GET /metrics` on a separate port of each process.
//!
//! Metrics are recorded with the macros of the crate `metrics`, which cost almost nothing if no port is configured.
//! Labels are only topics, partitions, verdicts and steps, so their number is bounded.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

use crate::ObserveError;

/// Upper bounds of the buckets of times, in seconds: from half a millisecond for a commit to a block that nearly
/// times out.
const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Serves the metrics of this process on an address. Call it on a tokio runtime.
///
/// # Errors
/// [`ObserveError::Figures`] if the address cannot be used, or at a second call.
pub fn serve_figures(address: SocketAddr) -> Result<(), ObserveError> {
    let failed = |source: BuildError| ObserveError::Figures { address, source: Box::new(source) };
    // Bound here first, because the exporter would report a failure only later.
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

/// A count as a gauge value. Above 2^53 it is the nearest possible value.
#[must_use]
pub fn figure(count: u64) -> f64 {
    f64::from(u32::try_from(count >> 32).unwrap_or(u32::MAX)) * 4_294_967_296.0
        + f64::from(u32::try_from(count & 0xffff_ffff).unwrap_or(u32::MAX))
}

/// Registers the help text of each metric.
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
        "time of a block's steps: fold, write, verify, commit"
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
        "records of commits that are not projected yet"
    );
    describe_gauge!("weighbridge_checked_commits", Unit::Count, "commits below this offset are checked");
    describe_counter!(
        "weighbridge_conservation_breaches_total",
        Unit::Count,
        "breaches of the conservation law"
    );
    describe_gauge!("weighbridge_alarm", Unit::Count, "1 while an alarm is set");
    describe_counter!("weighbridge_ingest_events_total", Unit::Count, "events answered, by answer");
    describe_histogram!("weighbridge_ingest_request_seconds", Unit::Seconds, "time of a request to ingest");
}
