//! Facts as they were recorded, with their sender's count.

use clickhouse::Client;
use clickhouse::query::Query;
use serde::Deserialize;
use wb_counted::{BlockId, FactRow};
use wb_events::identity::id_of;
use wb_metering::corrections::{EventId, Recorded};
use wb_units::Micros;

use crate::conditions::committed_among;
use crate::error::{StoreError, query_failed};

/// Facts of some kinds.
const OF_KINDS: &str = "kind IN {kinds:Array(String)}";

/// Facts of some kinds about some entities.
const OF_ENTITIES: &str = "kind IN {kinds:Array(String)} AND entity IN {entities:Array(String)}";

/// A fact, with the attempt that wrote it.
#[derive(Debug, Clone, clickhouse::Row, Deserialize)]
pub(crate) struct RecordedFact {
    pub(crate) kind: String,
    source: String,
    source_epoch: u64,
    source_key: String,
    sequence: u64,
    pub(crate) topic: String,
    partition: u32,
    block: u64,
    pub(crate) attempt: u64,
    idx: u32,
    pub(crate) entity: String,
    pub(crate) valid_from_us: Micros,
    pub(crate) valid_to_us: Option<Micros>,
    pub(crate) body: String,
}

fn select(condition: &str) -> String {
    format!(
        "SELECT toString(facts.kind) AS kind, toString(source) AS source, source_epoch, source_key, sequence, \
           toString(topic) AS topic, partition, block, attempt, idx, entity, valid_from_us, valid_to_us, body \
         FROM facts WHERE {condition}"
    )
}

impl RecordedFact {
    /// Facts of some kinds that count at a cut, in any order; with `entities`, only those about them.
    pub(crate) async fn read(
        client: &Client,
        kinds: &[&str],
        entities: Option<&[String]>,
        cut: u64,
    ) -> Result<Vec<Self>, StoreError> {
        let own = if entities.is_some() { OF_ENTITIES } else { OF_KINDS };
        let sql = select(&format!("facts.{own} AND {}", committed_among("facts", own)));
        let query = client.query_raw(&sql).param("cut", cut);
        let query = match entities {
            Some(entities) => query.param("entities", entities),
            None => query,
        };
        Self::fetch(query, kinds).await
    }

    /// Facts of some kinds of all attempts, committed or not; the caller checks the commits.
    pub(crate) async fn read_attempts(client: &Client, kinds: &[&str]) -> Result<Vec<Self>, StoreError> {
        Self::fetch(client.query_raw(&select(&format!("facts.{OF_KINDS}"))), kinds).await
    }

    async fn fetch(query: Query, kinds: &[&str]) -> Result<Vec<Self>, StoreError> {
        let query = query.param("kinds", kinds).with_setting("max_result_rows", "0");
        let query = query.with_setting("max_threads", "1").with_setting("log_comment", "read facts");
        query.fetch_all().await.map_err(query_failed("read facts"))
    }

    /// The event's identity.
    pub(crate) fn id(&self) -> EventId {
        id_of(&self.source, self.source_epoch, &self.source_key, self.sequence)
    }

    /// The place by which the facts of an entity are ordered.
    pub(crate) fn recorded(&self) -> Recorded {
        Recorded { partition: self.partition, block: self.block, idx: self.idx }
    }

    /// The block that holds it.
    pub(crate) fn block(&self) -> BlockId {
        BlockId { topic: self.topic.clone(), partition: self.partition, block: self.block }
    }

    /// The fact without its place.
    pub(crate) fn row(self) -> FactRow {
        FactRow {
            block: BlockId { topic: self.topic, partition: self.partition, block: self.block },
            entity: self.entity,
            valid_from_us: self.valid_from_us,
            valid_to_us: self.valid_to_us,
            idx: self.idx,
            body: self.body,
        }
    }
}
