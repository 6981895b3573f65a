//! Samples of machines and rows of GPU allocations.

use clickhouse::Row;
use serde::Deserialize;
use wb_clickhouse::conditions::{COUNTED_ID, committed_among, not_voided};
use wb_metering::gpu::Span;
use wb_metering::report::machine::{Sample, SpanRow};
use wb_metering::uptime::Found;
use wb_units::Interval;
use wb_units::time::SECOND_US;

use super::{ClickHouseUsage, MACHINES_PER_QUERY, failed};
use crate::error::PortError;
use crate::ports::{AllocationRow, BlockId, SampleRow};

#[derive(Row, Deserialize)]
struct SampleColumns {
    machine_id: String,
    event_time_us: i64,
    id: [u8; 16],
    append_time_us: i64,
    state: String,
    power_mw: Option<u64>,
    uptime_s: Option<u64>,
    topic: String,
    partition: u32,
    block: u64,
}

#[derive(Row, Deserialize)]
struct AllocationColumns {
    node_id: String,
    allocation_id: String,
    device: String,
    profile: String,
    account: String,
    state: String,
    gpus: u32,
    start_us: i64,
    end_us: Option<i64>,
    event_time_us: i64,
    topic: String,
    partition: u32,
    block: u64,
}

impl ClickHouseUsage {
    /// See [`crate::ports::UsageStore::samples`].
    pub(super) async fn read_samples(
        &self,
        machine_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<SampleRow>, PortError> {
        let within = "machine_id IN {machines:Array(String)} \
             AND event_time_us >= {start:Int64} AND event_time_us < {end:Int64}";
        let sql = format!(
            "SELECT machine_id, event_time_us, sipHash128(source, source_epoch, source_key, sequence) AS id, \
               append_time_us, toString(state) AS state, power_mw, uptime_s, topic, partition, block \
             FROM miner_samples WHERE {within} AND {} AND {}",
            committed_among("miner_samples", within),
            not_voided(COUNTED_ID)
        );
        let mut rows = Vec::new();
        let corrections = self.read_corrections(cut).await?;
        for chunk in machine_ids.chunks(MACHINES_PER_QUERY) {
            let query = corrections.bind(self.client.query(&sql)).param("machines", chunk);
            let found = query
                .param("start", window.start_us)
                .param("end", window.end_us)
                .param("cut", cut)
                .fetch_all::<SampleColumns>()
                .await
                .map_err(failed("samples"))?;
            rows.extend(found.into_iter().map(|row| SampleRow {
                machine_id: row.machine_id,
                sample: Sample {
                    at_us: row.event_time_us,
                    id: row.id,
                    appended_at_us: row.append_time_us,
                    uptime_s: row.uptime_s,
                    // No writer stores another state; of one nothing is known.
                    found: Found::of_state(&row.state).unwrap_or(Found::Silent),
                    power_mw: row.power_mw,
                },
                block: BlockId { topic: row.topic, partition: row.partition, block: row.block },
            }));
        }
        Ok(rows)
    }

    /// See [`crate::ports::UsageStore::allocations`].
    pub(super) async fn read_allocations(
        &self,
        node_ids: &[String],
        window: Interval,
        cut: u64,
    ) -> Result<Vec<AllocationRow>, PortError> {
        let own = "node_id IN {nodes:Array(String)}";
        let of_nodes =
            format!("{own} AND {} AND {}", committed_among("gpu_spans", own), not_voided("event_id"));
        let sql = format!(
            "SELECT DISTINCT node_id, allocation_id, device, toString(profile) AS profile, account, \
               toString(state) AS state, gpus, start_us, end_us, event_time_us, topic, partition, block \
             FROM gpu_spans WHERE {of_nodes} AND (node_id, allocation_id) IN (\
               SELECT node_id, allocation_id FROM gpu_spans WHERE {of_nodes} \
               AND start_us < {{end:Int64}} AND (isNull(end_us) OR end_us > {{start:Int64}}))"
        );
        let mut rows = Vec::new();
        let corrections = self.read_corrections(cut).await?;
        for chunk in node_ids.chunks(MACHINES_PER_QUERY) {
            let query = corrections.bind(self.client.query(&sql)).param("nodes", chunk);
            let found = query
                .param("start", window.start_us)
                .param("end", window.end_us)
                .param("cut", cut)
                .fetch_all::<AllocationColumns>()
                .await
                .map_err(failed("GPU allocations"))?;
            rows.extend(found.into_iter().map(|row| {
                let seen_us = row.end_us.unwrap_or(row.event_time_us).saturating_sub(row.start_us).max(0);
                AllocationRow {
                    row: SpanRow {
                        span: Span {
                            allocation_id: row.allocation_id,
                            account: row.account,
                            node_id: row.node_id,
                            state: row.state,
                            gpus: row.gpus,
                            start_us: row.start_us,
                            end_us: row.end_us,
                            elapsed_s: u64::try_from(seen_us / SECOND_US).unwrap_or(0),
                        },
                        device: row.device,
                        profile: row.profile,
                    },
                    block: BlockId { topic: row.topic, partition: row.partition, block: row.block },
                }
            }));
        }
        Ok(rows)
    }
}
