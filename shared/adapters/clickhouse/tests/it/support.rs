//! The engine, in this process. One process can hold one only: all tests share it, each with databases of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, mpsc};

use tokio::runtime::Runtime;
use wb_clickhouse::Store;
use wb_clickhouse_embedded::EngineConfig;

/// Where the engine listens. It runs beside the tests' own runtimes, and ends with the process.
static ENGINE: LazyLock<SocketAddr> = LazyLock::new(|| {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || Runtime::new().unwrap().block_on(run(tell)));
    told.recv().unwrap()
});

async fn run(tell: mpsc::Sender<SocketAddr>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine");
    // What the run before this one left.
    let _ = std::fs::remove_dir_all(&folder);
    let library = std::env::var_os("WEIGHBRIDGE_CHDB_LIB").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../.stack/chdb/libchdb.so")),
        PathBuf::from,
    );
    let bound = wb_clickhouse_embedded::bind(EngineConfig::new(library, folder)).await.unwrap();
    tell.send(bound.local_addr()).unwrap();
    bound.run(std::future::pending()).await.unwrap();
}

/// Where the engine listens.
pub(crate) fn engine() -> SocketAddr {
    *ENGINE
}

/// A store over a database of an engine, without any table.
pub(crate) async fn connect(address: SocketAddr, database: &str) -> Store {
    Store::connect(&format!("http://{address}"), database, None, None).await.unwrap()
}
