//! Reads the quarantine. It holds the events of all tenants, so it is for the operator alone.

use serde::Deserialize;

use crate::client::Store;
use crate::committed::CommittedBlock;
use crate::conditions::committed_among;
use crate::error::{StoreError, query_failed};
use crate::read::Cut;

/// Rows per page of a block's quarantine. A block holds at most about 24 MiB of events.
pub const QUARANTINE_PAGE_ROWS: u32 = 10_000;
/// The most rows of one listing.
pub const QUARANTINE_LIST_MAX: u32 = 10_000;

/// The place of a quarantined event in the log; also its id, shown as `topic/partition/offset/index`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuarantineId {
    pub topic: String,
    pub partition: u32,
    /// The offset of its record.
    pub log_offset: u64,
    /// Its index in its frame; 0 for a record that is not a frame.
    pub frame_index: u32,
}

impl QuarantineId {
    /// Parses an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (topic, partition, offset, index) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = wb_events::topics::EVENT_TOPICS.contains(&topic) && parts.next().is_none();
        let id = Self {
            topic: topic.to_owned(),
            partition: partition.parse().ok()?,
            log_offset: offset.parse().ok()?,
            frame_index: index.parse().ok()?,
        };
        // Only one spelling is valid, because re-drives are looked up by the id.
        (known && id.to_string() == text).then_some(id)
    }
}

impl std::fmt::Display for QuarantineId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}/{}/{}", self.topic, self.partition, self.log_offset, self.frame_index)
    }
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct QuarantineFilter {
    /// Only this code.
    pub code: Option<String>,
    /// Only of this source.
    pub source: Option<String>,
}

/// A quarantined event without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its place in the log.
    pub id: QuarantineId,
    /// The block that refused it.
    pub block: u64,
    /// When the broker appended it, UTC microseconds.
    pub append_time_us: i64,
    /// Its source; empty if it is unknown.
    pub source: String,
    /// The error code.
    pub code: String,
    /// Why it was refused.
    pub reason: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How often it was re-driven.
    pub redrives: u64,
    /// When it was last re-driven, UTC microseconds, and the body of that fact.
    pub last_redrive: Option<(i64, String)>,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct ListRow {
    topic: String,
    partition: u32,
    log_offset: u64,
    frame_index: u32,
    block: u64,
    append_time_us: i64,
    source: String,
    code: String,
    reason: String,
    bytes: u64,
    redrives: u64,
    redriven_us: i64,
    redrive_body: String,
}

/// A quarantined event of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedQuarantined {
    /// Its index in the block.
    pub idx: u32,
    /// The offset of its record.
    pub log_offset: u64,
    /// Its index in its frame.
    pub frame_index: u32,
    /// When the broker appended it, UTC microseconds.
    pub append_time_us: i64,
    /// Its source; empty if it is unknown.
    pub source: String,
    /// The error code.
    pub code: String,
    /// Why it was refused.
    pub reason: String,
    /// Its bytes.
    pub original: Vec<u8>,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct CommittedRow {
    idx: u32,
    log_offset: u64,
    frame_index: u32,
    append_time_us: i64,
    source: String,
    code: String,
    reason: String,
    original_hex: String,
}

fn bytes_of(hex: &str) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; hex.len() / 2];
    faster_hex::hex_decode(hex.as_bytes(), &mut bytes).map_err(|error| StoreError::Row {
        table: "quarantine",
        problem: format!("its bytes cannot be decoded: {error}"),
    })?;
    Ok(bytes)
}

