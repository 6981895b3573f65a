//! The metrics of this process.

use anyhow::{Context as _, Result};
use wb_config::Config;

/// Serves the metrics of this process, if an address is configured.
pub(crate) fn serve_figures(config: &Config) -> Result<()> {
    match config.metrics_listen {
        Some(address) => wb_observe::serve_figures(address).context("observe.metrics_listen"),
        None => Ok(()),
    }
}
