//! Reads winning records of the ledger.

use serde::Deserialize;
use wb_ledger::{Event, Hash};

use super::Read;
use crate::error::StoreError;
use crate::tenant::only_own;

/// The columns of a record, in the order of [`Row`].
pub(super) const COLUMNS: &str = "ledger_offset, record_hash, kind, body";

/// The period of an invoice, as SQL.
pub(super) const PERIOD: &str = "JSONExtractString(body, 'period', 'text')";

/// The instants by which a record may be dated, as SQL.
const INSTANTS: &str =
    "[JSONExtractInt(body, 'dates', 'issued_us'), JSONExtractInt(body, 'period', 'end_us'),
      JSONExtractInt(body, 'issued_us'), JSONExtractInt(body, 'at_us'), JSONExtractInt(body, 'received_us')]";

/// The most bytes of records that are read at once; a single record may be larger.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The most records that are read at once.
const BATCH_RECORDS_MAX: usize = 256;

/// The legal entity of an invoice, a payment or an opening balance.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct Owner {
    /// The id of the document.
    pub id: String,
    pub legal_entity: String,
}

/// The offset and length of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct RecordPlace {
    pub ledger_offset: u64,
    /// Bytes of its body.
    pub bytes: u64,
}

/// A winning record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    pub ledger_offset: u64,
    /// The SHA-256 of the record.
    pub record_hash: Hash,
    /// The recorded event.
    pub event: Event,
}

#[derive(clickhouse::Row, Deserialize)]
pub(super) struct Row {
    pub(super) ledger_offset: u64,
    record_hash: [u8; 32],
    kind: String,
    body: String,
}

/// An error for a record that this product never writes.
pub(super) fn broken(problem: String) -> StoreError {
    StoreError::Row { table: "ledger", problem }
}

