//! Queries of the auditor. They read the tables as they are, with rows of all attempts, committed or not; a few
//! statements repair them.
//!
//! Rows are read whole as RowBinary and hashed here: the same bytes that the fold hashed.

mod layout;

use std::ops::Range;

use clickhouse::query::Query;
use serde::Deserialize;
use wb_events::commits::TopicPartition;
use wb_fold::BlockId;
use wb_fold::tables::{ALL, table_hash};

use crate::client::Store;
use crate::error::{StoreError, query_failed};
use layout::Layout;

/// The longest time of an auditor's query in seconds; some read a whole table.
const AUDIT_TIME_MAX_S: u32 = 3_600;

/// What an attempt of a block holds in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub table: &'static str,
    pub block: u64,
    pub attempt: u64,
    /// How many rows.
    pub rows: u64,
    /// Their hash, as [`table_hash`] makes it.
    pub hash: [u8; 32],
}

/// A part whose files are damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenPart {
    pub table: &'static str,
    /// The part's name.
    pub part: String,
    /// The server's message.
    pub message: String,
}

/// How many rows an attempt has in a table.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct AttemptRows {
    pub block: u64,
    pub attempt: u64,
    pub rows: u64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Checked {
    part_path: String,
    is_passed: bool,
    message: String,
}

/// The tables that are checked for broken parts: those of blocks, and the manifest.
fn checked_tables() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().chain(["manifest"])
}

/// A condition that leaves out broken parts. Part names come from the server.
fn but_parts(broken: &[BrokenPart], table: &str) -> String {
    let names: Vec<String> = broken
        .iter()
        .filter(|part| part.table == table)
        .map(|part| format!("'{}'", part.part.replace(['\'', '\\'], "")))
        .collect();
    if names.is_empty() { String::new() } else { format!("AND _part NOT IN ({})", names.join(", ")) }
}

impl Store {
    fn audit(&self, sql: &str) -> Query {
        let query = self.client().query(sql);
        let query = query.with_setting("max_execution_time", AUDIT_TIME_MAX_S.to_string());
        query.with_setting("max_result_rows", "0")
    }

