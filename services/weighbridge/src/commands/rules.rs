//! `weighbridge rules`: shows and switches the rules by which the log is folded.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use wb_events::frame::encode_fold_switch;
use wb_events::topics::EVENT_TOPICS;
use wb_fold::FOLD_VERSION;
use wb_fold::rules::knows;

use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

/// The arguments of `weighbridge rules`.
#[derive(Debug, Args)]
pub(crate) struct RulesArguments {
    /// Switch all partitions to this version of the rules. First upgrade every aggregator to a version that knows it.
    #[arg(long)]
    switch: Option<u32>,
}

impl Run for RulesArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        rules(&stack, self.switch).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows the rules of each partition's last block; with a version, switches all partitions to it.
async fn rules(stack: &RunningStack, switch: Option<u32>) -> Result<()> {
    let connected = stack.connect().await?;
    let commits = connected.commits().await?;
    if let Some(pin) = commits.pin() {
        tell(&format!("partitions begin with version {}", pin.first_fold_version));
    }
    for (chain, head) in commits.heads() {
        print(&format!("{}/{} version {}", chain.topic, chain.partition, head.commit.fold_version))?;
    }
    tell(&format!("the newest version that this program knows is {FOLD_VERSION}"));
    let Some(version) = switch else { return Ok(()) };
    ensure!(knows(version), "this program does not know version {version}: nothing was switched");
    let record = encode_fold_switch("weighbridge-cli", version, &connected.keys.frame_key()?);
    for topic in EVENT_TOPICS {
        for partition in 0..connected.partitions.get(topic).copied().unwrap_or(0) {
            let offset = connected.log.append(topic, partition, &[], &record, &[]).await?;
            tell(&format!("{topic}/{partition}: from the block after offset {offset} on, version {version}"));
        }
    }
    Ok(())
}
