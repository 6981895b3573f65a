//! The names of blocks, the heads of their chains, and the seals that a query goes by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clickhouse::Row;
use serde::Deserialize;
use wb_clickhouse::whole_days::{AboveSeals, SealsAt};
use wb_events::topics::SHARES;
use wb_ledger::{ChainHead, EvidenceBlock, Hash};

use super::{ClickHouseUsage, failed};
use crate::error::PortError;
use crate::ports::BlockId;

/// How long a question goes by seals that were read for another one. Rows of a seal that is replaced stay for
/// twenty minutes, of which a query may take ten.
const STANDING_FOR: Duration = Duration::from_secs(10);

/// What stands at a cut.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    cut: u64,
    read_at: Instant,
    pub(super) seals: SealsAt,
    pub(super) above: AboveSeals,
}

/// The name of a block.
#[derive(Row, Deserialize)]
pub(super) struct NameColumns {
    topic: String,
    partition: u32,
    block: u64,
    pub(super) attempt: u64,
    content_hash: [u8; 32],
    merkle_root: [u8; 32],
}

impl NameColumns {
    pub(super) fn id(&self) -> BlockId {
        BlockId { topic: self.topic.clone(), partition: self.partition, block: self.block }
    }

    pub(super) fn evidence(self) -> EvidenceBlock {
        EvidenceBlock {
            topic: self.topic,
            partition: self.partition,
            block: self.block,
            content_hash: Hash::from_bytes(self.content_hash),
            merkle_root: Hash::from_bytes(self.merkle_root),
        }
    }
}

#[derive(Row, Deserialize)]
struct HeadColumns {
    names_offset: u64,
    topic: String,
    partition: u32,
    block: u64,
    name_hash: [u8; 32],
    first_above: u64,
}

impl HeadColumns {
    fn head(self) -> ChainHead {
        ChainHead {
            topic: self.topic,
            partition: self.partition,
            block: self.block,
            name_hash: Hash::from_bytes(self.name_hash),
        }
    }
}

/// The latest name of every partition: of a chain the latest has the highest block and offset.
const HEADS: &str = "SELECT max(names_offset) AS names_offset, toString(topic) AS topic, partition, \
     max(manifest.block) AS block, argMax(manifest.name_hash, manifest.block) AS name_hash, \
     minIf(manifest.block, manifest.names_offset >= {from:UInt64}) AS first_above FROM manifest \
     WHERE manifest.names_offset < {cut:UInt64} GROUP BY manifest.topic, partition";

impl ClickHouseUsage {
    /// The latest names below an offset, with the first block of each partition that is named from another one on.
    async fn read_latest(&self, from: u64, below: u64) -> Result<Vec<HeadColumns>, PortError> {
        let query = self.client.query(HEADS).param("from", from).param("cut", below);
        // The names lie in the order of what they are grouped by.
        let query = query.with_setting("optimize_aggregation_in_order", "1").with_setting("max_threads", "1");
        query.fetch_all().await.map_err(failed("the heads of the chains"))
    }

    /// See [`crate::ports::UsageStore::chain_heads`].
    pub(super) async fn read_heads(&self, cut: u64) -> Result<Vec<ChainHead>, PortError> {
        let rows = self.read_latest(cut, cut).await?;
        Ok(rows.into_iter().map(HeadColumns::head).collect())
    }

    /// See [`crate::ports::UsageStore::named_heads`].
    pub(super) async fn read_named_heads(
        &self,
        settled: u64,
    ) -> Result<(u64, Option<Vec<ChainHead>>), PortError> {
        // Below a settled offset nothing is added between the two questions.
        let read_at = Instant::now();
        let seals = self.read_seals(settled).await?;
        let from = seals.blocks_from();
        let rows = self.read_latest(from, settled).await?;
        let cut = rows.iter().map(|row| row.names_offset.saturating_add(1)).max().unwrap_or(0).max(seals.end);
        let above = rows.iter().filter(|row| row.topic == SHARES && row.names_offset >= from);
        let above = AboveSeals(above.map(|row| (row.partition, row.first_above)).collect());
        *self.held() = Some(Standing { cut, read_at, seals, above });
        Ok((cut, Some(rows.into_iter().map(HeadColumns::head).collect())))
    }

    /// What stands at a cut.
    pub(super) async fn standing(&self, cut: u64) -> Result<Standing, PortError> {
        if let Some(standing) = self.still_standing(cut) {
            return Ok(standing);
        }
        let read_at = Instant::now();
        let seals = self.read_seals(cut).await?;
        let above = AboveSeals::read(&self.client, seals.blocks_from(), cut).await;
        let above = above.map_err(|error| PortError::new("reading the manifest from ClickHouse", error))?;
        let standing = Standing { cut, read_at, seals, above };
        *self.held() = Some(standing.clone());
        Ok(standing)
    }

    /// The seals that a query at a cut goes by.
    pub(super) async fn seals(&self, cut: u64) -> Result<SealsAt, PortError> {
        match self.still_standing(cut) {
            Some(standing) => Ok(standing.seals),
            None => self.read_seals(cut).await,
        }
    }

    async fn read_seals(&self, cut: u64) -> Result<SealsAt, PortError> {
        let seals = SealsAt::read(&self.client, cut).await;
        seals.map_err(|error| PortError::new("reading the seals from ClickHouse", error))
    }

    fn still_standing(&self, cut: u64) -> Option<Standing> {
        let held = self.held();
        held.as_ref().filter(|held| held.cut == cut && held.read_at.elapsed() < STANDING_FOR).cloned()
    }

    /// What is held is whole after every statement, also where a thread died between two.
    fn held(&self) -> MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names at offsets in `[from, cut)` of the blocks between the first and the last of those asked for in each
    /// partition, once or more.
    pub(super) async fn read_names(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> Result<Vec<NameColumns>, PortError> {
        let mut ranges: BTreeMap<(&str, u32), (u64, u64)> = BTreeMap::new();
        for id in ids {
            let range = ranges.entry((&id.topic, id.partition)).or_insert((id.block, id.block));
            *range = (range.0.min(id.block), range.1.max(id.block));
        }
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let range = |index: usize| {
            format!(
                "(topic = {{topic{index}:String}} AND partition = {{partition{index}:UInt32}} \
                 AND block BETWEEN {{first{index}:UInt64}} AND {{last{index}:UInt64}})"
            )
        };
        // What holds for all names would only be looked up.
        let from_on = if from > 0 { "AND names_offset >= {from:UInt64} " } else { "" };
        let sql = format!(
            "SELECT topic, partition, block, attempt, content_hash, merkle_root FROM manifest \
             WHERE ({}) {from_on}AND names_offset < {{cut:UInt64}}",
            (0..ranges.len()).map(range).collect::<Vec<_>>().join(" OR ")
        );
        let mut query = self.client.query(&sql).param("cut", cut);
        if from > 0 {
            query = query.param("from", from);
        }
        query = query.with_setting("max_threads", "1");
        for (index, ((topic, partition), (first, last))) in ranges.into_iter().enumerate() {
            query = query
                .param(&format!("topic{index}"), topic)
                .param(&format!("partition{index}"), partition)
                .param(&format!("first{index}"), first)
                .param(&format!("last{index}"), last);
        }
        query.fetch_all().await.map_err(failed("the names of blocks"))
    }
}
