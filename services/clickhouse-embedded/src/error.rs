//! Errors of starting and running the engine.
//!
//! An error within a request is sent to its client in ClickHouse's form and does not end the process (see
//! `exception`).

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the engine could not start or had to stop.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine's library could not be loaded.
    #[code("WB-7001")]
    #[error(
        "cannot load the ClickHouse engine from {path}: {reason}; give the path of a libchdb.so for this machine (26.7 or newer)"
    )]
    Load {
        /// The path.
        path: PathBuf,
        /// The loader's error.
        reason: String,
    },
    /// The engine did not open the data directory.
    #[code("WB-7002")]
    #[error(
        "the ClickHouse engine did not open {path}: either another process has it open (one process per data directory) or it is not writable; the engine's own reason is on standard error"
    )]
    Open {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory could not be created or resolved.
    #[code("WB-7003")]
    #[error("cannot use {path} as the data directory: choose a writable directory")]
    DataDir {
        /// The data directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A second engine in the same process.
    #[code("WB-7004")]
    #[error(
        "this process already runs the ClickHouse engine on {open}, so it cannot open {wanted}; start another process"
    )]
    SecondPath {
        /// The open directory.
        open: PathBuf,
        /// The requested directory.
        wanted: PathBuf,
    },
    /// The engine refused a statement at the start.
    #[code("WB-7005")]
    #[error("the ClickHouse engine refused `{statement}` at start: {reason}")]
    Prepare {
        statement: String,
        /// The engine's error.
        reason: String,
    },
    /// The configuration is not valid.
    #[code("WB-7006")]
    #[error("{what}")]
    Config {
        /// Which value is wrong, why, and what is allowed.
        what: String,
    },
    /// The address could not be bound.
    #[code("WB-7007")]
    #[error("cannot listen on {listen}: choose a free address")]
    Listen {
        listen: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The HTTP server failed.
    #[code("WB-7008")]
    #[error("the HTTP interface of the ClickHouse engine failed")]
    Serve {
        /// The cause.
        source: std::io::Error,
    },
}
