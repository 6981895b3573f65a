//! The configuration of an engine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The user name and password of clients.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name, as in `X-ClickHouse-User`.
    pub user: String,
    /// Password or token, as in `X-ClickHouse-Key` or `Authorization: Bearer`.
    pub password: String,
}

// Written by hand, so that the password is never logged.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"(hidden)").finish()
    }
}

/// The configuration of an embedded engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The path of `libchdb.so`.
    pub lib_path: PathBuf,
    /// The data directory; created if absent. Only one process may use it.
    pub data_dir: PathBuf,
    /// The address to listen on. Anything but loopback needs `credentials`.
    pub listen: SocketAddr,
    /// The credentials of clients; `None` admits every local client.
    pub credentials: Option<Credentials>,
    /// The database of clients that state none (created as Atomic).
    pub database: String,
    /// How many queries run at once; others wait.
    pub max_concurrent_queries: usize,
    /// How long a query waits until it is refused (code 202).
    pub max_queue_wait: Duration,
    /// The default of `max_execution_time`, in seconds.
    pub max_execution_time_s: u64,
    /// The default of `max_memory_usage`, in bytes per query.
    pub max_memory_usage_bytes: u64,
    /// The `max_result_bytes` of answers in formats that cannot be streamed.
    pub max_materialised_bytes: u64,
    /// The longest SQL text without inline data, in bytes.
    pub max_query_bytes: usize,
    /// The longest request body before decompression, in bytes.
    pub max_body_bytes: u64,
    /// The longest pause of a client within its body.
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
