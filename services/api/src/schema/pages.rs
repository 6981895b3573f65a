//! Pages: a bounded list with the cursor of the next one.

use async_graphql::SimpleObject;
use wb_clickhouse::read::{self, PAGE_MAX_ROWS, PageRequest};

use super::invoices::{InvoiceView, RunningBillView};
use super::statistics::WorkerStatistics;
use super::types::{Customer, Machine, Site};
use crate::error::{ApiError, graphql};

/// Rows per page if the query does not state a number.
const PAGE_ROWS: i32 = 100;

/// Reads the arguments `first` and `after`.
pub(super) fn page_request(first: Option<i32>, after: Option<String>) -> async_graphql::Result<PageRequest> {
    let first = u32::try_from(first.unwrap_or(PAGE_ROWS)).unwrap_or(0);
    PageRequest::new(first, after).map_err(|refusal| graphql(ApiError::from(refusal)))
}

/// The cost of a page: its rows times the cost of a row.
pub(super) fn page_cost(first: Option<i32>, child: usize) -> usize {
    let rows = usize::try_from(first.unwrap_or(PAGE_ROWS)).unwrap_or(0);
    let limit = usize::try_from(PAGE_MAX_ROWS).unwrap_or(usize::MAX);
    rows.min(limit).saturating_mul(child).saturating_add(1)
}

macro_rules! page {
    ($(#[$attribute:meta])* $name:ident of $node:ident from $row:ty) => {
        $(#[$attribute])*
        #[derive(SimpleObject)]
        pub(crate) struct $name {
            /// The rows.
            pub(crate) nodes: Vec<$node>,
            /// The `after` of the next page; null if this page is empty.
            pub(crate) end_cursor: Option<String>,
            /// Whether another page follows.
            pub(crate) has_next_page: bool,
        }

        impl From<read::Page<$row>> for $name {
            fn from(page: read::Page<$row>) -> Self {
                Self {
                    nodes: page.rows.into_iter().map($node::from).collect(),
                    end_cursor: page.end_cursor,
                    has_next_page: page.has_next,
                }
            }
        }
    };
}

page! {
    /// A page of sites.
    SitePage of Site from read::Site
}
page! {
    /// A page of machines.
    MachinePage of Machine from read::Machine
}
page! {
    /// A page of customers.
    CustomerPage of Customer from read::Customer
}
page! {
    /// A page of invoices, in order of issue.
    InvoicePage of InvoiceView from wb_ledger::InvoiceHistory
}
page! {
    /// A page of running bills, in order of contract and month.
    RunningBillPage of RunningBillView from read::RunningBill
}

/// A page of machines' statistics.
#[derive(Debug, SimpleObject)]
pub(crate) struct WorkerStatisticsPage {
    /// The rows.
    pub(crate) nodes: Vec<WorkerStatistics>,
    /// The `after` of the next page; null if this page is empty.
    pub(crate) end_cursor: Option<String>,
    /// Whether another page follows.
    pub(crate) has_next_page: bool,
}

impl From<read::Page<read::Worker>> for WorkerStatisticsPage {
    fn from(page: read::Page<read::Worker>) -> Self {
        Self {
            nodes: page.rows.into_iter().map(WorkerStatistics::from).collect(),
            end_cursor: page.end_cursor,
            has_next_page: page.has_next,
        }
    }
}
