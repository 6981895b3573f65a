//! The work of many parties in one query each for sums and blocks, and which machines new rows are about.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::Row;
use serde::Deserialize;
use wb_clickhouse::whole_days::{SealsAt, StretchSeals};
use wb_rating::WorkGroup;
use wb_units::Interval;

use super::commits::Standing;
use super::{ClickHouseUsage, MACHINES_PER_QUERY, failed, sealed_days};
use crate::error::PortError;
use crate::ports::{BlockId, CorrectionsRead, EachWork, Holding, Touched, WorkRead};

#[derive(Row, Deserialize)]
struct WorkColumns {
    machine_id: String,
    chain: String,
    nbits: u32,
    subsidy_sat: u64,
    shares: u64,
    credited_q32: u128,
}

#[derive(Row, Deserialize)]
struct AboveColumns {
    party: u32,
    topic: String,
    partition: u32,
    block: u64,
    attempt: u64,
    chain: String,
    nbits: u32,
    subsidy_sat: u64,
    credited: u128,
    share_count: u64,
}

impl AboveColumns {
    fn id(&self) -> BlockId {
        BlockId { topic: self.topic.clone(), partition: self.partition, block: self.block }
    }
}

/// A party, and what decides the worth of its work: chain, target and subsidy.
type Worth = (usize, String, u32, u64);

/// Credited difficulty and shares by their worth. They wrap as the tables' columns do: what is voided is a number of
/// two's complement.
type Sums = BTreeMap<Worth, (u128, u64)>;

fn add(sums: &mut Sums, worth: Worth, credited_q32: u128, shares: u64) {
    let sum = sums.entry(worth).or_default();
    *sum = (sum.0.wrapping_add(credited_q32), sum.1.wrapping_add(shares));
}

/// Which party a row's machine belongs to. By machine the blocks would be many times as many.
const PARTY: &str = "transform(machine_id, {machines:Array(String)}, {parties:Array(UInt32)}, toUInt32(0))";

impl ClickHouseUsage {
    /// See [`UsageStore::work_of_each`].
    pub(super) async fn read_work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: u64,
    ) -> Result<EachWork, PortError> {
        let voids = corrections.resolved.voided().len() > 0;
        let works = vec![WorkRead::default(); parties.len()];
        let mut each = EachWork { works, ..EachWork::default() };
        // In a stretch a machine belongs to one party; whoever claims it too is asked about alone.
        let mut stretches: BTreeMap<Interval, BTreeMap<&str, usize>> = BTreeMap::new();
        let mut claimed = Vec::new();
        let mut sealed = None;
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
                sealed = Some(self.add_parties(interval, chunk, (voids, cut), &mut each).await?);
            }
        }
        for (interval, machine) in claimed {
            self.add_parties(interval, &machine, (voids, cut), &mut each).await?;
        }
        each.sealed = sealed.as_ref().map(sealed_days);
        Ok(each)
    }

    /// See [`UsageStore::touched`].
    pub(super) async fn read_touched(&self, from: u64, to: u64) -> Result<Touched, PortError> {
        let committed = |condition: &str| {
            format!(
                "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest \
                 WHERE commit_offset >= {{from:UInt64}} AND commit_offset < {{to:UInt64}}) AND {condition}"
            )
        };
        // The block's number by itself is narrow and has an index: it leaves out nearly all old rows.
        let new = committed(
            "block IN (SELECT block FROM manifest WHERE commit_offset >= {from:UInt64} AND commit_offset < {to:UInt64})",
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

    /// Adds the work of some machines, each of one party, in a stretch; gives the seals it went by.
    async fn add_parties(
        &self,
        interval: Interval,
        machines: &[(&str, usize)],
        (voids, cut): (bool, u64),
        each: &mut EachWork,
    ) -> Result<SealsAt, PortError> {
        let ids: Vec<&str> = machines.iter().map(|(machine_id, _)| *machine_id).collect();
        let parties: Vec<u32> =
            machines.iter().map(|(_, party)| u32::try_from(*party).unwrap_or(u32::MAX)).collect();
        let accepted = "machine_id IN {machines:Array(String)} AND verdict = 'accepted'";
        let ask = |sql: &str| self.client.query(sql).param("machines", &ids).param("cut", cut);
        let Standing { seals: seals_at, above, .. } = self.standing(cut).await?;
        let seals = StretchSeals::new(&seals_at, interval);
        let sums = async {
            let Some(rows) = seals.work_sums(accepted, voids) else { return Ok(Vec::new()) };
            let query = ask(&rows);
            // Without voids the query has no parameter for them.
            let query = if voids { self.read_corrections(cut).await?.bind(query) } else { query };
            query.fetch_all::<WorkColumns>().await.map_err(failed("work"))
        };
        let above = async {
            let Some(rows) = seals.above(&above) else { return Ok(Vec::new()) };
            let query = ask(&format!(
                "SELECT {PARTY} AS party, topic, partition, block, attempt, chain, nbits, subsidy_sat, \
                   sum(credited_q32) AS credited, sum(shares) AS share_count FROM work_5m \
                 WHERE {rows} AND {accepted} \
                 GROUP BY party, topic, partition, block, attempt, chain, nbits, subsidy_sat"
            ));
            query
                .param("parties", &parties)
                .fetch_all::<AboveColumns>()
                .await
                .map_err(failed("work above the seals"))
        };
        // Both are asked at once, so that they go by the same seals.
        let (sums, above) = tokio::try_join!(sums, above)?;
        // Rows of attempts that no name names do not count.
        let ids: BTreeSet<BlockId> = above.iter().map(AboveColumns::id).collect();
        let from = seals_at.blocks_from();
        let committed = self.read_commits(&ids, from, cut).await?;
        let counts =
            |row: &AboveColumns| committed.get(&row.id()).is_some_and(|name| name.attempt == row.attempt);
        let party_by_machine: BTreeMap<&str, usize> = machines.iter().copied().collect();
        // Nothing is answered about a machine that was not asked for.
        let party_of = |machine_id: &str| party_by_machine.get(machine_id).copied().unwrap_or(usize::MAX);
        let mut by_worth = Sums::new();
        for row in sums {
            let worth = (party_of(&row.machine_id), row.chain, row.nbits, row.subsidy_sat);
            add(&mut by_worth, worth, row.credited_q32, row.shares);
        }
        for row in above.into_iter().filter(counts) {
            let party = index(row.party);
            if let Some(work) = each.works.get_mut(party) {
                work.above.insert(row.id());
            }
            let worth = (party, row.chain, row.nbits, row.subsidy_sat);
            add(&mut by_worth, worth, row.credited, row.share_count);
        }
        for ((party, chain, nbits, subsidy_sat), (credited_q32, shares)) in by_worth {
            if let Some(work) = each.works.get_mut(party) {
                work.groups.push(WorkGroup { chain, nbits, subsidy_sat, credited_q32, shares });
            }
        }
        // What is committed above the sealed days is known where blocks were asked for from there on.
        if from == seals_at.cut {
            each.commits.extend(committed.into_iter().map(|(id, name)| (id, name.evidence())));
        }
        Ok(seals_at)
    }
}

fn index(party: u32) -> usize {
    usize::try_from(party).unwrap_or(usize::MAX)
}
