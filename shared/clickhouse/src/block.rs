//! Writing a folded block under an attempt, and checking that what ClickHouse holds is what was
//! folded. A row counts only once its attempt is named; until then it is garbage.

use wb_fold::tables::table_hash;
use wb_fold::{BlockId, FoldedBlock, Table};

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// Months that one INSERT may touch: from 2009 to beyond any clock that is let in.
const PARTITIONS_PER_INSERT_MAX: u32 = 1_200;

/// Bytes sent at once.
const CHUNK_BYTES: usize = 1024 * 1024;

/// The tables of a block that do not hold what was folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The table.
    pub table: &'static str,
    /// Rows that were folded.
    pub folded_rows: u64,
    /// Bytes that were folded, and bytes that came back.
    pub bytes: (usize, usize),
}

impl Store {
    /// Writes all rows of a block, tagged with the attempt: one INSERT per table, synchronous,
    /// without deduplication.
    ///
    /// # Errors
    /// [`StoreError::Query`]; some rows may have been written. They are never named: try again
    /// with another attempt.
    pub async fn write_block(&self, block: &FoldedBlock, attempt: u64) -> Result<(), StoreError> {
        for table in &block.tables {
            self.write_table(table, attempt).await?;
        }
        Ok(())
    }

    async fn write_table(&self, table: &Table, attempt: u64) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO {} FORMAT RowBinary", table.name);
        let failed = query_failed("write a block");
        let mut insert = self
            .client()
            .insert_formatted_with(sql)
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "0")
            .with_setting("max_partitions_per_insert_block", PARTITIONS_PER_INSERT_MAX.to_string())
            .buffered_with_capacity(CHUNK_BYTES);
        let body = table.insert_body(attempt);
        for chunk in body.chunks(CHUNK_BYTES) {
            if let Err(error) = insert.write(chunk).await {
                return Err(failed(error));
            }
        }
        insert.end().await.map_err(failed)
    }

    /// Reads an attempt back, all of it but the attempt itself, and compares it with what was
    /// folded. `None` where every table is equal.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verify_block(
        &self,
        block: &FoldedBlock,
        attempt: u64,
    ) -> Result<Option<Mismatch>, StoreError> {
        for table in &block.tables {
            let held = self.read_attempt(table.name, &block.id, attempt).await?;
            let rows = u64::try_from(table.rows()).unwrap_or(u64::MAX);
            let folded = table_hash(table.name, rows, table.content());
            if table_hash(table.name, rows, &held) != folded {
                return Ok(Some(Mismatch {
                    table: table.name,
                    folded_rows: rows,
                    bytes: (table.content().len(), held.len()),
                }));
            }
        }
        Ok(None)
    }

    async fn read_attempt(
        &self,
        table: &'static str,
        id: &BlockId,
        attempt: u64,
    ) -> Result<bytes::Bytes, StoreError> {
        let sql = format!(
            "SELECT * EXCEPT (attempt) FROM {table} \
             WHERE topic = ? AND partition = ? AND block = ? AND attempt = ? ORDER BY idx"
        );
        let failed = query_failed("read a block back");
        let query = self.client().query(&sql).bind(&id.topic).bind(id.partition).bind(id.block).bind(attempt);
        let mut cursor = match query.fetch_bytes("RowBinary") {
            Ok(cursor) => cursor,
            Err(error) => return Err(failed(error)),
        };
        cursor.collect().await.map_err(failed)
    }
}
