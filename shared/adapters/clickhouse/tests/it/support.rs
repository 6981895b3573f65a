//! The engine, in this process. A process can hold one engine at a time, so tests that need it run in turn.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;
use wb_clickhouse::Store;
use wb_clickhouse_embedded::{EngineConfig, EngineError};

static TURN: Mutex<()> = Mutex::const_new(());

/// An engine over an empty folder.
pub(crate) struct Engine {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), EngineError>>,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let turn = TURN.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let library = std::env::var_os("WEIGHBRIDGE_CHDB_LIB").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../.stack/chdb/libchdb.so")),
            PathBuf::from,
        );
        let config = EngineConfig::new(library, folder.path().join("engine"));
        let bound = wb_clickhouse_embedded::bind(config).await.unwrap();
        let address = bound.local_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(bound.run(async {
            let _ = stopped.await;
        }));
        Self { address, stop, running, _folder: folder, _turn: turn }
    }

    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

/// A store over an engine's database, without tables.
pub(crate) async fn connect(address: SocketAddr, database: &str) -> Store {
    Store::connect(&format!("http://{address}"), database, None, None).await.unwrap()
}
