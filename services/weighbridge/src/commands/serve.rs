//! `weighbridge serve`: runs one service.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_config::Config;

use crate::commands::{Configuration, Run};
use crate::console::{end_signal, tell};
use crate::wiring::backends::serve_engine;
use crate::wiring::figures::serve_figures;
use crate::wiring::keys::Keys;
use crate::wiring::services::{Running, Service, connect};
use crate::wiring::sources::configured_sources;

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    service: Service,
    /// Exit when standard input ends, as it does when the parent process ends.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl Run for ServeArguments {
    type Needs = Configuration;

    async fn run(self, given: Configuration) -> Result<ExitCode> {
        match self.service {
            Service::Clickhouse => {
                let keys = Keys::open(&given.config.data_dir)?;
                serve_engine(&given.config, &keys, end_signal(self.exit_with_stdin)?).await?;
            }
            service => serve(&given.config, service, self.exit_with_stdin).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs a service on backends that are already running.
async fn serve(config: &Config, service: Service, exit_with_stdin: bool) -> Result<()> {
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
