//! The commits of blocks, the heads of chains, and the seals that a query uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clickhouse::Row;
use serde::Deserialize;
use wb_counted::BlockId;
use wb_ledger::{ChainHead, EvidenceBlock, Hash};

use super::Usage;
use crate::error::{StoreError, query_failed};
use crate::heads::{Head, committed_to, read_heads, read_heads_above};
use crate::whole_days::{AboveSeals, SealsAt};

/// How long seals that were read may be used again. Rows of a replaced seal stay for twenty minutes, of which a query
/// may take ten.
const STANDING_FOR: Duration = Duration::from_secs(10);

/// The most blocks that are listed one by one: the query contains their numbers.
const BLOCKS_LISTED_MAX: usize = 4_096;

/// The seals and heads at a cut.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    cut: u64,
    read_at: Instant,
    pub(super) seals: SealsAt,
    pub(super) above: AboveSeals,
}

#[derive(Row, Deserialize)]
pub(super) struct BlockCommit {
    topic: String,
    partition: u32,
    block: u64,
    pub(super) attempt: u64,
    content_hash: [u8; 32],
    merkle_root: [u8; 32],
}

impl BlockCommit {
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

fn head(head: Head) -> ChainHead {
    ChainHead {
        topic: head.topic,
        partition: head.partition,
        block: head.block,
        commit_hash: Hash::from_bytes(head.commit_hash),
    }
}

impl Usage {
    /// See [`Usage::chain_heads`].
    pub(super) async fn read_chain_heads(&self, cut: u64) -> Result<Vec<ChainHead>, StoreError> {
        let heads = read_heads(&self.client, cut).await?;
        Ok(heads.into_iter().map(head).collect())
    }

    /// See [`Usage::committed_cut`].
    pub(super) async fn read_committed_cut(&self, below: u64) -> Result<u64, StoreError> {
        let committed = committed_to(&self.client, below).await?;
        let sql = "SELECT if(count() = 0, toUInt64(0), max(commit_offset) + 1) FROM seals \
             WHERE commit_offset < {cut:UInt64}";
        let sealed = self.client.query_raw(sql).param("cut", below).fetch_one::<u64>();
        Ok(committed.max(sealed.await.map_err(query_failed("find the end of the seals"))?))
    }

    /// See [`Usage::committed_heads`].
    pub(super) async fn read_committed_heads(
        &self,
        settled: u64,
    ) -> Result<(u64, Vec<ChainHead>), StoreError> {
        // Below a settled offset nothing is added between the two queries.
        let read_at = Instant::now();
        let seals = SealsAt::read(&self.client, settled).await?;
        let (heads, above) = read_heads_above(&self.client, seals.blocks_from(), settled).await?;
        let committed = heads.iter().map(|head| head.commit_offset.saturating_add(1)).max().unwrap_or(0);
        let cut = committed.max(seals.end);
        *self.held() = Some(Standing { cut, read_at, seals, above });
        Ok((cut, heads.into_iter().map(head).collect()))
    }

    pub(super) async fn standing(&self, cut: u64) -> Result<Standing, StoreError> {
        if let Some(standing) = self.still_standing(cut) {
            return Ok(standing);
        }
        let read_at = Instant::now();
        let seals = SealsAt::read(&self.client, cut).await?;
        let above = AboveSeals::read(&self.client, seals.blocks_from(), cut).await?;
        let standing = Standing { cut, read_at, seals, above };
        *self.held() = Some(standing.clone());
        Ok(standing)
    }

    /// The seals that a query at a cut uses.
    pub(super) async fn seals(&self, cut: u64) -> Result<SealsAt, StoreError> {
        match self.still_standing(cut) {
            Some(standing) => Ok(standing.seals),
            None => SealsAt::read(&self.client, cut).await,
        }
    }

    fn still_standing(&self, cut: u64) -> Option<Standing> {
        let held = self.held();
        held.as_ref().filter(|held| held.cut == cut && held.read_at.elapsed() < STANDING_FOR).cloned()
    }

    /// Every statement leaves the cache consistent, so a poisoned lock is harmless.
    fn held(&self) -> MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commits of some blocks at offsets in `[from, cut)`.
    pub(super) async fn read_commits(
        &self,
        ids: &BTreeSet<BlockId>,
        from: u64,
        cut: u64,
    ) -> Result<BTreeMap<BlockId, BlockCommit>, StoreError> {
        let mut committed = BTreeMap::new();
        let mut by_partition: BTreeMap<(&str, u32), Vec<u64>> = BTreeMap::new();
        for id in ids {
            by_partition.entry((&id.topic, id.partition)).or_default().push(id.block);
        }
        if by_partition.is_empty() {
            return Ok(committed);
        }
        // Blocks are listed one by one. If they are too many, their whole range is read.
        let is_listed = ids.len() <= BLOCKS_LISTED_MAX;
        let of_partition = |index: usize| {
            let blocks = if is_listed {
                format!("block IN {{blocks{index}:Array(UInt64)}}")
            } else {
                format!("block BETWEEN {{first{index}:UInt64}} AND {{last{index}:UInt64}}")
            };
            format!(
                "(topic = {{topic{index}:String}} AND partition = {{partition{index}:UInt32}} AND {blocks})"
            )
        };
        // A condition that holds for all commits would only cost time.
        let from_on = if from > 0 { "AND commit_offset >= {from:UInt64} " } else { "" };
        let sql = format!(
            "SELECT topic, partition, block, attempt, content_hash, merkle_root FROM manifest \
             WHERE ({}) {from_on}AND commit_offset < {{cut:UInt64}}",
            (0..by_partition.len()).map(of_partition).collect::<Vec<_>>().join(" OR ")
        );
        let mut query = self.client.query_raw(&sql).param("cut", cut).with_setting("max_threads", "1");
        if from > 0 {
            query = query.param("from", from);
        }
        for (index, ((topic, partition), blocks)) in by_partition.into_iter().enumerate() {
            query =
                query.param(&format!("topic{index}"), topic).param(&format!("partition{index}"), partition);
            if is_listed {
                query = query.param(&format!("blocks{index}"), blocks);
            } else if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
                query = query.param(&format!("first{index}"), first).param(&format!("last{index}"), last);
            }
        }
        let failed = || query_failed("read the commits of blocks");
        let mut rows = query.fetch::<BlockCommit>().map_err(failed())?;
        while let Some(commit) = rows.next().await.map_err(failed())? {
            let id = commit.id();
            // A commit that was projected twice has two rows.
            if ids.contains(&id) {
                committed.insert(id, commit);
            }
        }
        Ok(committed)
    }
}
