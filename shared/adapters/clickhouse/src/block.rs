//! Writes a folded block under an attempt and verifies that ClickHouse returns what was folded. Rows count only once
//! their attempt is committed.

use wb_fold::{BlockId, FoldedBlock, Table};

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// The most months that one INSERT may touch: from 2009 to beyond any accepted event time.
const PARTITIONS_PER_INSERT_MAX: u32 = 1_200;

/// Bytes per chunk sent.
const CHUNK_BYTES: usize = 1024 * 1024;

/// A table of a block that does not hold what was folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    pub table: &'static str,
    /// Rows that were folded.
    pub folded_rows: usize,
    /// Bytes that were folded.
    pub folded_bytes: usize,
    /// How many bytes from the start are equal. One more than were folded if ClickHouse returned extra bytes.
    pub equal_bytes: usize,
}

impl Store {
    /// Writes all rows of a block, tagged with the attempt: one synchronous INSERT per table, without deduplication.
    ///
    /// # Errors
    /// [`StoreError::Query`]; some rows may have been written. They are never committed: retry with another attempt.
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
            .with_setting("max_partitions_per_insert_block", PARTITIONS_PER_INSERT_MAX.to_string());
        let attempt = attempt.to_le_bytes();
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        for row in table.iter() {
            if !chunk.is_empty() && chunk.len() + attempt.len() + row.len() > CHUNK_BYTES {
                // Sent whole, because the client's buffered writer may accept only a part.
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES));
                if let Err(error) = insert.send(full.into()).await {
                    return Err(failed(error));
                }
            }
            chunk.extend_from_slice(&attempt);
            chunk.extend_from_slice(row);
        }
        if let Err(error) = insert.send(chunk.into()).await {
            return Err(failed(error));
        }
        insert.end().await.map_err(failed)
    }

    /// Reads an attempt back and compares it with what was folded. `None` if all tables are equal.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn verify_block(
        &self,
        block: &FoldedBlock,
        attempt: u64,
    ) -> Result<Option<Mismatch>, StoreError> {
        for table in &block.tables {
            let equal = self.equal_bytes(table, &block.id, attempt).await?;
            if equal != table.content().len() {
                return Ok(Some(Mismatch {
                    table: table.name,
                    folded_rows: table.rows(),
                    folded_bytes: table.content().len(),
                    equal_bytes: equal,
                }));
            }
        }
        Ok(None)
    }

    /// Reads an attempt of a table back and counts the equal bytes from the start.
    async fn equal_bytes(&self, table: &Table, id: &BlockId, attempt: u64) -> Result<usize, StoreError> {
        let sql = format!(
            "SELECT * EXCEPT (attempt) FROM {} \
             WHERE topic = ? AND partition = ? AND block = ? AND attempt = ? ORDER BY idx",
            table.name
        );
        let failed = query_failed("read a block back");
        let query = self.client().query(&sql).bind(&id.topic).bind(id.partition).bind(id.block).bind(attempt);
        let mut cursor = match query.fetch_bytes("RowBinary") {
            Ok(cursor) => cursor,
            Err(error) => return Err(failed(error)),
        };
        let mut expected = table.content();
        loop {
            let chunk = match cursor.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(table.content().len() - expected.len()),
                Err(error) => return Err(failed(error)),
            };
            match expected.strip_prefix(chunk.as_ref()) {
                Some(rest) => expected = rest,
                None => {
                    let same =
                        expected.iter().zip(chunk.iter()).take_while(|(left, right)| left == right).count();
                    let done = table.content().len() - expected.len() + same;
                    // All expected bytes came, and more.
                    let more = usize::from(same == expected.len());
                    return Ok(done + more);
                }
            }
        }
    }
}
