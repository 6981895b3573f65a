//! State that the fields of a request share: the principal, and the cut at which all of them read.

use tokio::sync::OnceCell;
use wb_auth::Principal;
use wb_clickhouse::{Read, Store};

use crate::error::{ApiError, graphql};

/// Reads for one request.
pub(crate) struct RequestReader {
    principal: Principal,
    store: Store,
    read: OnceCell<Read>,
    ledger_end: OnceCell<u64>,
}

impl RequestReader {
    pub(crate) fn new(principal: Principal, store: Store) -> Self {
        Self { principal, store, read: OnceCell::new(), ledger_end: OnceCell::new() }
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

    /// The offset up to which this request reads the ledger. It is found at the first use, once for all fields.
    pub(super) async fn ledger_end(&self) -> async_graphql::Result<u64> {
        let read = self.read().await?;
        let end = async { read.own_ledger_end().await.map_err(ApiError::from) };
        self.ledger_end.get_or_try_init(|| end).await.copied().map_err(graphql)
    }
}
