//! `weighbridge up`: starts everything on this machine.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_config::Config;

use crate::commands::{Configuration, Run};
use crate::console::{end_signal, tell};
use crate::wiring::figures::serve_figures;
use crate::wiring::sources::configured_sources;
use crate::wiring::stack::Stack;

/// The arguments of `weighbridge up`.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {}

impl Run for UpArguments {
    type Needs = Configuration;

    async fn run(self, given: Configuration) -> Result<ExitCode> {
        up(&given.config, &given.child_arguments).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn up(config: &Config, child_arguments: &[OsString]) -> Result<()> {
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
