//! `weighbridge replay`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use wb_auditor::Said;
use wb_billing::Projector;
use wb_clickhouse::Store;

use crate::commands::audit::{Printer, auditor};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};
use crate::wiring::adapters::LedgerTopic;
use crate::wiring::backends::{ClickHouseAccess, clickhouse_access};
use crate::wiring::usage::BillTables;

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The database to build. It must not exist yet, or be empty.
    #[arg(long, value_name = "DATABASE")]
    into: String,
    /// Read blocks from the archive if it has them, not only if the log lacks them.
    #[arg(long)]
    from_archive: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

impl Run for ReplayArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        replay(&stack, &self).await
    }
}

/// Builds a second database from the log. The exit code is 1 if it differs from the first.
async fn replay(stack: &RunningStack, arguments: &ReplayArguments) -> Result<ExitCode> {
    let connected = stack.connect().await?;
    let ClickHouseAccess { url, user, password, .. } = clickhouse_access(&stack.config, &connected.keys)?;
    let target = Store::connect(&url, &arguments.into, user.as_deref(), password.as_deref()).await?;
    tell(&format!("building the database {} from the log", arguments.into));
    let mut printer = Printer::new(arguments.json);
    let auditor = auditor(&stack.config, &connected)?;
    let mut report = auditor.replay(&target, arguments.from_archive, &mut |said| printer.say(said)).await?;
    Projector::new(BillTables(target.clone()))
        .project(&LedgerTopic(connected.log.clone()))
        .await
        .context("the ledger cannot be rebuilt")?;
    let (rebuilt, live) = (target.ledger_digest().await?, connected.store.ledger_digest().await?);
    if rebuilt != live {
        report.differences += 1;
        let problem = format!(
            "ledger: {} rows in the live database, {} in the log, or other content",
            live.0, rebuilt.0
        );
        printer.say(&Said::Differs { place: None, problem });
    }
    printer.end()?;
    if arguments.json {
        print(&serde_json::json!({ "event": "end", "report": report }).to_string())?;
    } else {
        for table in &report.tables {
            print(&format!(
                "{:<16} {:>12} rows rebuilt {} / {:>12} rows live {}",
                table.table, table.rebuilt_rows, table.rebuilt_hash, table.live_rows, table.live_hash
            ))?;
        }
        print(&format!("{:<16} {:>12} rows rebuilt / {:>12} rows live", "ledger", rebuilt.0, live.0))?;
        let end = match report.differences {
            0 => "both databases are equal".to_owned(),
            1 => "1 difference".to_owned(),
            differences => format!("{differences} differences"),
        };
        print(&format!(
            "{} blocks with {} events committed below offset {}: {end}",
            report.blocks, report.events, report.cut
        ))?;
    }
    Ok(if report.differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
