//! `weighbridge import`: facts from files.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::Value;
use wb_connect::fact_files::{self, File, Mistake, Stated};
use wb_connect::{Ingest, Stop};
use wb_counted::REFERRING_KINDS;
use wb_units::time::rfc3339;

use crate::commands::books::WHO;
use crate::commands::report::now_us;
use crate::commands::{Run, RunningStack};
use crate::console::{end_signal, print, tell};
use plan::{Plan, Recorded};

/// The largest file.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Facts per request.
const FACTS_AT_ONCE: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Files that end in .csv, .toml or .json.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print what would be sent and what is recorded already, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Also send what differs from what is recorded for the same instant. Of the two, the one recorded later holds.
    #[arg(long)]
    replace: bool,
    /// The address of ingest. By default that of the configuration.
    #[arg(long, env = "WEIGHBRIDGE_INGEST_URL")]
    ingest: Option<String>,
    /// The API key of a source with the role `operator`.
    #[arg(long, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
}

/// Files with mistakes.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-8023")]
#[error("{mistakes} mistakes in {files} files, so nothing was sent; correct them and import all files again")]
struct Mistaken {
    mistakes: usize,
    files: usize,
}

impl Run for ImportArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        import(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn import(stack: &RunningStack, arguments: ImportArguments) -> Result<()> {
    ensure!(
        arguments.dry_run || !arguments.source_key.is_empty(),
        "no API key: set WEIGHBRIDGE_SOURCE_KEY to the key of a source with the role operator"
    );
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        match read(path) {
            Ok(file) => files.push(file),
            Err(reason) => unreadable.push(fact_files::unreadable(path.display().to_string(), reason)),
        }
    }
    let mut facts = fact_files::read(&files);
    facts.mistakes.splice(0..0, unreadable);
    facts.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}")));
    facts.mistakes.iter().for_each(|mistake| tell(&mistake.to_string()));
    let recorded = recorded(stack, &facts.stated).await?;
    let plan = plan::plan(facts.stated, &facts.meant, &recorded, (arguments.replace, now_us()?));
    plan.mistakes.iter().for_each(|mistake| tell(&mistake.to_string()));
    refuse_mistakes(facts.mistakes.iter().chain(&plan.mistakes))?;
    if arguments.dry_run {
        return print_plan(&plan);
    }
    let ingest = match arguments.ingest {
        Some(url) => url,
        None => {
            let mut address = stack.config.ingest.listen;
            if address.ip().is_unspecified() {
                address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            format!("http://{address}")
        }
    };
    send(&plan.new, &Ingest::new(&ingest, arguments.source_key)?).await?;
    print(&format!("{} facts sent{}, {} recorded before", plan.new.len(), kinds(&plan.new), plan.known.len()))
}

/// A file's text, or why there is none.
fn read(path: &Path) -> Result<File, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let size = std::fs::metadata(path).map_err(cannot)?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("has {size} bytes, at most {FILE_BYTES_MAX} are taken: split it"));
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    Ok(File { name: path.display().to_string(), text })
}

/// What is recorded of the kinds that are stated, and of those that facts refer to.
async fn recorded(stack: &RunningStack, stated: &[Stated]) -> Result<Recorded> {
    let kinds: BTreeSet<&'static str> =
        stated.iter().map(|stated| stated.kind).chain(REFERRING_KINDS).collect();
    let kinds: Vec<&'static str> = kinds.into_iter().collect();
    Ok(stack.connect().await?.biller(WHO).await?.recorded_facts(&kinds).await?)
}

fn refuse_mistakes<'a>(mistakes: impl Iterator<Item = &'a Mistake>) -> Result<()> {
    let files: Vec<&str> = mistakes.map(|mistake| mistake.file.as_str()).collect();
    let mistakes = files.len();
    let files = files.into_iter().collect::<BTreeSet<_>>().len();
    if mistakes == 0 { Ok(()) } else { Err(Mistaken { mistakes, files }.into()) }
}

/// How many of each kind.
fn kinds(stated: &[Stated]) -> String {
    let mut of_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for one in stated {
        *of_kind.entry(one.kind).or_default() += 1;
    }
    if of_kind.is_empty() {
        return String::new();
    }
    let each: Vec<String> = of_kind.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
    format!(" ({})", each.join(", "))
}

fn print_plan(plan: &Plan) -> Result<()> {
    for (what, stated) in [("would-send", &plan.new), ("recorded", &plan.known)] {
        for one in stated {
            let from = rfc3339(one.from_us);
            print(&format!("{what} {} {} from {from} {}:{}", one.kind, one.entity, one.file, one.line))?;
        }
    }
    tell(&format!(
        "{} facts would be sent{}, {} are recorded already; nothing was sent",
        plan.new.len(),
        kinds(&plan.new),
        plan.known.len()
    ));
    Ok(())
}

async fn send(stated: &[Stated], ingest: &Ingest) -> Result<()> {
    let stop = Stop::after(end_signal(false)?);
    for chunk in stated.chunks(FACTS_AT_ONCE) {
        let events: Vec<Value> = chunk.iter().map(|one| one.event.clone()).collect();
        let refused = ingest.post(&events, &stop).await?;
        let refused = refused.context("stopped before the end: import the files again")?;
        for of in &refused {
            let at =
                chunk.get(of.index).map_or_else(String::new, |one| format!("{}:{}: ", one.file, one.line));
            tell(&format!("{at}[{}] {}: {}", of.code, of.field, of.reason));
        }
        ensure!(
            refused.is_empty(),
            "ingest refused {} facts; those before them are sent. Correct them and import the files again",
            refused.len()
        );
    }
    Ok(())
}
