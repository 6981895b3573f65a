//! The root of all queries.

use async_graphql::{Context, Object};
use wb_clickhouse::read::{PAGE_MAX_ROWS, PageRequest, PeriodRequest};
use wb_metering::report::period::ReportPeriod;

use super::averages::{HashrateAverages, averages_cost};
use super::context::RequestReader;
use super::invoices::{InvoiceView, RunningBillView};
use super::luck::{self, ChainLuck};
use super::pages::{
    CustomerPage, InvoicePage, MachinePage, RunningBillPage, SitePage, WorkerStatisticsPage, page_cost,
    page_request,
};
use super::report::{self, Report};
use super::series::{buckets, selection, series_cost, whole};
use super::time::Time;
use super::types::{Customer, EnergyPoint, HashratePoint, VerdictCount, Viewer};
use crate::error::{ApiError, graphql};

/// The most groups of verdict, reason and chain in one answer, for its cost.
const VERDICT_GROUPS: usize = 40;

/// Usage and bills. All fields of one request are read at one cut, but a report as of an instant, and show what your
/// token allows.
pub(crate) struct Query;

/// Usage and bills. All fields of one request are read at one cut, but a report as of an instant, and show what your
/// token allows.
#[Object]
impl Query {
    /// The cut of this request: the offset in `commits` before which a block must be committed to count.
    async fn cut(&self, context: &Context<'_>) -> async_graphql::Result<String> {
        Ok(reader(context)?.read().await?.cut().0.to_string())
    }

    /// The holder of the token.
    async fn me(&self, context: &Context<'_>) -> async_graphql::Result<Viewer> {
        let reader = reader(context)?;
        let principal = reader.principal();
        let customer = match principal.scope.customer() {
            None => None,
            Some(id) => {
                let one = PageRequest::new(1, None).map_err(failed)?;
                let known = reader.read().await?.customers(&one).await.map_err(failed)?;
                let own = known.rows.into_iter().find(|customer| customer.customer_id == id.as_str());
                Some(own.map_or_else(|| Customer { id: id.to_string(), name: None }, Customer::from))
            }
        };
        Ok(Viewer::new(principal, customer))
    }

