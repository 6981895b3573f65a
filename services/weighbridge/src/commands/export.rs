//! `weighbridge export`: exports billing data to files with control totals.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use wb_billing::ports::LedgerLog as _;
use wb_export::{Control, Entry, Exporter, JournalOption, Recognition, Request};
use wb_files::{Access, Replacement};
use wb_ledger::{Applied, Chain, Event, Hash, State};

use crate::commands::books::WHO;
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};
use crate::wiring::adapters::LedgerTopic;

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    #[arg(value_enum)]
    table: Table,
    /// The month, such as 2026-10. For invoices it is their period, for the journal the UTC dates of entries.
    #[arg(long)]
    period: String,
    /// Export only this customer's data.
    #[arg(long)]
    customer: Option<String>,
    /// Export only this legal entity's books. Required for QuickBooks and Xero, whose files are of one organisation.
    #[arg(long)]
    legal_entity: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The accounting system that will import the journal.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// The name or number of a journal account in the accounting system, such as accounts_receivable=1100.
    ///
    /// revenue=4000 covers all revenue accounts that are not given. Can be repeated. With a profile, or if one account
    /// is given, all accounts that the journal posts to are required.
    #[arg(long = "account", value_name = "OURS=THEIRS")]
    accounts: Vec<String>,
    /// The name of a customer in the accounting system, such as "acme=Acme Inc.". By default the id. Can be repeated.
    #[arg(long = "customer-name", value_name = "ID=NAME")]
    customer_names: Vec<String>,
    /// NetSuite's subsidiary of a legal entity. By default the legal entity itself. Can be repeated.
    #[arg(long = "subsidiary", value_name = "ENTITY=NAME")]
    subsidiaries: Vec<String>,
    /// Export only the journal in this currency. Required for Xero, whose files have no column for it.
    #[arg(long)]
    currency: Option<String>,
    /// When the journal books revenue.
    #[arg(long, value_enum)]
    revenue: Option<Revenue>,
    /// Xero's name of the tax rate of a line without tax. By default Tax Exempt.
    #[arg(long)]
    tax_rate: Option<String>,
    /// The number of the file, if a month has more lines than Xero imports at once.
    #[arg(long)]
    part: Option<u64>,
    /// The folder or file to write.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// Export the ledger as it was below this offset. It is the `ledger_end` of the control totals.
    #[arg(long)]
    ledger_end: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Table {
    /// One row per invoice and currency.
    Invoices,
    /// One row per invoice line.
    Lines,
    /// One row per input of a line.
    Usage,
    /// One row per account that a ledger record posts to.
    Journal,
    /// Cost and usage in the FOCUS 1.2 format.
    Focus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Revenue {
    /// On the day of the invoice.
    Issue,
    /// In the month of the service: what is invoiced later is accrued on its last day and reversed on the next.
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    Quickbooks,
    Xero,
    Netsuite,
}

fn request_of(arguments: &ExportArguments) -> Result<Request> {
    let table = match arguments.table {
        Table::Invoices => wb_export::Table::Invoices,
        Table::Lines => wb_export::Table::Lines,
        Table::Usage => wb_export::Table::Usage,
        Table::Journal => wb_export::Table::Journal,
        Table::Focus => wb_export::Table::Focus,
    };
    let format = match arguments.format {
        Format::Csv => wb_export::Format::Csv,
        Format::Jsonl => wb_export::Format::Jsonl,
        Format::Parquet => wb_export::Format::Parquet,
    };
    let mut request = Request::new(table, format, &arguments.period, arguments.customer.as_deref())?;
    if let Some(profile) = arguments.profile {
        request = request.with_profile(match profile {
            Profile::Quickbooks => wb_export::Profile::Quickbooks,
            Profile::Xero => wb_export::Profile::Xero,
            Profile::Netsuite => wb_export::Profile::Netsuite,
        })?;
    }
    if let Some(legal_entity) = &arguments.legal_entity {
        request = request.with_legal_entity(legal_entity).context("--legal-entity")?;
    }
    for (option, text) in options_of(arguments) {
        request = request.with_option(option, &text).with_context(|| flag(option))?;
    }
    Ok(request)
}

/// The options of a journal, with their values.
fn options_of(arguments: &ExportArguments) -> Vec<(JournalOption, String)> {
    let revenue = arguments.revenue.map(|revenue| match revenue {
        Revenue::Issue => Recognition::Issue.to_string(),
        Revenue::Service => Recognition::Service.to_string(),
    });
    let part = arguments.part.map(|part| part.to_string());
    let lists = [
        (JournalOption::Account, &arguments.accounts),
        (JournalOption::CustomerName, &arguments.customer_names),
        (JournalOption::Subsidiary, &arguments.subsidiaries),
    ];
    let each =
        lists.into_iter().flat_map(|(option, texts)| texts.iter().map(move |text| (option, text.clone())));
    let single = [
        (JournalOption::Currency, arguments.currency.clone()),
        (JournalOption::Revenue, revenue),
        (JournalOption::TaxRate, arguments.tax_rate.clone()),
        (JournalOption::Part, part),
    ];
    each.chain(single.into_iter().filter_map(|(option, text)| Some((option, text?)))).collect()
}

/// The argument of an option.
fn flag(option: JournalOption) -> String {
    format!("--{}", option.as_str().replace('_', "-"))
}

impl Run for ExportArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        export(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes an export from the running stack.
async fn export(stack: &RunningStack, arguments: ExportArguments) -> Result<()> {
    let request = request_of(&arguments)?;
    if let Some(customer) = &arguments.customer {
        stack.connect().await?.biller(WHO).await?.check_customer(customer).await?;
    }
    let target = Target::of(&arguments.out, &request);
    let ledger = LedgerTopic(stack.connect().await?.log);
    let records = ledger.read_all_from(0).await?;
    let cannot_write = |path: &Path| format!("cannot write {}", path.display());
    let mut file =
        Replacement::begin(&target.file, Access::Usual).with_context(|| cannot_write(&target.file))?;
    let mut control = write(request, records, arguments.ledger_end, &mut file)?;
    // The control totals contain the file's actual name.
    control.file.name = target.name();
    file.put_in_place().with_context(|| cannot_write(&target.file))?;
    // Written last: if the totals exist, the file is complete.
    wb_files::replace(&target.control, control.to_text()?.as_bytes(), Access::Usual)
        .with_context(|| cannot_write(&target.control))?;
    for left in &control.left_out {
        tell(&format!("left out: {} rows of {} {}: {}", left.rows, left.sum.amount, left.currency, left.why));
    }
    if control.parts > 1 {
        let (part, parts) = (control.part, control.parts);
        tell(&format!("this is file {part} of {parts}; write the others with --part"));
    }
    tell(&format!("{} rows of {} records, {} bytes", control.rows, control.records, control.file.bytes));
    print(&format!("{}  {}", control.file.sha256, target.file.display()))
}

/// Writes the rows of the ledger's winning records, and checks the chain of records.
fn write(
    request: Request,
    records: Vec<(u64, Vec<u8>)>,
    ledger_end: Option<u64>,
    file: &mut Replacement,
) -> Result<Control> {
    let mut exporter = Exporter::new(request)?;
    let (mut chain, mut state, mut held) = (Chain::default(), State::default(), 0);
    for (offset, bytes) in records {
        if let Applied::Won { hash, record } = chain.apply(offset, &bytes) {
            let event = Event::read(&record.kind, &record.body)
                .with_context(|| format!("the ledger cannot be read from offset {offset} on"))?;
            state
                .apply(&event)
                .with_context(|| format!("the ledger cannot be trusted from offset {offset} on"))?;
            held = offset.saturating_add(1);
            if ledger_end.is_none_or(|end| offset < end) {
                push(&mut exporter, offset, hash, &event, file)?;
            }
        }
    }
    if let Some(end) = ledger_end.filter(|end| *end > held) {
        bail!("--ledger-end is {end}, and the ledger ends at {held}");
    }
    let done = exporter.finish(ledger_end.unwrap_or(held))?;
    file.write_all(&done.bytes).context("cannot write the export")?;
    Ok(done.control)
}

fn push(
    exporter: &mut Exporter,
    ledger_offset: u64,
    record_hash: Hash,
    event: &Event,
    file: &mut Replacement,
) -> Result<()> {
    exporter.push(&Entry { ledger_offset, record_hash, event })?;
    file.write_all(&exporter.take()).context("cannot write the export")
}

/// The files of an export.
struct Target {
    file: PathBuf,
    control: PathBuf,
}

impl Target {
    fn of(out: &Path, request: &Request) -> Self {
        let file = if out.is_dir() { out.join(request.file_name()) } else { out.to_owned() };
        let mut control = file.clone().into_os_string();
        control.push(".control.json");
        Self { file, control: control.into() }
    }

    fn name(&self) -> String {
        self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