    /// Checks all parts of the tables of blocks and of the manifest against their checksums.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn broken_parts(&self) -> Result<Vec<BrokenPart>, StoreError> {
        let mut broken = Vec::new();
        for table in checked_tables() {
            let check = self.audit(&format!("CHECK TABLE {table}"));
            let check = check.with_setting("check_query_single_value_result", "0");
            let parts: Vec<Checked> =
                check.fetch_all().await.map_err(query_failed("check the parts of a table"))?;
            let failed = parts.into_iter().filter(|part| !part.is_passed);
            broken.extend(failed.map(|part| BrokenPart {
                table,
                part: part.part_path,
                message: part.message,
            }));
        }
        Ok(broken)
    }

    /// Detaches a part. Its files stay on the server as evidence.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn detach_part(&self, part: &BrokenPart) -> Result<(), StoreError> {
        let sql = format!("ALTER TABLE {} DETACH PART ?", part.table);
        self.audit(&sql).bind(&part.part).execute().await.map_err(query_failed("take a broken part out"))
    }

    /// What each attempt of some blocks of a partition holds, in the order of tables, blocks and attempts. Parts
    /// known to be broken are left out.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Schema`] for a table with columns of an unknown type.
    pub async fn held(
        &self,
        chain: &TopicPartition,
        blocks: Range<u64>,
        broken: &[BrokenPart],
    ) -> Result<Vec<Held>, StoreError> {
        let mut held = Vec::new();
        for table in ALL {
            let layout = self.layout(table).await?;
            let sql = format!(
                "SELECT block AS audited_block, attempt AS audited_attempt, * EXCEPT (attempt) FROM {table} \
                 WHERE topic = ? AND partition = ? AND block >= ? AND block < ? {} \
                 ORDER BY audited_block, audited_attempt, idx",
                but_parts(broken, table)
            );
            let query = self.audit(&sql).bind(&chain.topic).bind(chain.partition);
            let query = query.bind(blocks.start).bind(blocks.end);
            let mut open: Option<(u64, u64, u64, Vec<u8>)> = None;
            let mut close = |open: &mut Option<(u64, u64, u64, Vec<u8>)>| {
                if let Some((block, attempt, rows, content)) = open.take() {
                    held.push(Held { table, block, attempt, rows, hash: table_hash(table, rows, &content) });
                }
            };
            self.rows_of(table, query, &layout.after_two_numbers(), |row| {
                let Some((block, attempt, content)) = layout::split_two_numbers(row) else { return };
                if open.as_ref().is_none_or(|(last, by, ..)| (*last, *by) != (block, attempt)) {
                    close(&mut open);
                    open = Some((block, attempt, 0, Vec::new()));
                }
                if let Some((_, _, rows, all)) = &mut open {
                    *rows = rows.saturating_add(1);
                    all.extend_from_slice(content);
                }
            })
            .await?;
            close(&mut open);
        }
        Ok(held)
    }

    /// The attempts of a partition's blocks from a number on, by table. If that number is the next block, these
    /// blocks are not committed.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn attempts_from(
        &self,
        chain: &TopicPartition,
        block: u64,
        broken: &[BrokenPart],
    ) -> Result<Vec<(&'static str, AttemptRows)>, StoreError> {
        let mut found = Vec::new();
        for table in ALL {
            let sql = format!(
                "SELECT block, attempt, count() AS rows FROM {table} \
                 WHERE topic = ? AND partition = ? AND block >= ? {} \
                 GROUP BY block, attempt ORDER BY block, attempt",
                but_parts(broken, table)
            );
            let query = self.audit(&sql).bind(&chain.topic).bind(chain.partition).bind(block);
            let attempts: Vec<AttemptRows> =
                query.fetch_all().await.map_err(query_failed("look for attempts"))?;
            found.extend(attempts.into_iter().map(|attempt| (table, attempt)));
        }
        Ok(found)
    }

    /// Removes all rows of an attempt from all tables.
    ///
    /// # Errors
    /// [`StoreError::Query`]; some may have been removed.
    pub async fn remove_attempt(&self, id: &BlockId, attempt: u64) -> Result<(), StoreError> {
        let attempt_of = "WHERE topic = ? AND partition = ? AND block = ? AND attempt = ?";
        for table in ALL {
            let of_attempt = |sql: &str| {
                let query = self.audit(&format!("{sql} {table} {attempt_of}"));
                query.bind(&id.topic).bind(id.partition).bind(id.block).bind(attempt)
            };
            // Counted first: a removal rewrites parts even if no row matches.
            let count = of_attempt("SELECT count() FROM").fetch_one().await;
            let rows: u64 = count.map_err(query_failed("count the rows of an attempt"))?;
            if rows > 0 {
                let delete = of_attempt("DELETE FROM");
                delete.execute().await.map_err(query_failed("remove an attempt"))?;
            }
        }
        Ok(())
    }

    /// The stored rows of the manifest for a range of offsets of `commits`, in the order of their offsets. The offset
    /// is the first column.
    ///
    /// # Errors
    /// As [`Store::held`].
    pub async fn manifest_rows(
        &self,
        offsets: Range<u64>,
        broken: &[BrokenPart],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let layout = self.layout("manifest").await?;
        let sql = format!(
            "SELECT DISTINCT * FROM manifest WHERE commit_offset >= ? AND commit_offset < ? {} ORDER BY ALL",
            but_parts(broken, "manifest")
        );
        let query = self.audit(&sql).bind(offsets.start).bind(offsets.end);
        let mut rows = Vec::new();
        self.rows_of("manifest", query, &layout, |row| rows.push(row.to_vec())).await?;
        Ok(rows)
    }

    /// Removes the rows of the manifest for an offset of `commits`.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn remove_manifest_row(&self, commit_offset: u64) -> Result<(), StoreError> {
        // A lightweight delete does not work on a table with a projection.
        let delete =
            self.audit("ALTER TABLE manifest DELETE WHERE commit_offset = ? SETTINGS mutations_sync = 1");
        let delete = delete.bind(commit_offset);
        delete.execute().await.map_err(query_failed("remove a row of the manifest"))
    }

    /// A table of this schema that has rows, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn table_with_rows(&self) -> Result<Option<&'static str>, StoreError> {
        for table in checked_tables().chain(["ledger"]) {
            let count = self.audit(&format!("SELECT count() FROM {table}"));
            let rows: u64 = count.fetch_one().await.map_err(query_failed("count rows"))?;
            if rows > 0 {
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    /// How many records the table `ledger` has, and a checksum over them.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn ledger_digest(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT count(), sum(cityHash64(*)) FROM (SELECT DISTINCT * FROM ledger)";
        self.audit(sql).fetch_one().await.map_err(query_failed("sum the ledger up"))
    }

    async fn layout(&self, table: &'static str) -> Result<Layout, StoreError> {
        let sql = "SELECT type FROM system.columns WHERE database = ? AND table = ? AND name != 'attempt' \
                   ORDER BY position";
        // In the manifest, `attempt` is an ordinary column.
        let sql =
            if table == "manifest" { sql.replace("AND name != 'attempt' ", "") } else { sql.to_owned() };
        let types: Vec<String> = self
            .audit(&sql)
            .bind(self.database())
            .bind(table)
            .fetch_all()
            .await
            .map_err(query_failed("describe its tables"))?;
        Layout::of(&types).map_err(|problem| StoreError::Schema { table, problem })
    }

    /// Passes each row of a RowBinary answer to `take`.
    async fn rows_of(
        &self,
        table: &'static str,
        query: Query,
        layout: &Layout,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let failed = query_failed("read its rows back");
        let mut cursor = match query.fetch_bytes("RowBinary") {
            Ok(cursor) => cursor,
            Err(error) => return Err(failed(error)),
        };
        let mut waiting: Vec<u8> = Vec::new();
        loop {
            let chunk = match cursor.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(failed(error)),
            };
            waiting.extend_from_slice(&chunk);
            let mut taken = 0;
            while let Some(length) = layout.row_bytes(&waiting[taken..]) {
                take(&waiting[taken..taken + length]);
                taken += length;
            }
            waiting.drain(..taken);
        }
        if waiting.is_empty() {
            return Ok(());
        }
        Err(StoreError::Row { table, problem: "an answer ended in the middle of a row".to_owned() })
    }
}
