//! `weighbridge-torture --kills 2000 --seed N --report FILE`: the long form of the crash campaign.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use wb_torture::campaign::{self, Settings};

/// Kills Weighbridge's processes at every moment and proves that nothing is lost or counted twice.
#[derive(Debug, Parser)]
struct Arguments {
    /// Random kills of the product's processes.
    #[arg(long, default_value_t = 2_000)]
    kills: u64,
    /// The seed of load and faults; WEIGHBRIDGE_SEED, else the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// Strike only so many enumerated points of each kind; none: all of them.
    #[arg(long)]
    sample: Option<usize>,
    /// Where the report goes: Markdown there, JSON beside it.
    #[arg(long)]
    report: Option<PathBuf>,
    /// The program to torture; by default the one beside this.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Keep the folders of the rounds.
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A control arm; the campaign starts it.
    Control {
        /// Which.
        arm: String,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Command::Control { arm }) = &arguments.command {
        return wb_torture::control::run(arm);
    }
    let own = std::env::current_exe().context("this program's own file")?;
    let weighbridge = arguments.bin.unwrap_or_else(|| own.with_file_name("weighbridge"));
    anyhow::ensure!(
        weighbridge.is_file(),
        "there is no {}: build it with `cargo build -p weighbridge`, or name it with --bin",
        weighbridge.display()
    );
    let settings = Settings {
        kills: arguments.kills,
        seed: campaign::seed(arguments.seed),
        sample: arguments.sample,
        weighbridge,
        arms: own,
        keep: arguments.keep,
    };
    wb_torture::tell(&format!("seed {}", settings.seed));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = campaign::run(&settings) => report,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })?;
    campaign::conclude(&report, arguments.report.as_deref())
}
