//! Winning ledger records into ClickHouse's table `ledger`.

use clickhouse::{Client, Row};
use serde::Serialize;
use wb_ledger::{Applied, Chain, Event, Hash, canonical};

use crate::error::{BillerError, PortError};
use crate::ports::LedgerLog;

/// Keeps the table `ledger` in step with the log. Two may run at once: a record inserted twice is
/// read once (`LIMIT 1 BY ledger_offset`).
pub struct Projector {
    client: Client,
    chain: Chain,
}

#[derive(Row, Serialize)]
struct LedgerRow {
    ledger_offset: u64,
    record_hash: [u8; 32],
    predecessor: [u8; 32],
    kind: String,
    customer_id: String,
    invoice_id: String,
    body: String,
}

impl Projector {
    /// Writes through a client whose URL and database are configured.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let client = client
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "0")
            .with_setting("max_insert_threads", "1");
        Self { client, chain: Chain::default() }
    }

    /// Reads the log on and inserts the winners that the table lacks, in offset order. Returns how
    /// many were inserted.
    ///
    /// Killed in between, the table holds a beginning of the winners: the next run starts after its
    /// highest offset. A run that failed reads the same records again.
    ///
    /// # Errors
    /// [`BillerError::Port`] where log or table fail; [`BillerError::Event`] for a winning record of an
    /// unknown kind.
    pub async fn project<L: LedgerLog>(&mut self, log: &L) -> Result<u64, BillerError> {
        let mut chain = self.chain.clone();
        let mut winners = Vec::new();
        for (offset, bytes) in log.read_all_from(chain.next_offset()).await? {
            if let Applied::Won { hash, record } = chain.apply(offset, &bytes) {
                let event = Event::read(&record.kind, &record.body)
                    .map_err(|source| BillerError::Event { offset, source })?;
                winners.push(row(offset, hash, record.predecessor, &event, &record.body)?);
            }
        }
        let inserted = if winners.is_empty() { 0 } else { self.insert(winners).await? };
        self.chain = chain;
        Ok(inserted)
    }

    async fn insert(&self, mut winners: Vec<LedgerRow>) -> Result<u64, BillerError> {
        let next = self
            .client
            .query("SELECT if(count() = 0, toUInt64(0), max(ledger_offset) + 1) FROM ledger")
            .fetch_one::<u64>()
            .await
            .map_err(|error| PortError::new("reading the end of ClickHouse's table ledger", error))?;
        winners.retain(|row| row.ledger_offset >= next);
        let failed = |error| PortError::new("inserting into ClickHouse's table ledger", error);
        if winners.is_empty() {
            return Ok(0);
        }
        let mut insert = self.client.insert::<LedgerRow>("ledger").await.map_err(failed)?;
        for row in &winners {
            insert.write(row).await.map_err(failed)?;
        }
        insert.end().await.map_err(failed)?;
        Ok(u64::try_from(winners.len()).unwrap_or(u64::MAX))
    }
}

fn row(
    ledger_offset: u64,
    hash: Hash,
    predecessor: Hash,
    event: &Event,
    body: &serde_json::Value,
) -> Result<LedgerRow, BillerError> {
    let body = canonical::write(body)
        .map_err(|error| BillerError::Record(wb_ledger::RecordError::Canonical(error)))?;
    Ok(LedgerRow {
        ledger_offset,
        record_hash: *hash.as_bytes(),
        predecessor: *predecessor.as_bytes(),
        kind: event.kind().to_owned(),
        customer_id: event.customer_id().to_owned(),
        invoice_id: event.invoice_id().unwrap_or_default().to_owned(),
        body,
    })
}
