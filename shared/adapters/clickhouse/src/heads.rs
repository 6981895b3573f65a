//! The heads of the chains at a cut, and how far commits are projected.
//!
//! A partition that closes a block every second makes 2.6 million commits a month, and all are kept. So the heads are
//! read from the projection `latest` of the manifest, which has a row for each partition and [`STRETCH`] offsets, and
//! from the few commits after the last whole stretch.

use clickhouse::Client;
use serde::Deserialize;
use wb_events::topics::SHARES;

use crate::error::{StoreError, query_failed};
use crate::whole_days::AboveSeals;

/// Offsets per row of the projection, as in its definition.
pub const STRETCH: u64 = 65_536;

/// Up to this cut all commits are read: one query over them costs less than two.
const READ_WHOLE_MAX: u64 = 2 * STRETCH;

/// The latest commit of a partition.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct Head {
    /// Its offset in `commits`.
    pub commit_offset: u64,
    pub topic: String,
    pub partition: u32,
    /// The block that it commits.
    pub block: u64,
    pub commit_hash: [u8; 32],
}

#[derive(clickhouse::Row, Deserialize)]
struct WholeRow {
    commit_offset: u64,
    topic: String,
    partition: u32,
    block: u64,
    commit_hash: [u8; 32],
    first_above: u64,
}

/// The description for errors.
const FIND_HEADS: &str = "find the heads of the chains";

/// The latest commit of a chain has its highest block and offset.
const LATEST: &str = "max(manifest.commit_offset) AS commit_offset, toString(topic) AS topic, partition, \
     max(manifest.block) AS block, argMax(manifest.commit_hash, manifest.block) AS commit_hash";

/// The latest commit of each chain below a cut, an offset in `commits`, in any order.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn read_heads(client: &Client, cut: u64) -> Result<Vec<Head>, StoreError> {
    if cut <= READ_WHOLE_MAX {
        return Ok(read_whole(client, cut, cut).await?.0);
    }
    let whole = cut / STRETCH;
    let sql = format!(
        "SELECT max(latest.commit_offset) AS commit_offset, topic, partition, max(latest.block) AS block, \
           argMax(latest.commit_hash, latest.block) AS commit_hash FROM (\
             SELECT {LATEST} FROM manifest WHERE intDiv(manifest.commit_offset, {STRETCH}) < {whole} \
             GROUP BY manifest.topic, partition \
             UNION ALL SELECT commit_offset, toString(topic) AS topic, partition, block, commit_hash FROM manifest \
             WHERE commit_offset >= {} AND commit_offset < {{cut:UInt64}}) AS latest \
         GROUP BY topic, partition",
        whole.saturating_mul(STRETCH)
    );
    let query = client.query_raw(&sql).param("cut", cut).with_setting("max_result_rows", "0");
    query.fetch_all().await.map_err(query_failed(FIND_HEADS))
}

/// [`read_heads`], and for each partition of shares the first block committed at or above `from`.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn read_heads_above(
    client: &Client,
    from: u64,
    cut: u64,
) -> Result<(Vec<Head>, AboveSeals), StoreError> {
    if cut <= READ_WHOLE_MAX {
        return read_whole(client, from, cut).await;
    }
    Ok((read_heads(client, cut).await?, AboveSeals::read(client, from, cut).await?))
}

async fn read_whole(client: &Client, from: u64, cut: u64) -> Result<(Vec<Head>, AboveSeals), StoreError> {
    let sql = format!(
        "SELECT {LATEST}, minIf(manifest.block, manifest.commit_offset >= {{from:UInt64}}) AS first_above \
         FROM manifest WHERE manifest.commit_offset < {{cut:UInt64}} GROUP BY manifest.topic, partition"
    );
    let query = client.query_raw(&sql).param("from", from).param("cut", cut);
    // The manifest is sorted by the columns of the grouping.
    let query = query.with_setting("optimize_aggregation_in_order", "1").with_setting("max_threads", "1");
    let query = query.with_setting("max_result_rows", "0");
    let rows: Vec<WholeRow> = query.fetch_all().await.map_err(query_failed(FIND_HEADS))?;
    let above = rows.iter().filter(|row| row.topic == SHARES && row.commit_offset >= from);
    let above = AboveSeals(above.map(|row| (row.partition, row.first_above)).collect());
    let head = |row: WholeRow| Head {
        commit_offset: row.commit_offset,
        topic: row.topic,
        partition: row.partition,
        block: row.block,
        commit_hash: row.commit_hash,
    };
    Ok((rows.into_iter().map(head).collect(), above))
}

/// One past the highest projected offset below `below`; 0 if there is none.
///
/// # Errors
/// [`StoreError::Query`].
pub async fn committed_to(client: &Client, below: u64) -> Result<u64, StoreError> {
    let next = "SELECT if(count() = 0, toUInt64(0), max(commit_offset) + 1) FROM manifest";
    let ask = async |condition: &str| {
        let query = client.query_raw(&format!("{next} {condition}"));
        query.fetch_one::<u64>().await.map_err(query_failed("find the manifest's end"))
    };
    // The projection answers without a condition and for whole stretches; the index of offsets answers for the rest.
    let all = ask("").await?;
    if all <= below {
        return Ok(all);
    }
    let start = below / STRETCH * STRETCH;
    let last = ask(&format!("WHERE commit_offset >= {start} AND commit_offset < {below}")).await?;
    if last > 0 {
        return Ok(last);
    }
    ask(&format!("WHERE intDiv(commit_offset, {STRETCH}) < {}", below / STRETCH)).await
}
