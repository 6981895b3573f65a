//! The biller's ports on Kafka and ClickHouse.

use std::time::Duration;

use wb_billing::PortError;
use wb_billing::ports::{CutSource, LedgerLog};
use wb_clickhouse::conserve::{Breach, WINDOW_COMMITS};
use wb_clickhouse::{Cut, Store};
use wb_events::topics;
use wb_kafka::topics::Partitions;
use wb_kafka::{CommitsView, Log};

/// How long a close waits until everything acknowledged before it is committed and projected.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);
/// The pause between two checks of the projection.
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

/// Determines the cut that contains everything acknowledged so far.
#[derive(Clone)]
pub(crate) struct CommittedCuts {
    pub(crate) commits: CommitsView,
    pub(crate) partitions: Partitions,
    pub(crate) store: Store,
}

/// Figures contradict each other; nothing is billed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotConserved(String);

impl CommittedCuts {
    fn check_no_alarm(&self) -> Result<(), PortError> {
        self.commits.check_no_alarm().map_err(|error| PortError::new("begin to bill", error))
    }

    /// Finds the first breach in the blocks and days behind a bill.
    async fn first_breach(
        &self,
        days: std::ops::RangeInclusive<i32>,
        cut: u64,
    ) -> Result<Option<Breach>, wb_clickhouse::StoreError> {
        let mut from = 0;
        while from < cut {
            let to = cut.min(from.saturating_add(WINDOW_COMMITS));
            let breaches = self.store.check_blocks(Cut(from), Cut(to)).await?;
            if let Some(first) = breaches.into_iter().next() {
                return Ok(Some(first));
            }
            from = to;
        }
        let held = self.store.days().await?;
        for day in held.into_iter().filter(|day| days.contains(day)) {
            if let Some(first) = self.store.check_day(day, Cut(cut)).await?.into_iter().next() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    async fn settle(&self) -> Result<u64, PortError> {
        let cut = self
            .commits
            .settled_cut(&self.partitions)
            .await
            .map_err(|error| PortError::new("wait until everything is committed", error))?;
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

/// Waiting took longer than [`SETTLE_TIMEOUT`].
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-5621")]
#[error(
    "not everything acknowledged was committed within {} seconds: is an aggregator running, and ClickHouse with it?",
    SETTLE_TIMEOUT.as_secs()
)]
struct NotSettled;

impl CutSource for CommittedCuts {
    async fn settled_cut(&self) -> Result<u64, PortError> {
        // While an alarm is set nothing is committed, so waiting would be in vain.
        let caught_up = self.commits.catch_up().await;
        caught_up.map_err(|error| PortError::new("read the commits", error))?;
        self.check_no_alarm()?;
        match tokio::time::timeout(SETTLE_TIMEOUT, self.settle()).await {
            Ok(settled) => settled,
            Err(_) => Err(PortError::new("wait until everything is committed", NotSettled)),
        }
    }

    async fn check_conserved(&self, days: std::ops::RangeInclusive<i32>, cut: u64) -> Result<(), PortError> {
        self.check_no_alarm()?;
        let breach = self.first_breach(days, cut).await;
        let breach = breach.map_err(|error| PortError::new("check the conservation law", error))?;
        let Some(breach) = breach else { return Ok(()) };
        Err(PortError::new("bill", NotConserved(breach.to_string())))
    }
}
