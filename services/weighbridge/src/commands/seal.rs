//! `weighbridge seal`: seals days now.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_aggregator::seal::{Pass, Sealer};
use wb_billing::ports::CutSource as _;

use crate::commands::{Run, RunningStack};
use crate::console::print;
use crate::wiring::services::Connected;

/// Waits until everything acknowledged is committed, then seals it.
pub(crate) async fn pass(connected: &Connected) -> Result<Pass> {
    connected.cuts().await?.settled_cut().await?;
    let sealer = Sealer::new(connected.log.clone(), connected.store.clone(), connected.commits().await?);
    Ok(sealer.pass().await?)
}

/// The arguments of `weighbridge seal`.
#[derive(Debug, Args)]
pub(crate) struct SealArguments {}

impl Run for SealArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        let connected = stack.connect().await?;
        print(&match pass(&connected).await? {
            Pass::Sealed { cut, days } => {
                format!("{days} days are sealed, of everything committed before offset {cut}")
            }
            Pass::Nothing => "everything is already sealed".to_owned(),
            Pass::Overtaken => "another process has sealed with a higher cut".to_owned(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
