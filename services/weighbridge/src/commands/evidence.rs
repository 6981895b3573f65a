//! `weighbridge invoice bundle` and `weighbridge invoice verify`.

mod days;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use wb_billing::InvoiceEvidence;
use wb_evidence::{
    Builder, CommittedBlock, Held, MappedAccount, Material, PACKED_BYTES_MAX, SAMPLES_DEFAULT, SAMPLES_MAX,
    Sampling, Subject,
};
use wb_rating::Contract;
use wb_units::{Interval, Micros};

use crate::commands::audit::auditor;
use crate::commands::books::invoice_id;
use crate::commands::{Nothing, Run, RunningStack};
use crate::console::{print, tell};

/// The name of this command at the biller.
const WHO: &str = "weighbridge-cli";

#[derive(Debug, Args)]
pub(crate) struct BundleArguments {
    /// The invoice's number, such as WEI-000001, or its id.
    id: String,
    /// The file to write. By default the invoice's number or id, as given, with the ending .evidence.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many events to sample, or `all` for every event of the invoice.
    #[arg(long, value_name = "N", default_value_t = Events(Sampling::Drawn(SAMPLES_DEFAULT)))]
    events: Events,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The bundle's file.
    file: PathBuf,
    /// The invoice that was received, as printed by `weighbridge invoice show`. The bundle must be of exactly this
    /// invoice.
    #[arg(long, value_name = "FILE")]
    invoice: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// How many events a bundle holds.
#[derive(Debug, Clone, Copy)]
struct Events(Sampling);

impl FromStr for Events {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(Sampling::All));
        }
        let count: Option<u32> = text.parse().ok().filter(|count| (1..=SAMPLES_MAX).contains(count));
        count
            .map(|count| Self(Sampling::Drawn(count)))
            .ok_or_else(|| format!("write 1 to {SAMPLES_MAX}, or all"))
    }
}

impl std::fmt::Display for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Sampling::All => f.write_str("all"),
            Sampling::Drawn(count) => write!(f, "{count}"),
        }
    }
}

impl Run for BundleArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        bundle(&stack, &self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds the bundle of an invoice from the running stack, verifies it, and writes it.
async fn bundle(stack: &RunningStack, arguments: &BundleArguments) -> Result<()> {
    let connected = stack.connect().await?;
    let biller = connected.biller(WHO).await?;
    tell("computing the invoice again at its cut");
    let id = invoice_id(&biller, &arguments.id).await?;
    let invoice = biller.invoice(&id).await?.invoice.clone();
    let evidence = biller.evidence(&id).await?;
    let auditor = auditor(&stack.config, &connected)?;
    let days = days::sealed_days(&auditor, &connected.store, &evidence.bill).await?;
    let mut material = material(evidence, invoice.evidence_digest, arguments.events.0);
    material.days = days;
    let mut builder = Builder::new(material)?;
    let wanted: BTreeSet<(String, u32, u64)> =
        builder.wanted().map(|(topic, partition, block)| (topic.to_owned(), partition, block)).collect();
    tell(&format!("reading {} committed blocks from the log and the archive", wanted.len()));
    let mut blocks = auditor.stored_blocks(&wanted, invoice.evidence.cut).await?;
    while let Some(block) = blocks.next_block().await? {
        builder.take(&CommittedBlock {
            commit_offset: block.commit_offset,
            commit: block.commit,
            stored: block.stored,
        })?;
    }
    let bundle = builder.finish()?;
    let bytes = bundle.to_bytes()?;
    // Verifies the very bytes that are written.
    let report = wb_evidence::verify(&bytes, None);
    ensure!(report.valid, "the bundle does not prove the invoice, and was not written:\n{report}");
    let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.evidence", arguments.id)));
    std::fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    tell(&report.to_string());
    print(&format!(
        "{}: {} bytes, {} blocks, {} events",
        path.display(),
        bytes.len(),
        bundle.blocks.len().saturating_add(bundle.day_blocks.len()),
        bundle.events.len()
    ))
}

fn material(evidence: InvoiceEvidence, evidence_digest: wb_ledger::Hash, sampling: Sampling) -> Material {
    let bill = evidence.bill;
    let period = Interval { start_us: bill.billed.period.start_us, end_us: bill.billed.period.end_us };
    let held = |holding: wb_billing::ports::Holding| Held {
        machine_id: holding.machine_id,
        start_us: holding.interval.start_us,
        end_us: holding.interval.end_us,
    };
    let contracts = bill.stretches.iter().filter_map(|stretch| Contract::parse(&stretch.contract).ok());
    let subject = Subject {
        contract_id: bill.billed.contract_id.clone(),
        series: contracts.flat_map(|contract| contract.needs().series).collect(),
        machines: bill.holdings.into_iter().map(held).collect(),
        // What is mapped outside of the invoice's period is not about it.
        accounts: mapped(evidence.accounts, period),
        sites: bill.site_ids.into_iter().collect(),
        voided: Vec::new(),
    };
    Material {
        record: evidence.record,
        stretches: bill.stretches,
        subject,
        blocks: bill.billed.blocks,
        days: Vec::new(),
        evidence_digest,
        sampling,
        voided: evidence.voided,
        neighbours: mapped(evidence.other_accounts, EVER),
    }
}

/// All times.
const EVER: Interval = Interval { start_us: Micros::MIN, end_us: Micros::MAX };

fn mapped(accounts: Vec<(String, Interval)>, within: Interval) -> Vec<MappedAccount> {
    let part = |(account, time): (String, Interval)| {
        let Interval { start_us, end_us } = time.intersect(&within)?;
        Some(MappedAccount { account, start_us, end_us })
    };
    accounts.into_iter().filter_map(part).collect()
}

/// Reads a file of bounded size.
fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(cannot)?.len();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    ensure!(size <= bound, "{} has {size} bytes, at most {bound} are read", path.display());
    std::fs::read(path).with_context(cannot)
}

impl Run for VerifyArguments {
    type Needs = Nothing;

    /// Verifies a bundle with nothing but its file. The exit code is 1 if it is not valid.
    async fn run(self, _: Nothing) -> Result<ExitCode> {
        let packed = read(&self.file, PACKED_BYTES_MAX)?;
        let held = match &self.invoice {
            Some(path) => {
                let bytes = read(path, wb_ledger::RECORD_BYTES_MAX)?;
                Some(String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?)
            }
            None => None,
        };
        let report = wb_evidence::verify(&packed, held.as_deref());
        if self.json {
            print(&serde_json::to_string(&report)?)?;
        } else {
            print(&report.to_string())?;
        }
        Ok(if report.valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
