//! What the caller decides about one engine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Name and password a client must present.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name, as in `X-ClickHouse-User`.
    pub user: String,
    /// Password or token, as in `X-ClickHouse-Key` or `Authorization: Bearer`.
    pub password: String,
}

// Written by hand so that no log line can ever hold the password.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"(hidden)").finish()
    }
}

/// Configuration of one embedded ClickHouse.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Path of `libchdb.so`.
    pub lib_path: PathBuf,
    /// Directory of the data; created if absent. One process at a time.
    pub data_dir: PathBuf,
    /// Where to listen. Anything but loopback needs `credentials`.
    pub listen: SocketAddr,
    /// What clients must present; `None` admits every local client.
    pub credentials: Option<Credentials>,
    /// The database a client gets if it names none (created as Atomic).
    pub database: String,
    /// Queries that run at once; the others wait.
    pub max_concurrent_queries: usize,
    /// How long a query waits for its turn before it is refused (code 202).
    pub max_queue_wait: Duration,
    /// `max_execution_time` unless the client sets its own, in seconds.
    pub max_execution_time_s: u64,
    /// `max_memory_usage` unless the client sets its own, in bytes per query.
    pub max_memory_usage_bytes: u64,
    /// `max_result_bytes` of answers in formats that cannot be streamed, in bytes.
    pub max_materialised_bytes: u64,
    /// Longest SQL text (inline data not counted), in bytes.
    pub max_query_bytes: usize,
    /// Longest request body as it arrives, in bytes.
    pub max_body_bytes: u64,
    /// Longest silence of a client in the middle of its body.
    pub body_idle_timeout: Duration,
    /// How long running queries may take to end at shutdown before they are killed.
    pub shutdown_grace: Duration,
}

impl EngineConfig {
    /// Defaults for a small machine: loopback, a free port, eight queries at
    /// once, 300 s and 4 GiB a query.
    #[must_use]
    pub fn new(lib_path: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            lib_path: lib_path.into(),
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            credentials: None,
            database: "weighbridge".to_owned(),
            max_concurrent_queries: 8,
            max_queue_wait: Duration::from_secs(10),
            max_execution_time_s: 300,
            max_memory_usage_bytes: 4 << 30,
            max_materialised_bytes: 1 << 30,
            max_query_bytes: 256 << 10,
            max_body_bytes: 4 << 30,
            body_idle_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
