//! `weighbridge scrub` and `weighbridge replay`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use wb_auditor::{Auditor, Said, ScrubOptions};
use wb_billing::Projector;
use wb_clickhouse::Store;
use wb_config::Config;

use crate::console::{print, tell};
use crate::wiring::adapters::LedgerTopic;
use crate::wiring::backends::{ClickHouseAccess, clickhouse_access};
use crate::wiring::services::{Connected, connect, frame_archive};

#[derive(Debug, Args)]
pub(crate) struct ScrubArguments {
    /// Repair what is found.
    #[arg(long)]
    repair: bool,
    /// Read every record that the log still holds, too, and compare it with the commits.
    #[arg(long)]
    log: bool,
    /// Say everything as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The database to build: one that does not exist yet, or is empty.
    #[arg(long, value_name = "DATABASE")]
    into: String,
    /// Read from the archive wherever it has a block, not only where the log has it no more.
    #[arg(long)]
    from_archive: bool,
    /// Say everything as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// The auditor of this installation.
pub(crate) fn auditor(config: &Config, connected: &Connected) -> Result<Auditor> {
    Ok(Auditor {
        log: connected.log.clone(),
        store: connected.store.clone(),
        archive: frame_archive(config),
        frame_key: connected.keys.frame_key()?,
        scratch_in: config.data_dir.clone(),
    })
}

/// Prints what an audit says. That standard output is closed is told once, at the end.
struct Printer {
    json: bool,
    failed: Option<anyhow::Error>,
}

impl Printer {
    fn new(json: bool) -> Self {
        Self { json, failed: None }
    }

    fn say(&mut self, said: &Said) {
        let text = if self.json { serde_json::to_string(said) } else { Ok(said.to_string()) };
        let printed = text.map_err(anyhow::Error::new).and_then(|text| print(&text));
        if let Err(error) = printed {
            self.failed.get_or_insert(error);
        }
    }

    fn end(self) -> Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

/// Checks, and repairs where that is wanted; the exit code is 1 where something is left.
pub(crate) async fn scrub(config: &Config, arguments: &ScrubArguments) -> Result<ExitCode> {
    let connected = connect(config).await?;
    let options = ScrubOptions { repair: arguments.repair, log: arguments.log };
    tell("checking commits, manifest, tables, archive and log");
    let mut printer = Printer::new(arguments.json);
    let report = auditor(config, &connected)?.scrub(options, &mut |said| printer.say(said)).await?;
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

/// Builds a second database from the log; the exit code is 1 where it differs from the first.
pub(crate) async fn replay(config: &Config, arguments: &ReplayArguments) -> Result<ExitCode> {
    let connected = connect(config).await?;
    let ClickHouseAccess { url, user, password, .. } = clickhouse_access(config, &connected.keys)?;
    let target = Store::connect(&url, &arguments.into, user.as_deref(), password.as_deref()).await?;
    tell(&format!("building the database {} from the log", arguments.into));
    let mut printer = Printer::new(arguments.json);
    let auditor = auditor(config, &connected)?;
    let mut report = auditor.replay(&target, arguments.from_archive, &mut |said| printer.say(said)).await?;
    Projector::new(target.client().clone())
        .project(&LedgerTopic(connected.log.clone()))
        .await
        .context("the ledger cannot be built again")?;
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
