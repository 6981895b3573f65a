//! `weighbridge alarm`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use wb_events::commits::COMMITS_VERSION;
use wb_events::wire::Alarm;

use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Subcommand)]
pub(crate) enum AlarmCommand {
    /// Show the alarm. The exit code is 1 if an alarm is set.
    Show,
    /// Clear the alarm, after its cause is repaired. Committing and billing go on.
    Clear {
        /// What was found and done. The log keeps it.
        #[arg(long)]
        why: String,
        /// Who clears the alarm.
        #[arg(long, default_value = "operator")]
        who: String,
    },
}

impl Run for AlarmCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        look_or_clear(&stack, self).await
    }
}

/// Shows or clears the alarm.
async fn look_or_clear(stack: &RunningStack, command: AlarmCommand) -> Result<ExitCode> {
    let commits = stack.connect().await?.commits().await?;
    let Some((offset, standing)) = commits.alarm() else {
        tell("no alarm is set");
        return Ok(ExitCode::SUCCESS);
    };
    match command {
        AlarmCommand::Show => {
            print(&format!("commits {offset} by {}: {}", standing.who, standing.detail))?;
            Ok(ExitCode::FAILURE)
        }
        AlarmCommand::Clear { why, who } => {
            let log_id = commits.pin().map(|pin| pin.log_id).unwrap_or_default();
            let clear =
                Alarm { version: COMMITS_VERSION, cleared: true, who, why, log_id, ..Alarm::default() };
            commits.write_alarm(&clear).await?;
            tell(&format!("cleared: {}", standing.detail));
            Ok(ExitCode::SUCCESS)
        }
    }
}
