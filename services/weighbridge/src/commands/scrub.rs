//! `weighbridge scrub`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_auditor::ScrubOptions;

use crate::commands::audit::{Printer, auditor};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct ScrubArguments {
    /// Repair the faults that are found.
    #[arg(long)]
    repair: bool,
    /// Also read every record that the log still holds, and compare it with the commits.
    #[arg(long)]
    log: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

impl Run for ScrubArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        scrub(&stack, &self).await
    }
}

/// Checks, and repairs if asked. The exit code is 1 if faults are left.
async fn scrub(stack: &RunningStack, arguments: &ScrubArguments) -> Result<ExitCode> {
    let connected = stack.connect().await?;
    let options = ScrubOptions { repair: arguments.repair, log: arguments.log };
    tell("checking commits, manifest, tables, archive and log");
    let mut printer = Printer::new(arguments.json);
    let report = auditor(&stack.config, &connected)?.scrub(options, &mut |said| printer.say(said)).await?;
    printer.end()?;
    if arguments.json {
        print(&serde_json::json!({ "event": "end", "report": report }).to_string())?;
    } else {
        let end = match (report.faults, report.left) {
            (0, _) => "all is as it was committed".to_owned(),
            (faults, 0) => format!("{faults} faults, all repaired"),
            (faults, left) if arguments.repair => format!("{faults} faults, {left} of them not repaired"),
            (faults, _) => {
                format!("{faults} faults; `weighbridge scrub --repair` repairs what can be repaired")
            }
        };
        print(&format!(
            "{} committed blocks with {} events ({} records of commits): {end}",
            report.blocks, report.events, report.commits
        ))?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
