//! Facts as they were recorded.

use std::collections::BTreeSet;

use clickhouse::Row;
use serde::Deserialize;
use wb_clickhouse::conditions::committed_among;
use wb_clickhouse::corrections::{CorrectionsAt, FactRow as RecordedRow};
use wb_events::facts::{METER_RATIO, VOID};
use wb_events::topics::REFERENCE;

use super::{ClickHouseUsage, corrected, failed};
use crate::error::PortError;
use crate::ports::{BlockId, FactRow, Recorded};

#[derive(Row, Deserialize)]
struct FactColumns {
    entity: String,
    valid_from_us: i64,
    valid_to_us: Option<i64>,
    topic: String,
    partition: u32,
    block: u64,
    idx: u32,
    body: String,
}

fn block_of(row: &RecordedRow) -> BlockId {
    BlockId { topic: row.topic.clone(), partition: row.partition, block: row.block }
}

impl ClickHouseUsage {
    /// See [`crate::ports::UsageStore::recorded`].
    pub(super) async fn read_recorded(
        &self,
        kinds: &[&'static str],
        cut: u64,
    ) -> Result<Recorded, PortError> {
        let kinds: Vec<&str> = kinds.iter().copied().chain([VOID, METER_RATIO]).collect();
        let mut rows = RecordedRow::read_attempts(&self.client, &kinds).await.map_err(failed("facts"))?;
        // Which of them count is told by the commits of their blocks, and those are asked for in any case.
        rows.retain(|row| row.topic == REFERENCE);
        let ids: BTreeSet<BlockId> = rows.iter().map(block_of).collect();
        let commits = self.read_commits(&ids, 0, cut).await?;
        rows.retain(|row| commits.get(&block_of(row)).is_some_and(|name| name.attempt == row.attempt));
        let is_correction = |row: &RecordedRow| row.kind == VOID || row.kind == METER_RATIO;
        let (corrections, facts): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_correction);
        let mut recorded = Recorded {
            corrections: corrected(CorrectionsAt::of(corrections))?,
            commits: commits.into_iter().map(|(id, name)| (id, name.evidence())).collect(),
            ..Recorded::default()
        };
        for row in facts {
            let block = block_of(&row);
            recorded.facts.entry(row.kind).or_default().push(FactRow {
                entity: row.entity,
                valid_from_us: row.valid_from_us,
                valid_to_us: row.valid_to_us,
                block,
                idx: row.idx,
                body: row.body,
            });
        }
        Ok(recorded)
    }

    /// See [`crate::ports::UsageStore::facts_of`]; without entities, those of all.
    pub(super) async fn read_facts(
        &self,
        kind: &str,
        entities: Option<&[String]>,
        cut: u64,
    ) -> Result<Vec<FactRow>, PortError> {
        let of_entities = if entities.is_some() { " AND entity IN {entities:Array(String)}" } else { "" };
        let own = format!("kind = {{kind:String}}{of_entities}");
        let sql = format!(
            "SELECT entity, valid_from_us, valid_to_us, topic, partition, block, idx, body FROM facts \
             WHERE {own} AND {}",
            committed_among("facts", &own)
        );
        let mut query = self.client.query(&sql).param("kind", kind).param("cut", cut);
        if let Some(entities) = entities {
            query = query.param("entities", entities);
        }
        let rows = query.fetch_all::<FactColumns>().await.map_err(failed("facts"))?;
        Ok(rows
            .into_iter()
            .map(|row| FactRow {
                entity: row.entity,
                valid_from_us: row.valid_from_us,
                valid_to_us: row.valid_to_us,
                block: BlockId { topic: row.topic, partition: row.partition, block: row.block },
                idx: row.idx,
                body: row.body,
            })
            .collect())
    }
}
