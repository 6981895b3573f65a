//! Projects winning ledger records into the table for readers.

use wb_ledger::{Applied, Chain, Event, Hash, LedgerRecord, WonRecord, canonical};

use crate::error::BillerError;
use crate::ports::{LedgerLog, LedgerTable};

/// Keeps the table of the ledger up to date with the log.
pub struct Projector<T> {
    table: T,
    chain: Chain,
}

impl<T: LedgerTable> Projector<T> {
    /// Creates a projector for a table. Two may run at once.
    #[must_use]
    pub fn new(table: T) -> Self {
        Self { table, chain: Chain::default() }
    }

    /// Reads the log on and appends the winning records that the table lacks, in offset order. Returns how many.
    ///
    /// After a kill the table holds the first part of the records, and the next run starts after its highest offset.
    /// After a failure the same records are read again.
    ///
    /// # Errors
    /// [`BillerError::Port`] if log or table fail; [`BillerError::Event`] for a winning record of an unknown kind.
    pub async fn project<L: LedgerLog>(&mut self, log: &L) -> Result<u64, BillerError> {
        let mut chain = self.chain.clone();
        let mut winners = Vec::new();
        for (offset, bytes) in log.read_all_from(chain.next_offset()).await? {
            if let Applied::Won { hash, record } = chain.apply(offset, &bytes) {
                winners.push(won(offset, hash, &record)?);
            }
        }
        let inserted = if winners.is_empty() { 0 } else { self.table.append_missing(&winners).await? };
        self.chain = chain;
        Ok(inserted)
    }
}

fn won(offset: u64, hash: Hash, record: &LedgerRecord) -> Result<WonRecord, BillerError> {
    let event =
        Event::read(&record.kind, &record.body).map_err(|source| BillerError::Event { offset, source })?;
    let body = canonical::write(&record.body)
        .map_err(|error| BillerError::Record(wb_ledger::RecordError::Canonical(error)))?;
    Ok(WonRecord {
        ledger_offset: offset,
        record_hash: hash,
        predecessor: record.predecessor,
        kind: event.kind().to_owned(),
        customer_id: event.customer_id().to_owned(),
        invoice_id: event.invoice_id().unwrap_or_default().to_owned(),
        body,
    })
}
