//! The work of many parties in one query each for sums and blocks, and which machines new rows are about.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::Row;
use serde::Deserialize;
use wb_clickhouse::whole_days::StretchSeals;
use wb_rating::WorkGroup;
use wb_units::Interval;

use super::{ClickHouseUsage, MACHINES_PER_QUERY, failed};
use crate::error::PortError;
use crate::ports::{BlockId, CorrectionsRead, Holding, Touched, WorkRead};

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
    party: u32,
    topic: String,
    partition: u32,
    blocks: Vec<u64>,
}

/// Which party a row's machine belongs to.
const PARTY: &str = "transform(machine_id, {machines:Array(String)}, {parties:Array(UInt32)}, toUInt32(0))";

impl ClickHouseUsage {
    /// See [`UsageStore::work_of_each`].
    pub(super) async fn read_work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> Result<Vec<WorkRead>, PortError> {
        let voids = corrections.resolved.voided().len() > 0;
        let mut works = vec![WorkRead::default(); parties.len()];
        // In a stretch a machine belongs to one party; whoever claims it too is asked about alone.
        let mut stretches: BTreeMap<Interval, BTreeMap<&str, usize>> = BTreeMap::new();
        let mut claimed = Vec::new();
        for (party, holdings) in parties.iter().enumerate() {
            for holding in holdings {
                let machines = stretches.entry(holding.interval).or_default();
                match machines.get(holding.machine_id.as_str()) {
                    None => {
                        machines.insert(&holding.machine_id, party);
                    }
                    Some(of) if *of == party => {}
                    Some(_) => claimed.push((holding.interval, [(holding.machine_id.as_str(), party)])),
                }
            }
        }
        for (interval, machines) in stretches {
            let machines: Vec<(&str, usize)> = machines.into_iter().collect();
            for chunk in machines.chunks(MACHINES_PER_QUERY) {
                self.add_parties(interval, chunk, (voids, cut), &mut works).await?;
            }
        }
        for (interval, machine) in claimed {
            self.add_parties(interval, &machine, (voids, cut), &mut works).await?;
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

    /// Adds the work of some machines, each of one party, in a stretch.
    async fn add_parties(
        &self,
        interval: Interval,
        machines: &[(&str, usize)],
        (voids, cut): (bool, u64),
        works: &mut [WorkRead],
    ) -> Result<(), PortError> {
        let ids: Vec<&str> = machines.iter().map(|(machine_id, _)| *machine_id).collect();
        let parties: Vec<u32> =
            machines.iter().map(|(_, party)| u32::try_from(*party).unwrap_or(u32::MAX)).collect();
        let of_machines = "machine_id IN {machines:Array(String)}";
        let ask = |sql: &str| {
            let query = self.client.query(sql).param("machines", &ids).param("parties", &parties);
            query.param("cut", cut)
        };
        let seals = StretchSeals::read(&self.client, interval, cut)
            .await
            .map_err(|error| PortError::new("reading the seals from ClickHouse", error))?;
        let sums = ask(&format!(
            "SELECT {PARTY} AS party, chain, nbits, subsidy_sat, sum(credited_q32) AS credited, \
               sum(shares) AS share_count FROM ({}) GROUP BY party, chain, nbits, subsidy_sat",
            seals.work_sums(&format!("{of_machines} AND verdict = 'accepted'"), voids)
        ));
        // Without voids the query has no parameter for them.
        let sums = if voids { self.read_corrections(cut).await?.bind(sums) } else { sums };
        // Lists of many machines are joined there, so that a block comes once and not once a machine.
        let join = if parties.iter().collect::<BTreeSet<_>>().len() < parties.len() {
            "groupUniqArrayArray"
        } else {
            "groupArrayArray"
        };
        let sources = ask(&format!(
            "SELECT {PARTY} AS party, topic, partition, {join}(blocks) AS blocks FROM ({}) \
             GROUP BY party, topic, partition",
            seals.work_blocks(of_machines)
        ));
        // Both are asked at once, so that they go by the same seals.
        let (sums, sources) =
            tokio::join!(sums.fetch_all::<WorkColumns>(), sources.fetch_all::<BlockColumns>());
        for row in sums.map_err(failed("work"))? {
            let Some(work) = works.get_mut(index(row.party)) else { continue };
            work.groups.push(WorkGroup {
                chain: row.chain,
                nbits: row.nbits,
                subsidy_sat: row.subsidy_sat,
                credited_q32: row.credited,
                shares: row.share_count,
            });
        }
        for row in sources.map_err(failed("the blocks of work"))? {
            let Some(work) = works.get_mut(index(row.party)) else { continue };
            let id = |block| BlockId { topic: row.topic.clone(), partition: row.partition, block };
            work.blocks.extend(row.blocks.iter().copied().map(id));
        }
        Ok(())
    }
}

fn index(party: u32) -> usize {
    usize::try_from(party).unwrap_or(usize::MAX)
}
