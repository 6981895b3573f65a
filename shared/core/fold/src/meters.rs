//! Samples, register readings and spans: each counted once by its source, epoch, key and sequence, and kept raw.
//! Differences, uptime and overlaps depend on order in time and are computed later.

use wb_events::identity::event_id;
use wb_events::u128_bytes;
use wb_events::wire::{EnergyReading, GpuSample, GpuSpan, MinerSample};

use crate::Entry;
use crate::count::Outcome;
use crate::refusal::Refusal;
use crate::state::State;
use crate::tables::Tables;

pub(crate) fn fold_sample(
    state: &mut State,
    tables: &mut Tables,
    entry: &Entry<'_>,
    sample: &MinerSample,
) -> Outcome {
    let Some(reading) = &sample.reading else {
        return entry.refuse(tables, Refusal::UnreadSample, "the sample was not read by ingest");
    };
    if let Err(outcome) = entry.admit(state, tables) {
        return outcome;
    }
    tables.event_row("miner_samples", entry.origin, entry.event, |row| {
        row.text(&reading.site_id).text(&sample.machine_id);
        row.text(&reading.family).text(&reading.state).text(&reading.algorithm);
        let hashrate_hs = reading.hashrate_hs.as_deref().and_then(u128_bytes::decode);
        row.nullable(hashrate_hs, |row, value| {
            row.u128(value);
        });
        for value in [
            reading.power_mw,
            reading.uptime_s,
            reading.accepted_shares,
            reading.rejected_shares,
            reading.stale_shares,
        ] {
            row.nullable(value, |row, value| {
                row.u64(value);
            });
        }
        row.text(&sample.answers);
    });
    Outcome::accepted()
}

pub(crate) fn fold_energy(
    state: &mut State,
    tables: &mut Tables,
    entry: &Entry<'_>,
    reading: &EnergyReading,
) -> Outcome {
    if let Err(outcome) = entry.admit(state, tables) {
        return outcome;
    }
    tables.event_row("energy_readings", entry.origin, entry.event, |row| {
        row.fixed(&event_id(entry.event)).text(&reading.site_id).text(&reading.machine_id);
        row.text(&reading.meter_id).text(&reading.witness).u64(reading.register_wh);
    });
    Outcome::accepted()
}

pub(crate) fn fold_span(
    state: &mut State,
    tables: &mut Tables,
    entry: &Entry<'_>,
    span: &GpuSpan,
) -> Outcome {
    if let Err(outcome) = entry.admit(state, tables) {
        return outcome;
    }
    tables.event_row("gpu_spans", entry.origin, entry.event, |row| {
        row.fixed(&event_id(entry.event)).text(&span.site_id).text(&span.node_id);
        row.text(&span.allocation_id).text(&span.device).text(&span.profile);
        row.text(&span.account).text(&span.state).u32(span.gpus).i64(span.start_us);
        row.nullable(span.end_us, |row, value| {
            row.i64(value);
        });
    });
    Outcome::accepted()
}

pub(crate) fn fold_gpu_sample(
    state: &mut State,
    tables: &mut Tables,
    entry: &Entry<'_>,
    sample: &GpuSample,
) -> Outcome {
    if let Err(outcome) = entry.admit(state, tables) {
        return outcome;
    }
    tables.event_row("gpu_samples", entry.origin, entry.event, |row| {
        row.fixed(&event_id(entry.event)).text(&sample.site_id).text(&sample.node_id);
        row.text(&sample.device).text(&sample.profile).text(&sample.instance);
        for value in [
            sample.utilisation_ppm,
            sample.engine_active_ppm,
            sample.memory_used_mib,
            sample.power_mw,
            sample.last_xid,
            sample.xid_count,
        ] {
            row.nullable(value, |row, value| {
                row.u64(value);
            });
        }
    });
    Outcome::accepted()
}
