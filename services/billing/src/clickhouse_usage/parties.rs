//! The work of many parties in one query each for sums and blocks, and which machines new rows are about.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;
use wb_clickhouse::sealed::work_rows;
use wb_rating::WorkGroup;
use wb_units::Interval;

use super::{ClickHouseUsage, MACHINES_PER_QUERY, NAMED, failed};
use crate::error::PortError;
use crate::ports::{BlockId, Holding, Touched, UsageStore, WorkRead};

#[derive(Row, Deserialize)]
struct WorkColumns {
    party: u32,
    chain: String,
    nbits: u32,
    subsidy_sat: u64,
    credited: u128,
    share_count: u64,
}

#[derive(Row, Deserialize)]
struct BlockColumns {
    topic: String,
    partition: u32,
    block: u64,
    parties: Vec<u32>,
}

/// Which party a row's machine belongs to.
const PARTY: &str = "transform(machine_id, {machines:Array(String)}, {parties:Array(UInt32)}, toUInt32(0))";

impl ClickHouseUsage {
    /// See [`UsageStore::work_of_each`].
    pub(super) async fn read_work_of_each(
        &self,
        parties: &[Vec<Holding>],
        cut: u64,
    ) -> Result<Vec<WorkRead>, PortError> {
        let mut works = vec![WorkRead::default(); parties.len()];
        // In a stretch a machine belongs to one party; whoever claims it too is asked about alone.
        let mut stretches: BTreeMap<Interval, BTreeMap<&str, usize>> = BTreeMap::new();
        for (party, holdings) in parties.iter().enumerate() {
            for holding in holdings {
                let machines = stretches.entry(holding.interval).or_default();
                match machines.get(holding.machine_id.as_str()) {
                    None => {
                        machines.insert(&holding.machine_id, party);
                    }
                    Some(of) if *of == party => {}
                    Some(_) => add(&mut works, party, self.work(std::slice::from_ref(holding), cut).await?),
                }
            }
        }
        for (interval, machines) in stretches {
            let machines: Vec<(&str, usize)> = machines.into_iter().collect();
            for chunk in machines.chunks(MACHINES_PER_QUERY) {
                self.add_parties(interval, chunk, cut, &mut works).await?;
            }
        }
        Ok(works)
    }

    /// See [`UsageStore::touched`].
    pub(super) async fn read_touched(&self, from: u64, to: u64) -> Result<Touched, PortError> {
        let named = |condition: &str| {
            format!(
                "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest \
                 WHERE names_offset >= {{from:UInt64}} AND names_offset < {{to:UInt64}}) AND {condition}"
            )
        };
        // The block's number by itself is narrow and has an index: it leaves out nearly all old rows.
        let new = named(
            "block IN (SELECT block FROM manifest WHERE names_offset >= {from:UInt64} AND names_offset < {to:UInt64})",
        );
        let of = |column: &str, table: &str| format!("SELECT {column} AS id FROM {table} WHERE {new}");
        let sql = format!(
            "SELECT DISTINCT id FROM ({} UNION ALL {} UNION ALL {} UNION ALL {})",
            of("machine_id", "work_5m"),
            of("machine_id", "energy_readings"),
            of("machine_id", "miner_samples"),
            of("node_id", "gpu_spans"),
        );
        let query = self.client.query(&sql).param("from", from).param("to", to);
        let ids = query.fetch_all::<String>().await.map_err(failed("what new blocks are about"))?;
        let facts = self.client.query(&format!("SELECT count() FROM facts WHERE {new}"));
        let facts = facts.param("from", from).param("to", to).fetch_one::<u64>();
        let facts = facts.await.map_err(failed("whether facts are new"))?;
        Ok(Touched { machine_ids: ids.into_iter().collect(), facts: facts > 0 })
    }

    async fn add_parties(
        &self,
        interval: Interval,
        machines: &[(&str, usize)],
        cut: u64,
        works: &mut [WorkRead],
    ) -> Result<(), PortError> {
        let ids: Vec<&str> = machines.iter().map(|(machine_id, _)| *machine_id).collect();
        let parties: Vec<u32> =
            machines.iter().map(|(_, party)| u32::try_from(*party).unwrap_or(u32::MAX)).collect();
        let accepted = "machine_id IN {machines:Array(String)} AND verdict = 'accepted'";
        let corrections = self.read_corrections(cut).await?;
        let ask = |sql: &str| {
            corrections
                .bind(self.client.query(sql))
                .param("machines", &ids)
                .param("parties", &parties)
                .param("start", interval.start_us)
                .param("end", interval.end_us)
                .param("cut", cut)
        };
        let sealed_cut = self.sealed_cut(cut).await?;
        let sums = ask(&format!(
            "SELECT {PARTY} AS party, chain, nbits, subsidy_sat, sum(credited_q32) AS credited, \
               sum(shares) AS share_count FROM ({}) GROUP BY party, chain, nbits, subsidy_sat",
            work_rows("{start:Int64}", "{end:Int64}", accepted)
        ))
        .param("sealed_cut", sealed_cut);
        for row in sums.fetch_all::<WorkColumns>().await.map_err(failed("work"))? {
            let group = WorkGroup {
                chain: row.chain,
                nbits: row.nbits,
                subsidy_sat: row.subsidy_sat,
                credited_q32: row.credited,
                shares: row.share_count,
            };
            add(works, index(row.party), WorkRead { groups: vec![group], ..WorkRead::default() });
        }
        // Whether a block is named is asked once for each block, after its rows are one, and not for each row.
        let sources = ask(&format!(
            "SELECT topic, partition, block, groupUniqArrayArray(of_attempt) AS parties FROM (\
               SELECT topic, partition, block, attempt, groupUniqArray({PARTY}) AS of_attempt \
               FROM work_5m WHERE {accepted} AND interval_start_us >= {{start:Int64}} \
               AND interval_start_us < {{end:Int64}} GROUP BY topic, partition, block, attempt) \
             WHERE {NAMED} GROUP BY topic, partition, block"
        ))
        .with_setting("enable_optimize_predicate_expression", "0");
        for row in sources.fetch_all::<BlockColumns>().await.map_err(failed("the blocks of work"))? {
            let id = BlockId { topic: row.topic, partition: row.partition, block: row.block };
            for party in row.parties {
                if let Some(work) = works.get_mut(index(party)) {
                    work.blocks.insert(id.clone());
                }
            }
        }
        Ok(())
    }
}

fn index(party: u32) -> usize {
    usize::try_from(party).unwrap_or(usize::MAX)
}

fn add(works: &mut [WorkRead], party: usize, read: WorkRead) {
    if let Some(work) = works.get_mut(party) {
        work.groups.extend(read.groups);
        work.blocks.extend(read.blocks);
    }
}
