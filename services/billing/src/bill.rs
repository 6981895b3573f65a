//! A contract's bill for a period at a cut.

use std::collections::{BTreeMap, BTreeSet};

use wb_ledger::{Billed, ContractVersion, PeriodDocument};
use wb_metering::energy::{EnergyFold, RegisterReading, energy_in};
use wb_rating::{Component, EnergyGroup, Usage, rate};
use wb_units::Interval;

use crate::error::ClerkError;
use crate::ports::{BlockId, Holding, ReadingRow, UsageStore};
use crate::reference::{PeriodTerms, Reference, Terms};

/// Machines whose readings are held in memory at once: a month of five-minute readings of 64 machines
/// is some 600,000 rows.
const MACHINES_AT_ONCE: usize = 64;

/// The witnesses of energy, best first.
const WITNESSES: [&str; 3] = ["meter", "pdu", "firmware"];

/// Computes the bill: usage of every version's part of the period, rated by that version.
pub(crate) async fn bill<S: UsageStore>(
    store: &S,
    reference: &Reference,
    period_terms: PeriodTerms,
    cut: u64,
) -> Result<Billed, ClerkError> {
    let PeriodTerms { period, terms } = period_terms;
    let mut blocks: BTreeSet<BlockId> = BTreeSet::new();
    let mut lines = Vec::new();
    let mut contract_versions = Vec::new();
    let mut parties = None;
    for part in terms {
        let usage = usage_of(store, reference, &part, cut, &mut blocks).await?;
        let begins_inside = part.interval.start_us != period.interval.start_us;
        for mut line in rate(&part.contract, &usage)? {
            if begins_inside {
                line.id = format!("{}@{}", line.id, part.interval.start_us);
            }
            lines.push(line);
        }
        contract_versions.push(ContractVersion {
            start_us: part.interval.start_us,
            end_us: part.interval.end_us,
            digest: part.digest,
        });
        blocks.insert(part.block);
        parties = Some(part.contract);
    }
    let contract = parties.ok_or_else(|| ClerkError::NoTerms {
        contract_id: String::new(),
        period: period.text.clone(),
        cut,
    })?;
    let named = store.blocks(&blocks, cut).await?;
    check_all_named(&blocks, &named, cut)?;
    Ok(Billed {
        legal_entity: contract.legal_entity,
        customer_id: contract.customer_id,
        contract_id: contract.contract_id,
        contract_versions,
        period: PeriodDocument::from(&period),
        lines,
        cut,
        blocks: named,
        chain_heads: store.chain_heads(cut).await?,
    })
}

fn check_all_named(
    needed: &BTreeSet<BlockId>,
    named: &[wb_ledger::EvidenceBlock],
    cut: u64,
) -> Result<(), ClerkError> {
    let found: BTreeSet<_> =
        named.iter().map(|block| (block.topic.as_str(), block.partition, block.block)).collect();
    match needed.iter().find(|id| !found.contains(&(id.topic.as_str(), id.partition, id.block))) {
        None => Ok(()),
        Some(id) => Err(ClerkError::Unnamed {
            topic: id.topic.clone(),
            partition: id.partition,
            block: id.block,
            cut,
        }),
    }
}

async fn usage_of<S: UsageStore>(
    store: &S,
    reference: &Reference,
    part: &Terms,
    cut: u64,
    blocks: &mut BTreeSet<BlockId>,
) -> Result<Usage, ClerkError> {
    let mut holdings = Vec::new();
    for (holding, block) in reference.holdings(&part.contract, part.interval)? {
        holdings.push(holding);
        blocks.insert(block.clone());
    }
    let mut usage = Usage::default();
    let has = |wanted: fn(&Component) -> bool| part.contract.components.iter().any(wanted);
    if has(|component| matches!(component, Component::PoolEarnings(_))) {
        let work = store.work(&holdings, cut).await?;
        usage.work = work.groups;
        blocks.extend(work.blocks);
    }
    if has(|component| matches!(component, Component::MeteredEnergy(_))) {
        usage.energy = energy_of(store, &holdings, part.interval, cut, blocks).await?;
    }
    Ok(usage)
}

