//! The clerk's ports, on Kafka and ClickHouse.

use std::time::Duration;

use wb_billing::PortError;
use wb_billing::ports::{CutSource, LedgerLog};
use wb_clickhouse::Store;
use wb_events::topics;
use wb_kafka::topics::Partitions;
use wb_kafka::{Log, NamesView};

/// How long a close waits for everything acknowledged before it to be named and projected.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);
/// How often the projection is asked for while waiting.
const PROJECTION_PAUSE: Duration = Duration::from_millis(50);

/// The `ledger` topic.
#[derive(Debug, Clone)]
pub(crate) struct LedgerTopic(pub(crate) Log);

impl LedgerLog for LedgerTopic {
    async fn append(&self, bytes: Vec<u8>) -> Result<u64, PortError> {
        self.0
            .append(topics::LEDGER, 0, b"ledger", &bytes, &[("content-type", "application/json")])
            .await
            .map_err(|error| PortError::new("append to the ledger", error))
    }

    async fn read_all_from(&self, offset: u64) -> Result<Vec<(u64, Vec<u8>)>, PortError> {
        let records = self
            .0
            .read_all(topics::LEDGER, 0, offset)
            .await
            .map_err(|error| PortError::new("read the ledger", error))?;
        Ok(records.into_iter().map(|record| (record.offset, record.payload)).collect())
    }
}

/// The cut that contains everything acknowledged so far.
#[derive(Clone)]
pub(crate) struct NamedCuts {
    pub(crate) names: NamesView,
    pub(crate) partitions: Partitions,
    pub(crate) store: Store,
}

impl NamedCuts {
    async fn settle(&self) -> Result<u64, PortError> {
        let cut = self
            .names
            .settled_cut(&self.partitions)
            .await
            .map_err(|error| PortError::new("wait until everything is named", error))?;
        loop {
            let projected =
                self.store.cut().await.map_err(|error| PortError::new("ask for the cut", error))?;
            if projected.0 >= cut {
                return Ok(cut);
            }
            tokio::time::sleep(PROJECTION_PAUSE).await;
        }
    }
}

/// The wait was longer than [`SETTLE_TIMEOUT`].
#[derive(Debug, thiserror::Error)]
#[error(
    "WB-5621 not everything acknowledged was named within {} seconds: is an aggregator running, and ClickHouse with it?",
    SETTLE_TIMEOUT.as_secs()
)]
struct NotSettled;

impl CutSource for NamedCuts {
    async fn settled_cut(&self) -> Result<u64, PortError> {
        match tokio::time::timeout(SETTLE_TIMEOUT, self.settle()).await {
            Ok(settled) => settled,
            Err(_) => Err(PortError::new("wait until everything is named", NotSettled)),
        }
    }
}