impl Store {
    /// The quarantined events at a cut, latest first, with their re-drives; at most `limit` and
    /// [`QUARANTINE_LIST_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn quarantined(
        &self,
        cut: Cut,
        filter: &QuarantineFilter,
        limit: u32,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let code = if filter.code.is_some() { "code = {code:String}" } else { "1" };
        let source = if filter.source.is_some() { "source = {source:String}" } else { "1" };
        self.quarantined_where(cut, &format!("{code} AND {source}"), limit, |query| {
            let query = match &filter.code {
                Some(code) => query.param("code", code.as_str()),
                None => query,
            };
            match &filter.source {
                Some(source) => query.param("source", source.as_str()),
                None => query,
            }
        })
        .await
    }

    async fn quarantined_where(
        &self,
        cut: Cut,
        condition: &str,
        limit: u32,
        bind: impl FnOnce(clickhouse::query::Query) -> clickhouse::query::Query,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let committed = committed_among("quarantine", condition);
        let is_redrive = "kind = 'redrive'";
        let sql = format!(
            "SELECT topic, partition, log_offset, frame_index, block, append_time_us, source, code, reason,
               bytes, redrives, redriven_us, redrive_body
             FROM (
               SELECT topic, partition, log_offset, frame_index, block, append_time_us, source, code, reason,
                 toUInt64(length(original)) AS bytes,
                 concat(topic, '/', toString(partition), '/', toString(log_offset), '/',
                   toString(frame_index)) AS id
               FROM quarantine WHERE {condition} AND {committed}
               ORDER BY append_time_us DESC, topic DESC, partition DESC, log_offset DESC, frame_index DESC
               LIMIT {{limit:UInt32}}
             ) AS q LEFT JOIN (
               SELECT entity, count() AS redrives, max(valid_from_us) AS redriven_us,
                 argMax(body, (valid_from_us, partition, block, idx)) AS redrive_body
               FROM facts WHERE {is_redrive} AND {} GROUP BY entity
             ) AS r ON r.entity = q.id
             ORDER BY append_time_us DESC, topic DESC, partition DESC, log_offset DESC, frame_index DESC",
            committed_among("facts", is_redrive)
        );
        let query = self.client().query_raw(&sql).param("cut", cut.0);
        let query = bind(query).param("limit", limit.min(QUARANTINE_LIST_MAX));
        let rows: Vec<ListRow> = query.fetch_all().await.map_err(query_failed("list the quarantine"))?;
        let quarantined = |row: ListRow| Quarantined {
            id: QuarantineId {
                topic: row.topic,
                partition: row.partition,
                log_offset: row.log_offset,
                frame_index: row.frame_index,
            },
            block: row.block,
            append_time_us: row.append_time_us,
            source: row.source,
            code: row.code,
            reason: row.reason,
            bytes: row.bytes,
            redrives: row.redrives,
            last_redrive: (row.redrives > 0).then_some((row.redriven_us, row.redrive_body)),
        };
        Ok(rows.into_iter().map(quarantined).collect())
    }

    /// One quarantined event with its bytes; `None` if the cut holds no such id.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`].
    pub async fn quarantined_one(
        &self,
        cut: Cut,
        id: &QuarantineId,
    ) -> Result<Option<(Quarantined, Vec<u8>)>, StoreError> {
        const ONE: &str = "topic = {topic:String} AND partition = {partition:UInt32} \
                           AND log_offset = {offset:UInt64} AND frame_index = {index:UInt32}";
        let bind = |query: clickhouse::query::Query| {
            query
                .param("topic", id.topic.as_str())
                .param("partition", id.partition)
                .param("offset", id.log_offset)
                .param("index", id.frame_index)
        };
        let found = self.quarantined_where(cut, ONE, 1, bind).await?.pop();
        let Some(found) = found else { return Ok(None) };
        let committed = committed_among("quarantine", ONE);
        let sql = format!("SELECT hex(original) FROM quarantine WHERE {ONE} AND {committed} LIMIT 1");
        let query = bind(self.client().query_raw(&sql)).param("cut", cut.0);
        let hex: String = query.fetch_one().await.map_err(query_failed("read the quarantine"))?;
        Ok(Some((found, bytes_of(&hex)?)))
    }

    /// The quarantined events of a committed block, after a place among its rows.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`].
    pub async fn committed_quarantined(
        &self,
        block: &CommittedBlock,
        after: Option<u32>,
    ) -> Result<Vec<CommittedQuarantined>, StoreError> {
        let after = after.map_or_else(|| "1".to_owned(), |idx| format!("idx > {idx}"));
        let sql = format!(
            "SELECT idx, log_offset, frame_index, append_time_us, source, code, reason,
               hex(original) AS original_hex
             FROM quarantine
             WHERE topic = {{topic:String}} AND partition = {{partition:UInt32}} AND block = {{block:UInt64}}
               AND attempt = {{attempt:UInt64}} AND {after}
             ORDER BY idx LIMIT {QUARANTINE_PAGE_ROWS}"
        );
        let query = self.client().query_raw(&sql).param("topic", block.topic.as_str());
        let query = query.param("partition", block.partition).param("block", block.block);
        let query = query.param("attempt", block.attempt);
        let rows: Vec<CommittedRow> =
            query.fetch_all().await.map_err(query_failed("read the quarantine of a block"))?;
        let quarantined = |row: CommittedRow| {
            Ok(CommittedQuarantined {
                idx: row.idx,
                log_offset: row.log_offset,
                frame_index: row.frame_index,
                append_time_us: row.append_time_us,
                source: row.source,
                code: row.code,
                reason: row.reason,
                original: bytes_of(&row.original_hex)?,
            })
        };
        rows.into_iter().map(quarantined).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = QuarantineId::parse("energy/1/20/3").unwrap();
        assert_eq!((id.partition, id.log_offset, id.frame_index), (1, 20, 3));
        assert_eq!(id.to_string(), "energy/1/20/3");
        for wrong in
            ["", "energy", "energy/1/20", "energy/1/20/3/4", "energy/01/20/3", "names/0/1/0", "energy/1/-2/3"]
        {
            assert_eq!(QuarantineId::parse(wrong), None, "{wrong}");
        }
    }
}
