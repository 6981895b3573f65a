//! `weighbridge references`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use wb_units::time::rfc3339;

use crate::commands::books::WHO;
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct ReferencesArguments {
    /// Print one JSON object per fact.
    #[arg(long)]
    json: bool,
}

impl Run for ReferencesArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        let found = stack.connect().await?.biller(WHO).await?.unresolved().await?;
        for of in &found {
            if self.json {
                let line = json!({"kind": of.kind, "entity": of.entity, "from": rfc3339(of.from_us),
                    "field": of.field, "refers_to": of.refers_to, "id": of.id, "like": of.like});
                print(&line.to_string())?;
            } else {
                print(&of.to_string())?;
            }
        }
        tell(&format!("{} facts refer to something unknown", found.len()));
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
