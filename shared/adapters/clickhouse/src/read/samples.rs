//! Samples of machines.

use serde::Deserialize;
use wb_counted::{BlockId, SampleRow};
use wb_metering::report::machine::Sample;
use wb_metering::uptime::Found;
use wb_units::Interval;

use super::Read;
use super::times::{Times, within_times};
use crate::conditions::{COUNTED_ID, committed_among, not_voided};
use crate::error::StoreError;

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Columns {
    machine_id: String,
    event_time_us: i64,
    id: [u8; 16],
    append_time_us: i64,
    state: String,
    algorithm: String,
    power_mw: Option<u64>,
    uptime_s: Option<u64>,
    topic: String,
    partition: u32,
    block: u64,
}

impl Columns {
    fn row(self) -> Result<SampleRow, StoreError> {
        // Ingest reads the state. An unknown state is an error, because counting it as silence would make an outage
        // of it.
        let found = Found::of_state(&self.state).ok_or_else(|| StoreError::Row {
            table: "miner_samples",
            problem: format!("no sample is in the state {:?}", self.state),
        })?;
        Ok(SampleRow {
            machine_id: self.machine_id,
            sample: Sample {
                at_us: self.event_time_us,
                id: self.id,
                appended_at_us: self.append_time_us,
                uptime_s: self.uptime_s,
                found,
                power_mw: self.power_mw,
            },
            algorithm: self.algorithm,
            block: BlockId { topic: self.topic, partition: self.partition, block: self.block },
        })
    }
}

impl Read {
    /// The samples of some machines that count, within a time, in any order.
    pub(crate) async fn samples(
        &self,
        machines: &[String],
        window: Interval,
    ) -> Result<Vec<SampleRow>, StoreError> {
        self.samples_within(machines, window, None).await
    }

    /// The same, optionally only within some times of the machines.
    pub(super) async fn samples_within(
        &self,
        machines: &[String],
        window: Interval,
        times: Option<&Times>,
    ) -> Result<Vec<SampleRow>, StoreError> {
        let within = "machine_id IN {machines:Array(String)} \
             AND event_time_us >= {start:Int64} AND event_time_us < {end:Int64}";
        let samples = format!(
            "SELECT machine_id, event_time_us, sipHash128(source, source_epoch, source_key, sequence) AS id, \
               append_time_us, toString(state) AS state, toString(algorithm) AS algorithm, power_mw, uptime_s, \
               topic, partition, block \
             FROM miner_samples WHERE {within} AND {} AND {}",
            committed_among("miner_samples", within),
            not_voided(COUNTED_ID)
        );
        let query = match times {
            Some(times) => times.bind(self.query(&within_times("r.*", &samples, "event_time_us"))),
            None => self.query(&samples),
        };
        let query = query.param("machines", machines);
        let query = query.param("start", window.start_us).param("end", window.end_us);
        let query = self.corrections().await?.bind(query).with_setting("max_result_rows", "0");
        let found: Vec<Columns> = self.fetch("read samples", query).await?;
        found.into_iter().map(Columns::row).collect()
    }
}
