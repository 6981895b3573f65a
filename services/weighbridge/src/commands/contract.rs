//! `weighbridge contract`: checks, compares and registers documents, and tries them out on past months.

mod recorded;
mod register;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use wb_billing::Backtest;
use wb_rating::{Contract, Format, UsageBilling, differences, document_json, position_of};
use wb_units::decimal;
use wb_units::time::rfc3339;

use crate::commands::{Nothing, Run, RunningStack, StackForNames, needs_of};
use crate::console::{print, tell};

pub(crate) use recorded::{HistoryArguments, ListArguments, ShowArguments};
pub(crate) use register::{RegisterArguments, WithdrawArguments};

/// The largest contract document.
const DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The name of this command in the logs of the services.
const WHO: &str = "weighbridge-cli";

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// Check contract documents and print every error with file, line and column.
    ///
    /// Also prints which component bills which usage, with a warning if several bill the same or none does.
    #[command(after_help = needs_of::<CheckArguments>())]
    Check(CheckArguments),
    /// Compare two documents by component and field. The exit code is 1 if they differ.
    #[command(after_help = needs_of::<DiffArguments>())]
    Diff(DiffArguments),
    /// Compute what a document would have billed for a past month, beside what was billed.
    ///
    /// Records nothing.
    #[command(after_help = needs_of::<BacktestArguments>())]
    Backtest(BacktestArguments),
    /// Record a version of a contract.
    ///
    /// A recorded version never changes. Other terms under its number are refused, with the difference: they are a new
    /// version with the instant from which it holds. The same terms may be sent again.
    #[command(after_help = needs_of::<RegisterArguments>())]
    Register(RegisterArguments),
    /// Withdraw a version that does not hold yet. Its number is free again.
    #[command(after_help = needs_of::<WithdrawArguments>())]
    Withdraw(WithdrawArguments),
    /// List the recorded contracts, each with its latest version.
    #[command(after_help = needs_of::<ListArguments>())]
    List(ListArguments),
    /// Print a recorded version as JSON.
    #[command(after_help = needs_of::<ShowArguments>())]
    Show(ShowArguments),
    /// Print every document recorded of a contract, in the order of recording, and whether it stands.
    #[command(after_help = needs_of::<HistoryArguments>())]
    History(HistoryArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Contract documents in TOML or JSON.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// A file, or a recorded contract as ID@VERSION or ID@latest.
    left: String,
    /// The document to compare with, in the same form.
    right: String,
}

#[derive(Debug, Args)]
pub(crate) struct BacktestArguments {
    /// A contract document in TOML or JSON.
    file: PathBuf,
    /// The month, such as 2026-10.
    #[arg(long)]
    period: String,
    /// Use the usage of all contracts of this customer.
    #[arg(long, conflicts_with = "contract")]
    customer: Option<String>,
    /// Use the usage of this contract. By default that of the document.
    #[arg(long)]
    contract: Option<String>,
    /// Print one JSON object per contract.
    #[arg(long)]
    json: bool,
}

impl Run for CheckArguments {
    type Needs = Nothing;

    async fn run(self, _: Nothing) -> Result<ExitCode> {
        check(&self.files)
    }
}

/// Checks documents; needs nothing else.
fn check(files: &[PathBuf]) -> Result<ExitCode> {
    let mut wrong = 0;
    for path in files {
        let (text, format) = read(path)?;
        match Contract::check(&text, format) {
            Ok(contract) => {
                print(&format!(
                    "{}: contract {} version {}: {} components",
                    path.display(),
                    contract.contract_id,
                    contract.version,
                    contract.components.len()
                ))?;
                for of in contract.usage_billing() {
                    print(&usage_words(&of))?;
                }
                for finding in contract.findings() {
                    print(&format!("{}: warning: {finding}", path.display()))?;
                }
            }
            Err(errors) => {
                wrong += errors.len();
                for error in errors {
                    let at = position_of(&text, format, &error);
                    print(&format!("{}:{}:{}: {error}", path.display(), at.line, at.column))?;
                }
            }
        }
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Which components bill a kind of usage, and what covers it.
fn usage_words(of: &UsageBilling) -> String {
    let billed_by = match of.billed_by.as_slice() {
        [] => "not billed".to_owned(),
        ids => format!("billed by {}", ids.join(", ")),
    };
    let covered_by = match of.covered_by.as_slice() {
        [] => String::new(),
        ids => format!(" above {}", ids.join(" + ")),
    };
    format!("  {}: {billed_by}{covered_by}", of.metered)
}

fn read(path: &Path) -> Result<(String, Format)> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= DOCUMENT_BYTES_MAX, "{} has {size} bytes, too many", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Format::Json,
        Some("toml") => Format::Toml,
        _ => bail!("{}: a contract document ends with .toml or .json", path.display()),
    };
    Ok((text, format))
}

/// Whether both documents are files, so that no stack is needed.
fn are_files(left: &str, right: &str) -> bool {
    Path::new(left).exists() && Path::new(right).exists()
}

impl Run for DiffArguments {
    type Needs = StackForNames;

    async fn run(self, stack: StackForNames) -> Result<ExitCode> {
        diff(stack, &self.left, &self.right).await
    }
}

