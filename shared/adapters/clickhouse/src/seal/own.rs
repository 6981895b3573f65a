//! Finds the blocks of a sealed day with rows of some machines. A seal covers all blocks of its day, of all
//! customers.

use std::collections::BTreeSet;

use clickhouse::query::Query;
use serde::Deserialize;
use wb_units::Interval;

use crate::client::Store;
use crate::conditions::committed_between;
use crate::error::{StoreError, query_failed};

/// Machines per query: the query contains their ids.
const MACHINES_PER_QUERY: usize = 1_000;

/// A topic, a partition and a block.
type Place = (String, u32, u64);

#[derive(clickhouse::Row, Deserialize)]
struct PlaceRow {
    topic: String,
    partition: u32,
    block: u64,
}

impl Store {
    /// The blocks committed below an offset with accepted work of some machines in settlement intervals that start
    /// within a time.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn blocks_with_work(
        &self,
        machine_ids: &[&str],
        within: Interval,
        below: u64,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let rows = "work_5m WHERE interval_start_us >= {start:Int64} AND interval_start_us < {end:Int64} \
             AND verdict = 'accepted'";
        self.blocks_with(rows, machine_ids, within, below).await
    }

    /// The blocks committed below an offset with readings of some machines' meters within a time.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn blocks_with_readings(
        &self,
        machine_ids: &[&str],
        within: Interval,
        below: u64,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let rows = "energy_readings WHERE event_time_us >= {start:Int64} AND event_time_us < {end:Int64}";
        self.blocks_with(rows, machine_ids, within, below).await
    }

    async fn blocks_with(
        &self,
        rows: &str,
        machine_ids: &[&str],
        within: Interval,
        below: u64,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let mut places = BTreeSet::new();
        let committed = committed_between("0", "{below:UInt64}");
        let sql = format!(
            "SELECT DISTINCT toString(topic) AS topic, partition, block FROM {rows} \
             AND machine_id IN {{machines:Array(String)}} AND {committed}"
        );
        for chunk in machine_ids.chunks(MACHINES_PER_QUERY) {
            let bind = |query: Query| query.param("start", within.start_us).param("end", within.end_us);
            let query = bind(self.sealing().query_raw(&sql)).param("machines", chunk).param("below", below);
            let rows: Vec<PlaceRow> =
                query.fetch_all().await.map_err(query_failed("find the blocks of some machines"))?;
            places.extend(rows.into_iter().map(|row| (row.topic, row.partition, row.block)));
        }
        Ok(places)
    }
}