async fn energy_of<S: UsageStore>(
    store: &S,
    holdings: &[Holding],
    window: Interval,
    cut: u64,
    blocks: &mut BTreeSet<BlockId>,
) -> Result<Vec<EnergyGroup>, ClerkError> {
    let mut by_machine: BTreeMap<&str, Vec<Interval>> = BTreeMap::new();
    for holding in holdings {
        by_machine.entry(&holding.machine_id).or_default().push(holding.interval);
    }
    let machines: Vec<(&str, Vec<Interval>)> = by_machine.into_iter().collect();
    let mut groups = Vec::new();
    for chunk in machines.chunks(MACHINES_AT_ONCE) {
        let ids: Vec<String> = chunk.iter().map(|(machine_id, _)| (*machine_id).to_owned()).collect();
        let meters = by_meter(store.readings(&ids, window, cut).await?, blocks);
        for (machine_id, intervals) in chunk {
            for interval in intervals {
                groups.extend(best_witness(machine_id, *interval, &meters));
            }
        }
    }
    Ok(groups)
}

/// Machine, witness, meter.
type MeterKey = (String, String, String);

fn by_meter(
    rows: Vec<ReadingRow>,
    blocks: &mut BTreeSet<BlockId>,
) -> BTreeMap<MeterKey, Vec<RegisterReading>> {
    let mut meters: BTreeMap<MeterKey, Vec<RegisterReading>> = BTreeMap::new();
    for row in rows {
        meters.entry((row.machine_id, row.witness, row.meter_id)).or_default().push(row.reading);
        blocks.insert(row.block);
    }
    meters
}

/// The energy of a machine in a holding by the best witness that saw any of it. All meters of that
/// witness feed the machine, so they are all billed.
fn best_witness(
    machine_id: &str,
    interval: Interval,
    meters: &BTreeMap<MeterKey, Vec<RegisterReading>>,
) -> Vec<EnergyGroup> {
    for witness in WITNESSES {
        let from = (machine_id.to_owned(), witness.to_owned(), String::new());
        let folds: Vec<(&String, EnergyFold)> = meters
            .range(from..)
            .take_while(|((machine, other, _), _)| machine == machine_id && other == witness)
            .map(|((_, _, meter_id), readings)| (meter_id, energy_in(readings, interval)))
            .collect();
        if folds.iter().any(|(_, fold)| fold.first.is_some()) {
            return folds
                .into_iter()
                .map(|(meter_id, fold)| EnergyGroup {
                    machine_id: machine_id.to_owned(),
                    meter_id: meter_id.clone(),
                    witness: witness.to_owned(),
                    energy_mwh: fold.energy_mwh,
                    resets: u64::from(fold.resets),
                    unknown_us: fold
                        .gaps
                        .iter()
                        .map(|gap| u64::try_from(gap.interval.duration_us()).unwrap_or(0))
                        .fold(0, u64::saturating_add),
                })
                .collect();
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(points: &[(i64, u64)]) -> Vec<RegisterReading> {
        points
            .iter()
            .map(|(at_us, register_wh)| RegisterReading {
                at_us: *at_us,
                id: [0; 16],
                register_wh: *register_wh,
            })
            .collect()
    }

    #[test]
    fn the_best_witness_that_saw_anything_is_billed_with_all_its_meters() {
        let key = |witness: &str, meter: &str| ("m".to_owned(), witness.to_owned(), meter.to_owned());
        let mut meters = BTreeMap::from([
            (key("firmware", "f"), readings(&[(0, 0), (100, 99)])),
            (key("pdu", "p1"), readings(&[(0, 0), (100, 40)])),
            (key("pdu", "p2"), readings(&[(0, 0), (50, 25)])),
            // One reading says nothing about energy.
            (key("meter", "a"), readings(&[(10, 5)])),
            (("n".to_owned(), "meter".to_owned(), "x".to_owned()), readings(&[(0, 0), (100, 7)])),
        ]);
        let interval = Interval::new(0, 100).unwrap();
        let billed = |meters: &BTreeMap<MeterKey, Vec<RegisterReading>>| -> Vec<_> {
            best_witness("m", interval, meters)
                .into_iter()
                .map(|g| (g.witness, g.meter_id, g.energy_mwh, g.unknown_us))
                .collect()
        };
        let pdu = |meter: &str, energy, unknown| ("pdu".to_owned(), meter.to_owned(), energy, unknown);
        assert_eq!(billed(&meters), [pdu("p1", 40_000, 0), pdu("p2", 25_000, 50)]);
        meters.insert(key("meter", "a"), readings(&[(10, 5), (20, 8)]));
        assert_eq!(billed(&meters), [("meter".to_owned(), "a".to_owned(), 3_000, 90)]);
        assert!(best_witness("nobody", interval, &meters).is_empty());
    }
}
