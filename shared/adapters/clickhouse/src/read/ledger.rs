//! Winning records as the ledger holds them, for exports.

use serde::Deserialize;

use super::Read;
use super::invoices::PERIOD_OF_BODY;
use crate::error::StoreError;
use crate::tenant::only_own;

/// The instants that a record may be dated by, as SQL.
const INSTANTS: &str =
    "[JSONExtractInt(body, 'dates', 'issued_us'), JSONExtractInt(body, 'period', 'end_us'),
      JSONExtractInt(body, 'issued_us'), JSONExtractInt(body, 'at_us'), JSONExtractInt(body, 'received_us')]";

/// The most bytes of records that are read at once; one record alone may be larger.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The most records that are read at once.
const BATCH_RECORDS_MAX: usize = 256;

/// Where a record lies, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct RecordPlace {
    /// Its offset in the ledger.
    pub ledger_offset: u64,
    /// Bytes of its body.
    pub bytes: u64,
}

/// A winning record.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct LedgerBody {
    /// Its offset in the ledger.
    pub ledger_offset: u64,
    /// The SHA-256 of the record.
    pub record_hash: [u8; 32],
    /// The kind of event.
    pub kind: String,
    /// Whose it is.
    pub customer_id: String,
    /// Its body, canonical JSON.
    pub body: String,
}

impl Read {
    /// The offset after the last winning record that is projected, whoever it is of: what an export up to
    /// now holds.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn ledger_end(&self) -> Result<u64, StoreError> {
        let sql = "SELECT if(count() = 0, toUInt64(0), max(ledger_offset) + 1) AS ledger_end FROM ledger";
        let rows: Vec<u64> = self.fetch("find the end of the ledger", self.query(sql)).await?;
        Ok(rows.first().copied().unwrap_or(0))
    }

    /// Where the scope's records of some kinds about the invoices of a period lie below an offset, in the order of
    /// the ledger.
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
               WHERE kind = 'invoice_issued' AND {own} AND has({PERIOD_OF_BODY}, {{period:String}})
             )"
        );
        self.places(kinds, &of_period, period, customer, ledger_end).await
    }

    /// Where the scope's records of some kinds that may be dated in a month lie below an offset, in the order of the
    /// ledger. A record has more than one instant: which of them dates it is for the reader to say.
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

    /// The records at the first of some places, as many as may be held at once, and how many they are. Two
    /// projectors may have written one record: it is one here.
    ///
    /// # Errors
    /// [`StoreError::Query`], and [`StoreError::Row`] where one of them is gone.
    pub async fn records_at(
        &self,
        kinds: &[&str],
        places: &[RecordPlace],
    ) -> Result<Vec<LedgerBody>, StoreError> {
        let mut bytes = 0_u64;
        let fits = |place: &&RecordPlace| {
            bytes = bytes.saturating_add(place.bytes);
            bytes <= BATCH_BYTES_MAX
        };
        let count = places.iter().take(BATCH_RECORDS_MAX).take_while(fits).count().max(1).min(places.len());
        let batch = &places[..count];
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(Vec::new()) };
        // Numbers of our own, no text of a caller's.
        let offsets: Vec<String> = batch.iter().map(|place| place.ledger_offset.to_string()).collect();
        let sql = format!(
            "SELECT ledger_offset, record_hash, kind, customer_id, body FROM ledger
             WHERE kind IN {{kinds:Array(String)}} AND {} AND ledger_offset BETWEEN {{first:UInt64}} AND {{last:UInt64}}
               AND ledger_offset IN ({})
             ORDER BY ledger_offset LIMIT 1 BY ledger_offset",
            only_own(&self.scope, "customer_id"),
            offsets.join(", ")
        );
        let query = self.query(&sql).param("first", first.ledger_offset).param("last", last.ledger_offset);
        let rows: Vec<LedgerBody> =
            self.fetch("read records of a period", query.param("kinds", kinds)).await?;
        if rows.len() == batch.len() {
            return Ok(rows);
        }
        let problem = format!(
            "{} of {} records from offset {} on are gone",
            batch.len().saturating_sub(rows.len()),
            batch.len(),
            first.ledger_offset
        );
        Err(StoreError::Row { table: "ledger", problem })
    }
}
