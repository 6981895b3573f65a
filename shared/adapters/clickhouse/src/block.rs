//! Writing a folded block under an attempt, and checking that what ClickHouse holds is what was
//! folded. A row counts only once its attempt is committed; until then it is garbage.

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
    pub table: &'static str,
    /// Rows that were folded.
    pub folded_rows: usize,
    /// Bytes that were folded.
    pub folded_bytes: usize,
    /// Bytes from the first on that came back the same; one more than were folded where more came back.
    pub equal_bytes: usize,
}

impl Store {
    /// Writes all rows of a block, tagged with the attempt: one INSERT per table, synchronous,
    /// without deduplication.
    ///
    /// # Errors
    /// [`StoreError::Query`]; some rows may have been written. They are never committed: try again
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
            .with_setting("max_partitions_per_insert_block", PARTITIONS_PER_INSERT_MAX.to_string());
        let attempt = attempt.to_le_bytes();
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        for row in table.iter() {
            if !chunk.is_empty() && chunk.len() + attempt.len() + row.len() > CHUNK_BYTES {
                // Sent whole: the client's buffered writer may take a part of what it is given.
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

    /// Reads an attempt of a table back and counts how far it is what was folded.
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
                    // All that was expected came, and more after it.
                    let more = usize::from(same == expected.len());
                    return Ok(done + more);
                }
            }
        }
    }
}