/// Compares two documents; connects to the stack only if one of them is recorded there.
async fn diff(stack: StackForNames, left: &str, right: &str) -> Result<ExitCode> {
    let (left, right) = if are_files(left, right) {
        (read(Path::new(left))?, read(Path::new(right))?)
    } else {
        let stack = stack.stack()?;
        (document(&stack, left).await?, document(&stack, right).await?)
    };
    let found = differences((&left.0, left.1), (&right.0, right.1))?;
    for difference in &found {
        print(&difference.to_string())?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file, or a recorded version.
async fn document(stack: &RunningStack, name: &str) -> Result<(String, Format)> {
    if Path::new(name).exists() {
        return read(Path::new(name));
    }
    let (contract_id, version) = name
        .rsplit_once('@')
        .with_context(|| format!("{name} is neither a file nor a recorded version such as CONTRACT@2"))?;
    let recorded = stack.connect().await?.biller(WHO).await?.documents_of(contract_id).await?;
    let number = |body: &str| Contract::parse(body).ok().map(|contract| contract.version.to_string());
    let found = recorded
        .iter()
        .rev()
        .find(|(_, body)| version == "latest" || number(body).as_deref() == Some(version));
    let Some((_, body)) = found else {
        let known: Vec<String> = recorded
            .iter()
            .map(|(from_us, body)| {
                format!(
                    "{} (from {})",
                    number(body).unwrap_or_else(|| "unreadable".to_owned()),
                    rfc3339(*from_us)
                )
            })
            .collect();
        bail!("contract {contract_id} has no recorded version {version}; it has {}", known.join(", "));
    };
    Ok((body.clone(), Format::Json))
}

impl Run for BacktestArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        backtest(&stack, &self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Tries out a document on a past month.
async fn backtest(stack: &RunningStack, arguments: &BacktestArguments) -> Result<()> {
    let (text, format) = read(&arguments.file)?;
    if let Err(errors) = Contract::check(&text, format) {
        let named: Vec<String> = errors
            .iter()
            .map(|error| {
                let at = position_of(&text, format, error);
                format!("{}:{}:{}: {error}", arguments.file.display(), at.line, at.column)
            })
            .collect();
        bail!("{}", named.join("\n"));
    }
    let document = document_json(&text, format)?.to_string();
    let biller = stack.connect().await?.biller(WHO).await?;
    let contracts: Vec<Option<String>> = match &arguments.customer {
        Some(customer) => biller.contracts_of(customer).await?.into_iter().map(Some).collect(),
        None => vec![arguments.contract.clone()],
    };
    anyhow::ensure!(!contracts.is_empty(), "the customer has no contract");
    for contract_id in contracts {
        let tried = biller.backtest(&document, contract_id.as_deref(), &arguments.period).await?;
        if arguments.json {
            print(&as_json(&tried).to_string())?;
        } else {
            print(&as_table(&tried))?;
        }
    }
    tell("nothing was recorded");
    Ok(())
}

fn amount(minor: Option<i128>, places: u32) -> String {
    minor.map_or_else(|| "-".to_owned(), |minor| decimal::format(minor, places))
}

fn as_json(tried: &Backtest) -> serde_json::Value {
    let components: Vec<_> = tried
        .by_component()
        .into_iter()
        .map(|of| {
            json!({"component": of.component, "currency": of.currency,
                "billed": of.billed_minor.map(|minor| decimal::format(minor, of.places)),
                "would_be": of.would_be_minor.map(|minor| decimal::format(minor, of.places))})
        })
        .collect();
    json!({"contract_id": tried.contract_id, "period": tried.period, "cut": tried.cut,
        "invoice": tried.billed.as_ref().map(|document| document.invoice.number.clone()), "components": components})
}

fn as_table(tried: &Backtest) -> String {
    let number = tried.billed.as_ref().map_or("not billed", |document| document.invoice.number.as_str());
    let mut text = format!(
        "contract {}, {}, as of cut {}, beside {number}\n{:<28} {:>4} {:>20} {:>20} {:>20}",
        tried.contract_id, tried.period, tried.cut, "component", "", "billed", "would be", "difference"
    );
    let mut totals: std::collections::BTreeMap<String, (u32, i128, i128)> = std::collections::BTreeMap::new();
    let mut row = |name: &str, currency: &str, places: u32, billed: Option<i128>, would_be: Option<i128>| {
        let difference = would_be.unwrap_or(0).saturating_sub(billed.unwrap_or(0));
        text.push_str(&format!(
            "\n{name:<28} {currency:>4} {:>20} {:>20} {:>20}",
            amount(billed, places),
            amount(would_be, places),
            decimal::format(difference, places)
        ));
    };
    for of in tried.by_component() {
        row(&of.component, &of.currency, of.places, of.billed_minor, of.would_be_minor);
        let total = totals.entry(of.currency).or_insert((of.places, 0, 0));
        total.1 = total.1.saturating_add(of.billed_minor.unwrap_or(0));
        total.2 = total.2.saturating_add(of.would_be_minor.unwrap_or(0));
    }
    for (currency, (places, billed, would_be)) in totals {
        row("total", &currency, places, Some(billed), Some(would_be));
    }
    text
}
