//! Starts, runs and stops the server.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use crate::config::EngineConfig;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::http::{Gate, check_config, handle};

/// How long killed queries may take to end.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// An open engine with a bound address, which does not serve yet.
pub struct Bound {
    listener: TcpListener,
    local_addr: SocketAddr,
    gate: Arc<Gate>,
}

/// Opens the engine and binds the address.
///
/// # Errors
/// [`EngineError`] if the configuration, the library, the data directory or the address is not usable.
pub async fn bind(config: EngineConfig) -> Result<Bound, EngineError> {
    check_config(&config).map_err(|what| EngineError::Config { what })?;
    if config.max_concurrent_queries == 0 {
        return Err(EngineError::Config {
            what: "max_concurrent_queries is 0; allow at least one".to_owned(),
        });
    }
    if config.database.is_empty() || config.database.eq_ignore_ascii_case("default") {
        return Err(EngineError::Config {
            what: format!(
                "database `{}` cannot be served: choose a name other than `default`",
                config.database
            ),
        });
    }
    // The address comes first: it fails at once, while the engine may load for seconds.
    let listen = config.listen;
    let listener =
        TcpListener::bind(listen).await.map_err(|source| EngineError::Listen { listen, source })?;
    let local_addr = listener.local_addr().map_err(|source| EngineError::Listen { listen, source })?;
    let for_engine = config.clone();
    let engine = blocking(move || Engine::open(&for_engine)).await??;
    tracing::info!(version = engine.version(), data_dir = %config.data_dir.display(), %local_addr, "ClickHouse engine open");
    let turns = Arc::new(Semaphore::new(config.max_concurrent_queries));
    let gate = Arc::new(Gate { config, engine: Arc::new(engine), turns });
    Ok(Bound { listener, local_addr, gate })
}

/// [`bind`] and [`Bound::run`] in one.
///
/// # Errors
/// As [`bind`] and [`Bound::run`].
pub async fn serve(
    config: EngineConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), EngineError> {
    bind(config).await?.run(shutdown).await
}

impl Bound {
    /// The address for clients.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` completes, waits for running queries up to [`EngineConfig::shutdown_grace`], kills the
    /// rest and closes the engine.
    ///
    /// # Errors
    /// [`EngineError::Serve`] if the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), EngineError> {
        let Self { listener, gate, .. } = self;
        let router = Router::new().fallback(handle).with_state(Arc::clone(&gate));
        let (stopping, stopped) = oneshot::channel::<()>();
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            shutdown.await;
            let _ = stopping.send(());
        });
        let grace = gate.config.shutdown_grace;
        let deadline = async move {
            // An error means that the server itself ended, which then ends the wait.
            let _ = stopped.await;
            tokio::time::sleep(grace).await;
        };
        let outcome = tokio::select! {
            served = server => served,
            () = deadline => Ok(()),
        };
        close(&gate).await?;
        outcome.map_err(|source| EngineError::Serve { source })
    }
}

async fn close(gate: &Arc<Gate>) -> Result<(), EngineError> {
    let all = u32::try_from(gate.config.max_concurrent_queries).unwrap_or(u32::MAX);
    let wait = |limit| tokio::time::timeout(limit, Arc::clone(&gate.turns).acquire_many_owned(all));
    if wait(Duration::ZERO).await.is_err() {
        let engine = Arc::clone(&gate.engine);
        blocking(move || engine.kill("wb:")).await?;
        if wait(AFTER_KILL).await.is_err() {
            tracing::warn!("queries still run after being killed; the engine is closed anyway");
        }
    }
    gate.turns.close();
    let engine = Arc::clone(&gate.engine);
    blocking(move || engine.close()).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| EngineError::Serve { source: std::io::Error::other(e) })
}
