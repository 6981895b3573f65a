//! `weighbridge report`: a site's or the fleet's figures of a period.

mod amount;
mod csv;
mod json;
mod table;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use wb_auth::{CustomerId, TenantScope};
use wb_clickhouse::read::{ReportRead, ReportRequest};
use wb_clickhouse::{Cut, Read, Store, StoreConfig};
use wb_config::Config;
use wb_metering::report::machine::Rules;
use wb_metering::report::period::ReportPeriod;
use wb_metering::report::sheet::{Sheet, known_part};
use wb_units::{Interval, Micros};

use crate::backends::clickhouse_access;
use crate::cli::print;
use crate::keys::Keys;

/// The time zone of a fleet's periods, and of a site's that has none.
const ZONE: &str = "UTC";

/// Seconds that one query of a report may take.
const QUERY_TIME_S: u32 = 600;

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// One site's report.
    Site {
        /// The site.
        #[arg(long)]
        site: String,
        #[command(flatten)]
        options: ReportOptions,
    },
    /// The report of all sites together.
    Fleet {
        #[command(flatten)]
        options: ReportOptions,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// A day 2026-10-31, a month 2026-10, a quarter 2026-Q3 or a year 2026.
    #[arg(long)]
    period: String,
    /// The time zone of the period's days; the site's own unless given, UTC for the fleet.
    #[arg(long)]
    zone: Option<String>,
    /// Only this customer's machines while they were its own, as it may see them.
    #[arg(long)]
    customer: Option<String>,
    /// As of an offset in `names` instead of now: what was known then.
    #[arg(long)]
    cut: Option<u64>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One line a figure, in whole units.
    Csv,
    /// One object, whole numbers as text.
    Json,
}

/// What a report is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) site_id: Option<String>,
    pub(crate) customer_id: Option<String>,
    pub(crate) period: String,
    pub(crate) zone: String,
    /// The part of the period of which something can be known.
    pub(crate) interval: Interval,
    /// Whether the period goes on.
    pub(crate) goes_on: bool,
    pub(crate) cut: u64,
    pub(crate) site_ids: Vec<String>,
}

/// Prints a report of the running stack.
pub(crate) async fn run(config: &Config, command: &ReportCommand) -> Result<()> {
    let (site, options) = match command {
        ReportCommand::Site { site, options } => (Some(site.as_str()), options),
        ReportCommand::Fleet { options } => (None, options),
    };
    let keys = Keys::open(&config.data_dir)?;
    let access = clickhouse_access(config, &keys)?;
    let mut store = StoreConfig::new(access.url, access.database);
    store.user = access.user;
    store.password = access.password;
    store.max_execution_time_s = QUERY_TIME_S;
    let store = Store::new(store)?;
    store.ping().await.context("ClickHouse cannot be used")?;
    let text = text_of(&store, site, options, now_us()?).await?;
    print(text.trim_end())
}

/// UTC microseconds by this machine's clock.
fn now_us() -> Result<Micros> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = since.context("this machine's clock is before 1970")?;
    Ok(Micros::try_from(since.as_micros())?)
}

/// A report as text.
async fn text_of(
    store: &Store,
    site: Option<&str>,
    options: &ReportOptions,
    now_us: Micros,
) -> Result<String> {
    let scope = match &options.customer {
        Some(id) => TenantScope::Customer(CustomerId::new(id.as_str()).context("--customer: not a customer id")?),
        None => TenantScope::Operator,
    };
    let cut = match options.cut {
        Some(cut) => Cut(cut),
        None => store.cut().await?,
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

/// Reads a report and the one of the period before.
pub(crate) async fn sheet_of(
    read: &Read,
    site: Option<&str>,
    period: &str,
    zone: Option<&str>,
    now_us: Micros,
) -> Result<(Head, Sheet)> {
    let wanted = ReportPeriod::parse(period)?;
    let own_zone = match (zone, site) {
        (None, Some(site)) => read.site_time_zone(site).await?,
        _ => None,
    };
    let zone = zone.map(str::to_owned).or(own_zone).unwrap_or_else(|| ZONE.to_owned());
    let whole = wanted.interval(&zone)?;
    let interval = known_part(whole, now_us)
        .with_context(|| format!("the period {wanted} has not begun in {zone}: there is nothing to report"))?;
    let rules = Rules::default();
    let ask = async |interval: Interval| -> Result<ReportRead> {
        let request = ReportRequest {
            period: interval,
            site_id: site.map(str::to_owned),
            rules: rules.clone(),
            machines_max: usize::MAX,
        };
        Ok(read.report(&request).await?)
    };
    let now = ask(interval).await?;
    let before = match wanted.before() {
        Some(before) => {
            let interval = before.interval(&zone)?;
            // A site that was not there yet has no period before.
            ask(interval).await.ok().map(|read| (read, interval))
        }
        None => None,
    };
    let before = before.as_ref().map(|(read, interval)| (&read.report, *interval));
    let sheet = Sheet::new(&now.report, interval, before, &rules);
    let head = Head {
        site_id: site.map(str::to_owned),
        customer_id: read.scope().customer().map(ToString::to_string),
        period: wanted.to_string(),
        zone,
        interval,
        goes_on: interval != whole,
        cut: read.cut().0,
        site_ids: now.site_ids,
    };
    Ok((head, sheet))
}