    /// The sites where you have machines, in order of id; for an operator all sites.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn sites(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "1 to 1000 rows, default 100.")] first: Option<i32>,
        #[graphql(desc = "The endCursor of the previous page.")] after: Option<String>,
    ) -> async_graphql::Result<SitePage> {
        let page = page_request(first, after)?;
        Ok(reader(context)?.read().await?.sites(&page).await.map_err(failed)?.into())
    }

    /// The machines that are or were yours, in order of id; for an operator all machines.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn machines(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "1 to 1000 rows, default 100.")] first: Option<i32>,
        #[graphql(desc = "The endCursor of the previous page.")] after: Option<String>,
        #[graphql(desc = "Only machines of this site.")] site_id: Option<String>,
    ) -> async_graphql::Result<MachinePage> {
        let page = page_request(first, after)?;
        let read = reader(context)?.read().await?;
        Ok(read.machines(&page, site_id.as_deref()).await.map_err(failed)?.into())
    }

    /// The customers that you may see, in order of id: yourself, or for an operator all customers.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn customers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "1 to 1000 rows, default 100.")] first: Option<i32>,
        #[graphql(desc = "The endCursor of the previous page.")] after: Option<String>,
    ) -> async_graphql::Result<CustomerPage> {
        let page = page_request(first, after)?;
        Ok(reader(context)?.read().await?.customers(&page).await.map_err(failed)?.into())
    }

    /// Accepted work and hashrate over time; buckets without work are left out.
    #[graphql(complexity = "series_cost(from, to, bucket_minutes, child_complexity)")]
    #[allow(clippy::too_many_arguments)]
    async fn hashrate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first instant: a full five minutes.")] from: Time,
        #[graphql(desc = "The first instant after the range: a full five minutes.")] to: Time,
        #[graphql(desc = "A multiple of 5, default 5; at most 2016 buckets.")] bucket_minutes: Option<i32>,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
        #[graphql(desc = "Only this machine.")] machine_id: Option<String>,
        #[graphql(desc = "Only this customer's machines, while they were assigned to it.")]
        customer_id: Option<String>,
    ) -> async_graphql::Result<Vec<HashratePoint>> {
        let range = buckets(from, to, bucket_minutes)?;
        let selection = selection(site_id, machine_id, customer_id)?;
        let points = reader(context)?.read().await?.hashrate(range, &selection).await.map_err(failed)?;
        Ok(points.into_iter().map(HashratePoint::from).collect())
    }

    /// Energy over time; buckets without readings are left out.
    #[graphql(complexity = "series_cost(from, to, bucket_minutes, child_complexity)")]
    #[allow(clippy::too_many_arguments)]
    async fn energy(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first instant: a full five minutes.")] from: Time,
        #[graphql(desc = "The first instant after the range: a full five minutes.")] to: Time,
        #[graphql(desc = "A multiple of 5, default 5; at most 2016 buckets.")] bucket_minutes: Option<i32>,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
        #[graphql(desc = "Only this machine.")] machine_id: Option<String>,
        #[graphql(desc = "Only this customer's machines, while they were assigned to it.")]
        customer_id: Option<String>,
    ) -> async_graphql::Result<Vec<EnergyPoint>> {
        let range = buckets(from, to, bucket_minutes)?;
        let selection = selection(site_id, machine_id, customer_id)?;
        let points = reader(context)?.read().await?.energy(range, &selection).await.map_err(failed)?;
        Ok(points.into_iter().map(EnergyPoint::from).collect())
    }

    /// How many shares were accepted, and why others were not.
    #[graphql(complexity = "VERDICT_GROUPS.saturating_mul(child_complexity)")]
    async fn verdict_counts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first instant: a full five minutes.")] from: Time,
        #[graphql(desc = "The first instant after the range: a full five minutes.")] to: Time,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
        #[graphql(desc = "Only this machine.")] machine_id: Option<String>,
    ) -> async_graphql::Result<Vec<VerdictCount>> {
        let range = whole(from, to)?;
        let selection = selection(site_id, machine_id, None)?;
        let counts = reader(context)?.read().await?.verdicts(range, &selection).await.map_err(failed)?;
        Ok(counts.into_iter().map(VerdictCount::from).collect())
    }

    /// Whether machines' shares are as chance explains: their number against the nameplate, and where their hashes
    /// lie below the target. Lists machines that were yours in the range, in order of id.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    #[allow(clippy::too_many_arguments)]
    async fn worker_statistics(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first instant: a full five minutes.")] from: Time,
        #[graphql(desc = "The first instant after the range: a full five minutes, at most 31 days later.")]
        to: Time,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
        #[graphql(desc = "Only this machine.")] machine_id: Option<String>,
        #[graphql(desc = "1 to 1000 rows, default 100; a page has at most 100.")] first: Option<i32>,
        #[graphql(desc = "The endCursor of the previous page.")] after: Option<String>,
    ) -> async_graphql::Result<WorkerStatisticsPage> {
        let (page, range) = (page_request(first, after)?, whole(from, to)?);
        let selection = selection(site_id, machine_id, None)?;
        let read = reader(context)?.read().await?;
        Ok(read.workers(&page, range, &selection).await.map_err(failed)?.into())
    }

    /// Moving averages of the hashrate at an instant, by chain, over ckpool's windows: 1 m, 5 m, 15 m, 1 h, 6 h, 1 d,
    /// 7 d. They are computed from five-minute sums of the 31 days before the instant. A chain without work in that
    /// time is left out.
    #[graphql(complexity = "averages_cost(child_complexity)")]
    async fn hashrate_averages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The instant, a full five minutes. Work before it counts.")] at: Time,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
        #[graphql(desc = "Only this machine.")] machine_id: Option<String>,
    ) -> async_graphql::Result<Vec<HashrateAverages>> {
        let selection = selection(site_id, machine_id, None)?;
        let work = reader(context)?.read().await?.recent_work(at.0, &selection).await.map_err(failed)?;
        Ok(work.into_iter().map(HashrateAverages::from).collect())
    }

    /// Blocks found against blocks expected, by chain; a chain without accepted work is left out.
    #[graphql(complexity = "luck::CHAINS.saturating_mul(child_complexity)")]
    async fn luck(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first instant: a full five minutes.")] from: Time,
        #[graphql(desc = "The first instant after the range: a full five minutes, at most 31 days later.")]
        to: Time,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
    ) -> async_graphql::Result<Vec<ChainLuck>> {
        let range = whole(from, to)?;
        let selection = selection(site_id, None, None)?;
        let read = reader(context)?.read().await?;
        let work = read.work_under_targets(range, &selection).await.map_err(failed)?;
        luck::by_chain(work).map_err(failed)
    }

    /// The figures of a day, month, quarter or year: output, energy, uptime, GPU time, completeness, the change since
    /// the period before, and comparisons of witnesses. An operator sees sites with their costs and pool earnings; a
    /// customer sees its own machines, while they were assigned to it.
    #[graphql(complexity = "report::report_cost(child_complexity)")]
    async fn report(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A day `2026-10-31`, a month `2026-10`, a quarter `2026-Q3` or a year `2026`.")]
        period: String,
        #[graphql(desc = "Only this site.")] site_id: Option<String>,
        #[graphql(
            desc = "The IANA time zone of its days; for an operator the site's own unless given, else UTC."
        )]
        zone: Option<String>,
        #[graphql(
            desc = "Only what was committed before this instant: the report as it was then. Else at the request's cut."
        )]
        as_of: Option<Time>,
    ) -> async_graphql::Result<Report> {
        let refused = |problem: String| graphql(ApiError::Arguments { problem });
        let period = ReportPeriod::parse(&period).map_err(|error| refused(error.to_string()))?;
        let now_us = jiff::Timestamp::now().as_microsecond();
        let request = PeriodRequest {
            period,
            zone: zone.as_deref(),
            site_id: site_id.as_deref(),
            now_us,
            slots_max: report::SLOTS_MAX,
        };
        let reader = reader(context)?;
        let then = match as_of {
            Some(at) => Some(reader.read_as_of(at.0, now_us).await?),
            None => None,
        };
        let read = match &then {
            Some(read) => read,
            None => reader.read().await?,
        };
        Ok(read.period_report(&request).await.map_err(failed)?.into())
    }

    /// Your invoices in the order of their issue; for an operator all invoices.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only this period, such as `2026-10`.")] period: Option<String>,
        #[graphql(desc = "1 to 1000 rows, default 100.")] first: Option<i32>,
        #[graphql(desc = "The endCursor of the previous page.")] after: Option<String>,
    ) -> async_graphql::Result<InvoicePage> {
        let page = page_request(first, after)?;
        let reader = reader(context)?;
        let (read, ledger_end) = (reader.read().await?, reader.ledger_end().await?);
        Ok(read.invoices(&page, period.as_deref(), ledger_end).await.map_err(failed)?.into())
    }

    /// One invoice; null if you have none with that id.
    async fn invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: String,
    ) -> async_graphql::Result<Option<InvoiceView>> {
        let reader = reader(context)?;
        let (read, ledger_end) = (reader.read().await?, reader.ledger_end().await?);
        Ok(read.invoice(&id, ledger_end).await.map_err(failed)?.map(InvoiceView::from))
    }

    /// The running bills of your contracts' open months; for an operator of all contracts. A closed month is not among
    /// them: it is in review or invoiced.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn running_bills(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only this customer's contracts.")] customer_id: Option<String>,
        #[graphql(desc = "1 to 1000 rows, default 100.")] first: Option<i32>,
        #[graphql(desc = "The endCursor of the previous page.")] after: Option<String>,
    ) -> async_graphql::Result<RunningBillPage> {
        let page = page_request(first, after)?;
        let reader = reader(context)?;
        let (read, ledger_end) = (reader.read().await?, reader.ledger_end().await?);
        let of = (customer_id.as_deref(), None);
        Ok(read.running_bills(&page, of, ledger_end).await.map_err(failed)?.into())
    }

    /// The running bill of a contract's latest open month; null if it has none, or you have no contract with that id.
    async fn running_bill(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The contract's id.")] contract_id: String,
    ) -> async_graphql::Result<Option<RunningBillView>> {
        let page = PageRequest::new(PAGE_MAX_ROWS, None).map_err(failed)?;
        let reader = reader(context)?;
        let (read, ledger_end) = (reader.read().await?, reader.ledger_end().await?);
        let of = (None, Some(contract_id.as_str()));
        let found = read.running_bills(&page, of, ledger_end).await.map_err(failed)?;
        Ok(found.rows.into_iter().next_back().map(RunningBillView::from))
    }
}

fn reader<'a>(context: &Context<'a>) -> async_graphql::Result<&'a RequestReader> {
    context.data::<RequestReader>()
}

fn failed(failure: wb_clickhouse::StoreError) -> async_graphql::Error {
    graphql(ApiError::from(failure))
}
