//! The query builder.
//!
//! A [`Read`] has a scope, which limits the visible rows, and a cut. Every query is built from the parts in `parts`,
//! which apply both, and is sent by `Read::fetch`, which sets their parameters. No value of a caller is written into
//! SQL: values are query parameters.

mod energy;
mod facts;
mod gpu_samples;
mod hashrate;
mod invoices;
mod ledger;
mod luck;
mod parts;
mod range;
mod readings;
mod recent;
mod report;
mod running;
mod samples;
mod spans;
mod times;
mod verdicts;
mod work;
mod workers;

use std::sync::Arc;

use clickhouse::query::Query;
use clickhouse::{Client, RowOwned, RowRead};
use tokio::sync::OnceCell;
use wb_auth::TenantScope;
use wb_units::Micros;
use wb_units::time::rfc3339;

use crate::corrections::CorrectionsAt;
use crate::error::{StoreError, query_failed};
use crate::sealed::sealed_cut_query;
use crate::tenant::CUSTOMER_PARAMETER;

pub(crate) use readings::ReadingsOf;
pub(crate) use work::{ACCEPTED, WorkRow};

pub use energy::{ENERGY_GAP_MAX_US, EnergyPoint};
pub use facts::{Customer, Machine, Site};
pub use hashrate::{HashratePoint, hashes_per_second};
pub use ledger::{LedgerEntry, Owner, RecordPlace};
pub use luck::WorkUnderTarget;
pub use range::{Bucket, MAX_BUCKETS, PAGE_MAX_ROWS, Page, PageRequest, STATISTICS_MAX_US, SeriesRange};
pub use recent::RecentWork;
pub use report::{PeriodReport, PeriodRequest, ReportRead, ReportRequest};
pub use running::{RunningBill, RunningBillRow};
pub use verdicts::VerdictCount;
pub use workers::{Assigned, ChainWork, POSITION_MAX_SHARES, WORKERS_PAGE_MAX_ROWS, Worker};

/// An offset in `commits`: what was committed before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cut(pub u64);

impl Cut {
    /// The cut of an instant, from the first offset in `commits` that was appended at or after it.
    ///
    /// # Errors
    /// [`StoreError::AsOf`] if nothing was committed before it, or if it is after the present: other commits may still
    /// come before it.
    pub fn as_of(at_us: Micros, now_us: Micros, first_offset: u64) -> Result<Self, StoreError> {
        let refused = |problem| Err(StoreError::AsOf { at: rfc3339(at_us), problem });
        if at_us > now_us {
            return refused("it is still to come");
        }
        if first_offset == 0 {
            return refused("nothing was committed before it");
        }
        Ok(Self(first_offset))
    }
}

/// A restriction within the scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// No restriction.
    #[default]
    All,
    Site(String),
    Machine(String),
    /// The machines of one customer, while they were assigned to it.
    Customer(String),
}

/// A reader for one tenant at one cut.
#[derive(Clone)]
pub struct Read {
    client: Client,
    scope: TenantScope,
    cut: Cut,
    /// Read once: at one cut they never change.
    corrections: Arc<OnceCell<CorrectionsAt>>,
}

impl Read {
    pub(crate) fn new(client: Client, scope: TenantScope, cut: Cut) -> Self {
        Self { client, scope, cut, corrections: Arc::default() }
    }

    /// The cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// Starts a query that may use the parameters of scope and cut.
    pub(crate) fn query(&self, sql: &str) -> Query {
        let query = self.client.query_raw(sql).param("cut", self.cut.0);
        match &self.scope {
            TenantScope::Operator => query,
            TenantScope::Customer(customer) => query.param(CUSTOMER_PARAMETER, customer.as_str()),
        }
    }

    /// Runs a query; `what` completes "ClickHouse could not ...".
    pub(crate) async fn fetch<T: RowOwned + RowRead>(
        &self,
        what: &'static str,
        query: Query,
    ) -> Result<Vec<T>, StoreError> {
        query.with_setting("log_comment", what).fetch_all().await.map_err(query_failed(what))
    }

    /// Runs a query that reads sealed days as far as possible; see [`crate::sealed`].
    async fn fetch_counted<T: RowOwned + RowRead>(
        &self,
        what: &'static str,
        query: Query,
    ) -> Result<Vec<T>, StoreError> {
        let sealed_cut = self.client.query_raw(&sealed_cut_query()).param("cut", self.cut.0);
        let sealed_cut: u64 = sealed_cut.fetch_one().await.map_err(query_failed("find the latest seals"))?;
        let query = self.corrections().await?.bind(query.param("sealed_cut", sealed_cut));
        self.fetch(what, query).await
    }

    /// The corrections in force at the cut.
    ///
    /// # Errors
    /// As [`CorrectionsAt::read`].
    pub(crate) async fn corrections(&self) -> Result<&CorrectionsAt, StoreError> {
        self.corrections.get_or_try_init(|| CorrectionsAt::read(&self.client, self.cut.0)).await
    }
}

/// Binds a selection's value.
fn bind_selection(query: Query, selection: &Selection) -> Query {
    match selection {
        Selection::All => query,
        Selection::Site(id) | Selection::Machine(id) | Selection::Customer(id) => {
            query.param(parts::SELECTED_PARAMETER, id.as_str())
        }
    }
}
