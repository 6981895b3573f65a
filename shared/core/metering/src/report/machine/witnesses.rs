//! All witnesses of a machine's energy.

use std::collections::BTreeMap;

use wb_units::{Interval, Micros};

use super::{Record, Rules};
use crate::energy::sources::{PowerSample, of_nameplate, of_power, of_register};
use crate::energy::witness::{Piece, Testimony, Witness};
use crate::gpu::allocation::Allocation;
use crate::uptime::{Poll, Status, Windows, timeline};

/// All witnesses of the machine's energy.
pub(super) fn testimonies(
    record: &Record,
    polls: &[Poll],
    windows: &Windows,
    allocations: &[Allocation],
    rules: &Rules,
    period: Interval,
) -> Vec<Testimony> {
    let by_witness = by_witness(record, polls, windows, allocations, rules, period);
    let pieces = |meters: Vec<(String, Vec<Piece>)>| meters.into_iter().map(|(_, pieces)| pieces).collect();
    let summed =
        by_witness.into_iter().map(|(witness, meters)| Testimony { witness, pieces: sum(pieces(meters)) });
    summed.filter(|testimony| !testimony.pieces.is_empty()).collect()
}

/// All meters of each witness with their pieces; an estimate has the witness's name.
pub(crate) fn by_witness(
    record: &Record,
    polls: &[Poll],
    windows: &Windows,
    allocations: &[Allocation],
    rules: &Rules,
    period: Interval,
) -> BTreeMap<Witness, Vec<(String, Vec<Piece>)>> {
    let mut by_witness: BTreeMap<Witness, Vec<(String, Vec<Piece>)>> = BTreeMap::new();
    for register in &record.registers {
        let pieces = of_register(&register.readings, &register.facts(rules));
        by_witness.entry(register.witness).or_default().push((register.meter_id.clone(), pieces));
    }
    let power: Vec<PowerSample> = record
        .samples
        .iter()
        .filter_map(|sample| {
            let power_mw = sample.power_mw?;
            Some(PowerSample { at_us: sample.at_us, id: sample.id, uptime_s: sample.uptime_s, power_mw })
        })
        .collect();
    let estimated = |witness: Witness, pieces| (witness.as_str().to_owned(), pieces);
    let integrated = estimated(Witness::FirmwarePower, of_power(&power, rules.speaks_us));
    by_witness.entry(Witness::FirmwarePower).or_default().push(integrated);
    for stand in &record.stands {
        let ran: Vec<Interval> = if allocations.is_empty() {
            let stretches = timeline(polls, windows, rules.speaks_us, stand.interval);
            let hashing = stretches.iter().filter(|stretch| stretch.status == Status::Hashing);
            hashing.map(|stretch| stretch.interval).collect()
        } else {
            // A node runs while its GPUs are held.
            let held = allocations.iter().map(|held| Interval {
                start_us: held.start_us,
                end_us: held.end_us.unwrap_or(period.end_us),
            });
            Interval::union(held.filter_map(|held| held.intersect(&stand.interval)).collect())
        };
        let pieces = by_witness.entry(Witness::Nameplate).or_default();
        if pieces.is_empty() {
            pieces.push(estimated(Witness::Nameplate, Vec::new()));
        }
        if let Some((_, last)) = pieces.last_mut() {
            last.extend(of_nameplate(stand.rated_power_mw, &ran));
        }
    }
    by_witness
}

/// The sum of several meters of one kind: a machine with two supplies has two outlets. Where one of them has no data
/// the others count alone.
fn sum(mut meters: Vec<Vec<Piece>>) -> Vec<Piece> {
    if meters.len() < 2 {
        return meters.pop().unwrap_or_default();
    }
    let all: Vec<Piece> = meters.into_iter().flatten().collect();
    let mut edges: Vec<Micros> =
        all.iter().flat_map(|piece| [piece.interval.start_us, piece.interval.end_us]).collect();
    edges.sort_unstable();
    edges.dedup();
    // By the edge that each part begins at.
    let mut parts: BTreeMap<Micros, Piece> = BTreeMap::new();
    for piece in &all {
        let first = edges.partition_point(|edge| *edge < piece.interval.start_us);
        for pair in edges.get(first..).unwrap_or_default().windows(2) {
            let [start_us, end_us] = *pair else { continue };
            if start_us >= piece.interval.end_us {
                break;
            }
            let part = Interval { start_us, end_us };
            let energy_nj = piece.within(&part);
            let sum = parts.entry(start_us).or_insert(Piece {
                interval: part,
                energy_nj: 0,
                is_timing_estimated: false,
            });
            sum.energy_nj += energy_nj;
            sum.is_timing_estimated |= piece.is_timing_estimated;
        }
    }
    parts.into_values().collect()
}
