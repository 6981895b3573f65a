//! Every bound of the front state, with its reason.

use std::time::Duration;

/// A request's body as it is sent: four full frames of every partition of a large site.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A request's body when decompressed: eight times that, so that text compresses as it does.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Events in one request: what a site spools in a minute.
pub const EVENTS_MAX: usize = 20_000;
/// One event's text or bytes: a miner's answers and their frame.
pub const EVENT_BYTES_MAX: usize = 384 * 1024;
/// Series in one remote write; Prometheus sends 2,000 samples at once unless told otherwise.
pub const SERIES_MAX: usize = 100_000;
/// One series of a remote write: its labels, and the samples that were spooled of it.
pub const SERIES_BYTES_MAX: usize = 64 * 1024;
/// Events that follow from one remote write: a scrape of a cluster's pods may become complete all at once.
pub const WRITE_EVENTS_MAX: usize = 100_000;
/// Samples of pods that wait for their scrape to be complete, per source: two scrapes of 50,000 pods.
pub const POD_SAMPLES_MAX: usize = 300_000;
/// Exporters of pods per source.
pub const EXPORTERS_MAX: usize = 1_000;
/// How many requests are worked on at once; more are told to come back.
pub const REQUESTS_MAX: usize = 64;
/// How long a request's body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long ingest waits to have read its own facts, or those of others, before it says so.
pub const REFERENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// Parcels of at most one frame waiting for theirs, per partition; beyond it the sender waits.
pub const WAITING_PARCELS_MAX: usize = 256;
/// How long an event waits for company in its frame.
pub const FRAME_LINGER: Duration = Duration::from_millis(4);
/// Frames of one partition under way at once.
pub const FRAMES_UNDER_WAY_MAX: usize = 16;
/// What a sender is told to wait when there is too much to do, in seconds.
pub const RETRY_AFTER_S: &str = "1";
/// Jobs that are remembered; more are refused until the oldest can be forgotten.
pub const JOBS_MAX: usize = 1_000_000;
