//! The work of many parties, with one query for sums and one for blocks.

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::Row;
use serde::Deserialize;
use wb_counted::{BlockId, CorrectionsRead, EachWork, Holding, WorkRead};
use wb_rating::WorkGroup;
use wb_units::Interval;

use super::commits::Standing;
use super::{MACHINES_PER_QUERY, Usage, sealed_days};
use crate::error::StoreError;
use crate::read::{ACCEPTED, Cut, WorkRow};
use crate::whole_days::{SealsAt, StretchSeals};

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

/// A party, and what the worth of its work depends on: chain, target and subsidy.
type Worth = (usize, String, u32, u64);

/// Credited difficulty and shares by worth. They wrap as the table's columns do, because voided shares are subtracted
/// in two's complement.
type Sums = BTreeMap<Worth, (u128, u64)>;

fn add(sums: &mut Sums, worth: Worth, credited_q32: u128, shares: u64) {
    let sum = sums.entry(worth).or_default();
    *sum = (sum.0.wrapping_add(credited_q32), sum.1.wrapping_add(shares));
}

/// The party of a row's machine. Grouping by machine would return many times as many rows.
const PARTY: &str = "transform(machine_id, {machines:Array(String)}, {parties:Array(UInt32)}, toUInt32(0))";

impl Usage {
    /// See [`Usage::work_of_each`].
    pub(super) async fn read_work_of_each(
        &self,
        parties: &[Vec<Holding>],
        corrections: &CorrectionsRead,
        cut: Cut,
    ) -> Result<EachWork, StoreError> {
        let voids = corrections.resolved.voided().len() > 0;
        let works = vec![WorkRead::default(); parties.len()];
        let mut each = EachWork { works, ..EachWork::default() };
        // Within a stretch a machine belongs to one party; another party that claims it is read alone.
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

    /// Adds the work of some machines, each of one party, in a stretch; returns the seals that were used.
    async fn add_parties(
        &self,
        interval: Interval,
        machines: &[(&str, usize)],
        (voids, cut): (bool, Cut),
        each: &mut EachWork,
    ) -> Result<SealsAt, StoreError> {
        let ids: Vec<&str> = machines.iter().map(|(machine_id, _)| *machine_id).collect();
        let parties: Vec<u32> =
            machines.iter().map(|(_, party)| u32::try_from(*party).unwrap_or(u32::MAX)).collect();
        let read = self.read(cut);
        let ask = |sql: &str| read.query(sql).param("machines", &ids);
        let Standing { seals: seals_at, above, .. } = self.standing(cut.0).await?;
        let seals = StretchSeals::new(&seals_at, interval);
        let sums = async {
            let Some(rows) = seals.work_sums(ACCEPTED, voids) else { return Ok(Vec::new()) };
            let query = ask(&format!("SELECT *, toInt64(0) AS at_us FROM ({rows})"));
            // Without voids the query has no parameter for them.
            let query = if voids { read.corrections().await?.bind(query) } else { query };
            read.fetch::<WorkRow>("sum the work of parties", query).await
        };
        let above = async {
            let Some(rows) = seals.above(&above) else { return Ok(Vec::new()) };
            let query = ask(&format!(
                "SELECT {PARTY} AS party, topic, partition, block, attempt, chain, nbits, subsidy_sat, \
                   sum(credited_q32) AS credited, sum(shares) AS share_count FROM work_5m \
                 WHERE {rows} AND {ACCEPTED} \
                 GROUP BY party, topic, partition, block, attempt, chain, nbits, subsidy_sat"
            ));
            let query = query.param("parties", &parties);
            read.fetch::<AboveColumns>("sum the work above the seals", query).await
        };
        // Both use the seals that were read before.
        let (sums, above) = tokio::try_join!(sums, above)?;
        // Rows of attempts that are not committed do not count.
        let ids: BTreeSet<BlockId> = above.iter().map(AboveColumns::id).collect();
        let from = seals_at.blocks_from();
        let committed = self.read_commits(&ids, from, cut.0).await?;
        let counts =
            |row: &AboveColumns| committed.get(&row.id()).is_some_and(|commit| commit.attempt == row.attempt);
        let party_by_machine: BTreeMap<&str, usize> = machines.iter().copied().collect();
        // A machine that was not asked for belongs to no party.
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
        // Blocks above the sealed days are known if blocks were read from there on.
        if from == seals_at.cut {
            each.commits.extend(committed.into_iter().map(|(id, commit)| (id, commit.evidence())));
        }
        Ok(seals_at)
    }
}

fn index(party: u32) -> usize {
    usize::try_from(party).unwrap_or(usize::MAX)
}
