//! `weighbridge up` and `weighbridge serve`.

use std::ffi::OsString;

use anyhow::{Context, Result};
use wb_config::Config;

use crate::console::{end_signal, tell};
use crate::wiring::services::{Running, Service, connect};
use crate::wiring::sources::configured_sources;
use crate::wiring::stack::Stack;

/// Serves this process's figures, where an address is configured.
fn serve_figures(config: &Config) -> Result<()> {
    match config.metrics_listen {
        Some(address) => wb_observe::serve_figures(address).context("observe.metrics_listen"),
        None => Ok(()),
    }
}

/// `weighbridge up`.
pub(crate) async fn run(config: &Config, child_arguments: &[OsString]) -> Result<()> {
    let end = end_signal(false)?;
    serve_figures(config)?;
    tell("starting Kafka, ClickHouse and the services");
    let mut stack = Stack::start(config, child_arguments, configured_sources(config)?).await?;
    tell(&format!("ingest   http://{}/v1/events", config.ingest.listen));
    tell(&format!("graphql  http://{}/graphql", config.api.listen));
    tell("ready; Ctrl-C ends");
    let ended = tokio::select! {
        () = end => Ok(()),
        ended = stack.running.any_ended() => ended,
    };
    tell("stopping");
    stack.stop().await;
    ended
}

/// `weighbridge serve`, with the backends that others run.
pub(crate) async fn serve(config: &Config, service: Service, exit_with_stdin: bool) -> Result<()> {
    let end = end_signal(exit_with_stdin)?;
    serve_figures(config)?;
    let connected = connect(config).await?;
    let mut running = Running::start(config, &connected, configured_sources(config)?, &[service]).await?;
    tell("ready");
    let ended = tokio::select! {
        () = end => Ok(()),
        ended = running.any_ended() => ended,
    };
    running.stop().await;
    ended
}
