//! The stack of one machine: backends, connections, services.

use std::ffi::OsString;

use anyhow::{Context, Result};
use wb_auth::SourceKeys;
use wb_config::Config;

use super::backends::Backends;
use super::services::{Running, Service, connect};

/// The services of one machine; the engine runs in its own process.
const ALL: [Service; 4] = [Service::Ingest, Service::Aggregator, Service::Billing, Service::Api];

/// The stack of this machine.
pub(crate) struct Stack {
    backends: Backends,
    #[cfg(feature = "demo")]
    pub(crate) connected: super::services::Connected,
    pub(crate) running: Running,
}

impl Stack {
    /// Starts backends, then services.
    pub(crate) async fn start(
        config: &Config,
        child_arguments: &[OsString],
        sources: SourceKeys,
    ) -> Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make the data folder {}", config.data_dir.display()))?;
        let backends = Backends::start(config, child_arguments).await?;
        let connected = connect(config).await?;
        let running = Running::start(config, &connected, sources, &ALL).await?;
        Ok(Self {
            backends,
            #[cfg(feature = "demo")]
            connected,
            running,
        })
    }

    /// Stops services, then backends.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        self.backends.stop().await;
    }
}
