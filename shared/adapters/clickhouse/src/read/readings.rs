//! Register readings.

use serde::Deserialize;
use wb_counted::{AppendedRow, BlockId, ReadingRow};
use wb_metering::energy::RegisterReading;
use wb_metering::energy::witness::Witness;
use wb_units::{Interval, Micros};

use super::Read;
use crate::conditions::committed_among;
use crate::error::StoreError;
use crate::sealed::reading_rows;

/// Later than any reading, and within the range of days.
const UNLIMITED_US: Micros = 9_000_000_000_000_000_000;

/// Identifies a register.
const METER: &str = "machine_id, meter_id, witness";

/// Which readings to read.
pub(crate) struct ReadingsOf<'a> {
    /// Of meters of these machines.
    pub(crate) machines: &'a [String],
    /// Of these meters only.
    pub(crate) meters: Option<&'a [String]>,
    /// Readings inside this time, and for each machine, meter and witness the last one before it and the first one at
    /// or after its end.
    pub(crate) window: Interval,
    /// How far outside the time these two may lie; unlimited if not given.
    pub(crate) reach_us: Option<Micros>,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Columns {
    machine_id: String,
    meter_id: String,
    witness: String,
    event_time_us: i64,
    event_id: [u8; 16],
    register_wh: u64,
    topic: String,
    partition: u32,
    block: u64,
    is_sealed: bool,
}

impl Columns {
    fn row(self) -> Result<ReadingRow, StoreError> {
        // Ingest accepts no other witness.
        let witness = Witness::of_name(&self.witness).ok_or_else(|| StoreError::Row {
            table: "energy_readings",
            problem: format!("no reading is of the witness {:?}", self.witness),
        })?;
        Ok(ReadingRow {
            machine_id: self.machine_id,
            meter_id: self.meter_id,
            witness,
            reading: RegisterReading {
                at_us: self.event_time_us,
                id: self.event_id,
                register_wh: self.register_wh,
            },
            block: BlockId { topic: self.topic, partition: self.partition, block: self.block },
            is_sealed: self.is_sealed,
        })
    }
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Appended {
    machine_id: String,
    meter_id: String,
    event_id: [u8; 16],
    append_time_us: i64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct MachineRow {
    machine_id: String,
}

impl Appended {
    fn row(self) -> AppendedRow {
        AppendedRow {
            machine_id: self.machine_id,
            meter_id: self.meter_id,
            id: self.event_id,
            appended_at_us: self.append_time_us,
        }
    }
}

impl Read {
    /// The readings that count, in any order.
    pub(crate) async fn readings(&self, of: &ReadingsOf<'_>) -> Result<Vec<ReadingRow>, StoreError> {
        let mut condition = "machine_id IN {machines:Array(String)}".to_owned();
        if of.meters.is_some() {
            condition.push_str(" AND meter_id IN {meters:Array(String)}");
        }
        let columns = "machine_id, meter_id, toString(witness) AS witness, event_time_us, event_id, register_wh, \
                       toString(topic) AS topic, partition, block, is_sealed";
        let (earliest, start, end, latest) =
            ("{earliest:Int64}", "{start:Int64}", "{end:Int64}", "{latest:Int64}");
        let (before, within, after) = (
            reading_rows(earliest, start, &condition),
            reading_rows(start, end, &condition),
            reading_rows(end, latest, &condition),
        );
        let sql = format!(
            "SELECT {columns} FROM ({within}) \
             UNION ALL SELECT * FROM (SELECT {columns} FROM ({before}) \
             ORDER BY event_time_us DESC, event_id ASC LIMIT 1 BY {METER}) \
             UNION ALL SELECT * FROM (SELECT {columns} FROM ({after}) \
             ORDER BY event_time_us ASC, event_id ASC LIMIT 1 BY {METER})"
        );
        let Interval { start_us, end_us } = of.window;
        let reach_us = of.reach_us.unwrap_or(Micros::MAX);
        let query = self
            .query(&sql)
            .param("machines", of.machines)
            .param("earliest", start_us.saturating_sub(reach_us).max(-UNLIMITED_US))
            .param("start", start_us)
            .param("end", end_us)
            .param("latest", end_us.saturating_add(reach_us).min(UNLIMITED_US))
            .with_setting("max_result_rows", "0");
        let query = match of.meters {
            Some(meters) => query.param("meters", meters),
            None => query,
        };
        let found: Vec<Columns> = self.fetch_counted("read register readings", query).await?;
        found.into_iter().map(Columns::row).collect()
    }

    /// Those of some machines that have rows, whether they count or not: a quick look before they are read.
    pub(crate) async fn machines_with_readings(
        &self,
        machines: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT machine_id FROM energy_readings \
                   WHERE machine_id IN {machines:Array(String)} ORDER BY machine_id";
        let query = self.query(sql).param("machines", machines).with_setting("max_result_rows", "0");
        let found: Vec<MachineRow> = self.fetch("find machines with readings", query).await?;
        Ok(found.into_iter().map(|row| row.machine_id).collect())
    }

    /// The append times of the readings of a window that were not appended in the moment they were read. Seals lack
    /// them, so the blocks are read.
    pub(crate) async fn readings_appended(
        &self,
        machines: &[String],
        window: Interval,
    ) -> Result<Vec<AppendedRow>, StoreError> {
        let later = "machine_id IN {machines:Array(String)} AND event_time_us >= {start:Int64} \
                     AND event_time_us < {end:Int64} AND append_time_us != event_time_us";
        let sql = format!(
            "SELECT machine_id, meter_id, event_id, append_time_us FROM energy_readings WHERE {later} AND {}",
            committed_among("energy_readings", later)
        );
        let query = self.query(&sql).param("machines", machines);
        let query = query.param("start", window.start_us).param("end", window.end_us);
        let query = query.with_setting("max_result_rows", "0");
        let found: Vec<Appended> = self.fetch("read when readings came", query).await?;
        Ok(found.into_iter().map(Appended::row).collect())
    }
}
