//! `weighbridge report`: figures of a site or of the fleet for a period.

mod amount;
mod csv;
mod json;
mod table;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use wb_auth::{CustomerId, TenantScope};
use wb_clickhouse::read::PeriodRequest;
use wb_clickhouse::{Cut, Read, Store, StoreConfig};
use wb_events::topics;
use wb_kafka::Log;
use wb_metering::report::period::ReportPeriod;
use wb_metering::report::sheet::Sheet;
use wb_units::{Interval, Micros};

use crate::commands::{Run, RunningStack};
use crate::console::print;
use crate::wiring::backends::{clickhouse_access, log_settings};
use crate::wiring::keys::Keys;
use crate::wiring::services::engine_answers;

/// The longest time of a report's query in seconds.
const QUERY_TIME_S: u32 = 600;

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Report one site.
    Site {
        /// The site's id.
        #[arg(long)]
        site: String,
        #[command(flatten)]
        options: ReportOptions,
    },
    /// Report all sites together.
    Fleet {
        #[command(flatten)]
        options: ReportOptions,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// The period: a day 2026-10-31, a month 2026-10, a quarter 2026-Q3 or a year 2026.
    #[arg(long)]
    period: String,
    /// The time zone of the period's days. By default the site's, and UTC for the fleet.
    #[arg(long)]
    zone: Option<String>,
    /// Report only this customer's machines, as the customer may see them.
    #[arg(long)]
    customer: Option<String>,
    /// Report what was committed before this offset of `commits`.
    #[arg(long)]
    cut: Option<u64>,
    /// Report what was committed before this instant, such as 2026-08-03T00:00:00Z.
    #[arg(long, conflicts_with = "cut")]
    as_of: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for reading.
    Table,
    /// One figure per line, in whole units.
    Csv,
    /// One object, with whole numbers as text.
    Json,
}

/// The subject of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) site_id: Option<String>,
    pub(crate) customer_id: Option<String>,
    pub(crate) period: String,
    pub(crate) zone: String,
    /// The reported part of the period.
    pub(crate) interval: Interval,
    /// Whether the period is unfinished.
    pub(crate) goes_on: bool,
    pub(crate) cut: u64,
    pub(crate) site_ids: Vec<String>,
}

impl Run for ReportCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        report(&stack, &self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints a report from the running stack.
async fn report(stack: &RunningStack, command: &ReportCommand) -> Result<()> {
    let (site, options) = match command {
        ReportCommand::Site { site, options } => (Some(site.as_str()), options),
        ReportCommand::Fleet { options } => (None, options),
    };
    engine_answers(&stack.config).await?;
    let keys = Keys::of_installation(&stack.config.data_dir);
    let access = clickhouse_access(&stack.config, &keys)?;
    let mut store = StoreConfig::new(access.url, access.database);
    store.user = access.user;
    store.password = access.password;
    store.max_execution_time_s = QUERY_TIME_S;
    let store = Store::new(store)?;
    store.ping().await.context("ClickHouse cannot be used")?;
    let cut = match (options.cut, &options.as_of) {
        (Some(cut), _) => Cut(cut),
        (None, Some(instant)) => cut_at(stack, instant_us(instant).context("--as-of")?).await?,
        (None, None) => store.cut().await?,
    };
    let text = text_of(&store, site, options, cut, now_us()?).await?;
    print(text.trim_end())
}

/// UTC microseconds by this machine's clock.
pub(crate) fn now_us() -> Result<Micros> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = since.context("this machine's clock is before 1970")?;
    Ok(Micros::try_from(since.as_micros())?)
}

/// The cut of an instant: everything committed before it. Read from the log, because the broker dates each commit.
async fn cut_at(stack: &RunningStack, at_us: Micros) -> Result<Cut> {
    let log = Log::connect(log_settings(&stack.config)).context("the Kafka client was not accepted")?;
    let first_offset = log.first_offset_at(topics::COMMITS, 0, at_us).await?;
    Ok(Cut::as_of(at_us, now_us()?, first_offset)?)
}

/// Parses an instant to UTC microseconds.
pub(crate) fn instant_us(text: &str) -> Result<Micros> {
    let instant: jiff::Timestamp =
        text.parse().with_context(|| format!("{text:?} is not an instant: write 2026-08-03T00:00:00Z"))?;
    Ok(instant.as_microsecond())
}

/// A report as text.
async fn text_of(
    store: &Store,
    site: Option<&str>,
    options: &ReportOptions,
    cut: Cut,
    now_us: Micros,
) -> Result<String> {
    let scope = match &options.customer {
        Some(id) => {
            TenantScope::Customer(CustomerId::new(id.as_str()).context("--customer: not a customer id")?)
        }
        None => TenantScope::Operator,
    };
    let read = store.read(scope, cut);
    let (head, sheet) = sheet_of(&read, site, &options.period, options.zone.as_deref(), now_us).await?;
    Ok(render(options.format, &head, &sheet))
}

/// Writes a report in a format.
pub(crate) fn render(format: Format, head: &Head, sheet: &Sheet) -> String {
    match format {
        Format::Table => table::write(head, sheet),
        Format::Csv => csv::write(head, sheet),
        Format::Json => json::write(head, sheet),
    }
}

/// Reads the report of a period with that of the period before.
pub(crate) async fn sheet_of(
    read: &Read,
    site: Option<&str>,
    period: &str,
    zone: Option<&str>,
    now_us: Micros,
) -> Result<(Head, Sheet)> {
    let period = ReportPeriod::parse(period)?;
    let request = PeriodRequest { period, zone, site_id: site, now_us, slots_max: u64::MAX };
    let found = read.period_report(&request).await?;
    let head = Head {
        site_id: site.map(str::to_owned),
        customer_id: read.scope().customer().map(ToString::to_string),
        period: period.to_string(),
        zone: found.zone,
        interval: found.interval,
        goes_on: found.goes_on,
        cut: read.cut().0,
        site_ids: found.site_ids,
    };
    Ok((head, found.sheet))
}
