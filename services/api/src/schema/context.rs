//! State that the fields of a request share: the principal, and the cut at which all of them read.

use tokio::sync::OnceCell;
use wb_auth::Principal;
use wb_clickhouse::{Cut, Read, Store};
use wb_units::Micros;

use crate::cuts::CommitsAt;
use crate::error::{ApiError, graphql};

/// Reads for one request.
pub(crate) struct RequestReader {
    principal: Principal,
    store: Store,
    commits_at: CommitsAt,
    read: OnceCell<Read>,
    ledger_end: OnceCell<u64>,
}

impl RequestReader {
    pub(crate) fn new(principal: Principal, store: Store, commits_at: CommitsAt) -> Self {
        Self { principal, store, commits_at, read: OnceCell::new(), ledger_end: OnceCell::new() }
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The reader at the request's cut. The cut is chosen at the first use, once for all fields.
    pub(super) async fn read(&self) -> async_graphql::Result<&Read> {
        let choose = async {
            let cut = self.store.cut().await?;
            Ok::<_, ApiError>(self.store.read(self.principal.scope.clone(), cut))
        };
        self.read.get_or_try_init(|| choose).await.map_err(graphql)
    }

    /// A reader as of an instant: of what was committed before it.
    pub(super) async fn read_as_of(&self, at_us: Micros, now_us: Micros) -> async_graphql::Result<Read> {
        let find = async {
            let first_offset = (self.commits_at)(at_us).await.map_err(|error| {
                tracing::error!(
                    error = &*error as &dyn std::error::Error,
                    "the cut of an instant was not found"
                );
                ApiError::Log
            })?;
            let cut = Cut::as_of(at_us, now_us, first_offset)?;
            Ok::<_, ApiError>(self.store.read(self.principal.scope.clone(), cut))
        };
        find.await.map_err(graphql)
    }

    /// The offset up to which this request reads the ledger. It is found at the first use, once for all fields.
    pub(super) async fn ledger_end(&self) -> async_graphql::Result<u64> {
        let read = self.read().await?;
        let end = async { read.own_ledger_end().await.map_err(ApiError::from) };
        self.ledger_end.get_or_try_init(|| end).await.copied().map_err(graphql)
    }
}