impl Read {
    /// The offset after the last projected record of any customer: the end of an export up to the present.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn ledger_end(&self) -> Result<u64, StoreError> {
        let sql = "SELECT if(count() = 0, toUInt64(0), max(ledger_offset) + 1) AS ledger_end FROM ledger";
        let rows: Vec<u64> = self.fetch("find the end of the ledger", self.query(sql)).await?;
        Ok(rows.first().copied().unwrap_or(0))
    }

    /// The offset after the last record that the scope may read. For a customer only its own part of the table is
    /// read, not the whole ledger.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn own_ledger_end(&self) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT if(count() = 0, toUInt64(0), max(ledger_offset) + 1) AS ledger_end FROM ledger WHERE {}",
            only_own(&self.scope, "customer_id")
        );
        let rows: Vec<u64> = self.fetch("find the end of the ledger", self.query(&sql)).await?;
        Ok(rows.first().copied().unwrap_or(0))
    }

    /// The places of the scope's records of some kinds about invoices of a period, below an offset, in order.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn invoice_places(
        &self,
        kinds: &[&str],
        period: &str,
        customer: Option<&str>,
        ledger_end: u64,
    ) -> Result<Vec<RecordPlace>, StoreError> {
        let own = only_own(&self.scope, "customer_id");
        let of_period = format!(
            "invoice_id IN (
               SELECT invoice_id FROM ledger
               WHERE kind = 'invoice_issued' AND {own} AND {PERIOD} = {{period:String}}
             )"
        );
        self.places(kinds, &of_period, period, customer, ledger_end).await
    }

    /// The places of the scope's records of some kinds that may be dated in a month, below an offset, in order. A
    /// record has several instants; the reader decides which one dates it.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn dated_places(
        &self,
        kinds: &[&str],
        month: &str,
        customer: Option<&str>,
        ledger_end: u64,
    ) -> Result<Vec<RecordPlace>, StoreError> {
        let of_month = format!(
            "arrayExists(at_us -> formatDateTime(fromUnixTimestamp64Micro(at_us, 'UTC'), '%Y-%m') = {{period:String}},
               {INSTANTS})"
        );
        self.places(kinds, &of_month, month, customer, ledger_end).await
    }

    /// The legal entities of those invoices, payments and opening balances of the scope below an offset that a record
    /// without a legal entity is about.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn owners(&self, ledger_end: u64) -> Result<Vec<Owner>, StoreError> {
        let own = only_own(&self.scope, "customer_id");
        let sql = format!(
            "SELECT if(kind = 'payment_received', JSONExtractString(body, 'payment_id'), invoice_id) AS id,
                    any(JSONExtractString(body, 'legal_entity')) AS legal_entity
             FROM ledger
             WHERE kind IN ('invoice_issued', 'payment_received', 'opening_recorded') AND {own}
               AND ledger_offset < {{ledger_end:UInt64}}
               AND id IN (
                 SELECT if(startsWith(kind, 'invoice_'), invoice_id, JSONExtractString(body, 'payment_id'))
                 FROM ledger
                 WHERE kind IN ('invoice_written_off', 'invoice_write_off_reversed', 'payment_allocated',
                                'payment_released', 'payment_reversed', 'refund_paid', 'refund_reversed')
                   AND {own} AND ledger_offset < {{ledger_end:UInt64}}
               )
             GROUP BY id"
        );
        self.fetch("find the legal entities of documents", self.query(&sql).param("ledger_end", ledger_end))
            .await
    }

    async fn places(
        &self,
        kinds: &[&str],
        condition: &str,
        period: &str,
        customer: Option<&str>,
        ledger_end: u64,
    ) -> Result<Vec<RecordPlace>, StoreError> {
        let sql = format!(
            "SELECT ledger_offset, max(toUInt64(length(body))) AS bytes FROM ledger
             WHERE kind IN {{kinds:Array(String)}} AND {} AND ledger_offset < {{ledger_end:UInt64}}
               AND ({{customer:String}} = '' OR customer_id = {{customer:String}}) AND {condition}
             GROUP BY ledger_offset ORDER BY ledger_offset",
            only_own(&self.scope, "customer_id")
        );
        let query = self.query(&sql).param("kinds", kinds).param("period", period);
        let query = query.param("ledger_end", ledger_end).param("customer", customer.unwrap_or_default());
        self.fetch("find the records of a period", query).await
    }

    /// Takes as many of the first places as fit in one batch, and reads the scope's records there. A record that two
    /// projectors wrote comes once.
    ///
    /// # Errors
    /// [`StoreError::Query`], and [`StoreError::Row`] if a record is missing or is not one of the ledger.
    pub async fn entries_at(
        &self,
        kinds: &[&str],
        places: &mut Vec<RecordPlace>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut bytes = 0_u64;
        let fits = |place: &&RecordPlace| {
            bytes = bytes.saturating_add(place.bytes);
            bytes <= BATCH_BYTES_MAX
        };
        let count = places.iter().take(BATCH_RECORDS_MAX).take_while(fits).count().max(1).min(places.len());
        let batch: Vec<RecordPlace> = places.drain(..count).collect();
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(Vec::new()) };
        // Numbers of our own, not a caller's text.
        let offsets: Vec<String> = batch.iter().map(|place| place.ledger_offset.to_string()).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM ledger
             WHERE kind IN {{kinds:Array(String)}} AND {} AND ledger_offset BETWEEN {{first:UInt64}} AND {{last:UInt64}}
               AND ledger_offset IN ({})
             ORDER BY ledger_offset LIMIT 1 BY ledger_offset",
            only_own(&self.scope, "customer_id"),
            offsets.join(", ")
        );
        let query = self.query(&sql).param("first", first.ledger_offset).param("last", last.ledger_offset);
        let rows: Vec<Row> = self.fetch("read records of a period", query.param("kinds", kinds)).await?;
        if rows.len() != batch.len() {
            return Err(broken(format!(
                "{} of {} records from offset {} on are missing",
                batch.len().saturating_sub(rows.len()),
                batch.len(),
                first.ledger_offset
            )));
        }
        rows.into_iter().filter_map(|row| self.entry(row).transpose()).collect()
    }

    /// The event of a row. The customer is checked again in the document, after the column selected the row.
    pub(super) fn entry(&self, row: Row) -> Result<Option<LedgerEntry>, StoreError> {
        let event = Event::read_text(&row.kind, &row.body)
            .map_err(|error| broken(format!("offset {}: {error}", row.ledger_offset)))?;
        let record_hash = Hash::from_bytes(row.record_hash);
        let entry = LedgerEntry { ledger_offset: row.ledger_offset, record_hash, event };
        Ok(self.is_own(entry.event.customer_id()).then_some(entry))
    }

    /// Whether the scope includes a customer.
    pub(super) fn is_own(&self, customer_id: &str) -> bool {
        self.scope.customer().is_none_or(|own| own.as_str() == customer_id)
    }
}
