//! The limits of ingest, with their reasons.

use std::time::Duration;

/// A request's body as sent: four full frames of every partition of a large site.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A request's body after decompression: eight times as much, which is how well text compresses.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Events in one request: a minute's backlog of a site.
pub const EVENTS_MAX: usize = 20_000;
/// An event's text or bytes: a miner's answers with their envelope.
pub const EVENT_BYTES_MAX: usize = 384 * 1024;
/// Series in one remote write; Prometheus sends 2,000 samples at once by default.
pub const SERIES_MAX: usize = 100_000;
/// A series of a remote write: its labels and its queued samples.
pub const SERIES_BYTES_MAX: usize = 64 * 1024;
/// Events that result from one remote write: a scrape of a cluster's pods may complete at once.
pub const WRITE_EVENTS_MAX: usize = 100_000;
/// Samples of pods that wait until their scrape is complete, per source: two scrapes of 50,000 pods.
pub const POD_SAMPLES_MAX: usize = 300_000;
/// Exporters of pods per source.
pub const EXPORTERS_MAX: usize = 1_000;
/// Requests in progress; more are refused.
pub const REQUESTS_MAX: usize = 64;
/// How long a request's body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long ingest waits until it has read its own facts or those of others.
pub const REFERENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// Waiting parcels per partition; if there are more, the sender waits. A parcel is at most one frame.
pub const WAITING_PARCELS_MAX: usize = 256;
/// How long a frame waits for further events.
pub const FRAME_LINGER: Duration = Duration::from_millis(4);
/// Unacknowledged frames per partition.
pub const FRAMES_UNDER_WAY_MAX: usize = 16;
/// The `Retry-After` of an overloaded ingest, in seconds.
pub const RETRY_AFTER_S: &str = "1";
/// Jobs that are remembered; more are refused until the oldest can be dropped.
pub const JOBS_MAX: usize = 1_000_000;
