//! Samples of GPUs: the use of GPUs by settlement interval, and the samples where the last fault changed. Both are
//! aggregated in ClickHouse, because a node may send samples of its GPUs every second.

use std::collections::BTreeMap;

use clickhouse::query::Query;
use serde::Deserialize;
use wb_metering::gpu::usage::{Device, LastXid, Use};
use wb_metering::report::machine::{Record, Rules};
use wb_units::{Interval, SETTLEMENT_INTERVAL_US};

use super::Read;
use super::times::{Times, within_times};
use crate::conditions::committed_among;
use crate::error::StoreError;

/// Keeps the rows of the machines that are read.
const OF_NODES: &str = "node_id IN {machines:Array(String)}";

#[derive(Debug, clickhouse::Row, Deserialize)]
struct UseRow {
    node: String,
    device: String,
    profile: String,
    instance: String,
    at_us: i64,
    used_ppm: u64,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct XidRow {
    node: String,
    device: String,
    profile: String,
    instance: String,
    at_us: i64,
    id: [u8; 16],
    xid: u64,
}

impl Read {
    /// The mean use of each GPU or slice in each settlement interval that has samples of it. For a whole GPU, use is
    /// the time during which any kernel ran; for a slice, the time during which its engine was active. Samples of one
    /// moment count once.
    pub(super) async fn add_gpu_uses(
        &self,
        records: &mut BTreeMap<String, Record>,
        ask: &impl Fn(&str, &Times) -> Query,
        stands: &Times,
    ) -> Result<(), StoreError> {
        let device = "node_id, device, profile, instance";
        let said = format!(
            "{OF_NODES} AND event_time_us >= {{from:Int64}} AND event_time_us < {{to:Int64}} \
             AND (isNotNull(utilisation_ppm) OR isNotNull(engine_active_ppm))"
        );
        let moments = format!(
            "SELECT {device}, event_time_us, \
               coalesce(argMinIf(utilisation_ppm, event_id, isNotNull(utilisation_ppm)), \
                 argMinIf(engine_active_ppm, event_id, isNotNull(engine_active_ppm))) AS said_ppm \
             FROM gpu_samples WHERE {said} AND {} GROUP BY {device}, event_time_us",
            committed_among("gpu_samples", &said)
        );
        let slots = format!(
            "SELECT node_id AS machine_id, device, toString(profile) AS profile, toString(instance) AS instance, \
               event_time_us - positiveModulo(event_time_us, {SETTLEMENT_INTERVAL_US}) AS at_us, \
               intDiv(sum(assumeNotNull(said_ppm)), count()) AS used_ppm \
             FROM ({moments}) GROUP BY {device}, at_us"
        );
        let columns = "r.machine_id AS node, r.device AS device, r.profile AS profile, r.instance AS instance, \
                       r.at_us AS at_us, r.used_ppm AS used_ppm";
        let sql = within_times(columns, &slots, "at_us");
        let found: Vec<UseRow> = self.fetch("read a report's use of GPUs", ask(&sql, stands)).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.node) else { continue };
            let end_us = row.at_us.saturating_add(SETTLEMENT_INTERVAL_US);
            record.gpu_uses.push(Use {
                device: Device { device: row.device, profile: row.profile, instance: row.instance },
                interval: Interval { start_us: row.at_us, end_us },
                used_ppm: row.used_ppm,
            });
        }
        Ok(())
    }

    /// The samples in which the last fault of a GPU or slice differs from the sample before.
    pub(super) async fn add_gpu_xids(
        &self,
        records: &mut BTreeMap<String, Record>,
        ask: &impl Fn(&str, &Times) -> Query,
        stands: &Times,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        // A customer sees only samples of its own time; a site's report also uses those just outside.
        let (margin_us, own) = match self.scope.customer() {
            Some(_) => (0, true),
            None => (rules.speaks_us, false),
        };
        let around = format!(
            "{OF_NODES} AND isNotNull(last_xid) AND event_time_us >= {{from:Int64}} - {{margin:Int64}} \
             AND event_time_us < {{to:Int64}} + {{margin:Int64}}"
        );
        let samples = format!(
            "SELECT node_id AS machine_id, device, toString(profile) AS profile, toString(instance) AS instance, \
               event_time_us AS at_us, event_id AS id, assumeNotNull(last_xid) AS xid \
             FROM gpu_samples WHERE {around} AND {}",
            committed_among("gpu_samples", &around)
        );
        let columns = "r.machine_id AS machine_id, r.device AS device, r.profile AS profile, \
                       r.instance AS instance, r.at_us AS at_us, r.id AS id, r.xid AS xid";
        let said = if own { within_times(columns, &samples, "at_us") } else { samples };
        let device = "machine_id, device, profile, instance";
        let sql = format!(
            "SELECT machine_id AS node, device, profile, instance, at_us, id, xid FROM (\
               SELECT {device}, at_us, id, xid, lagInFrame(toNullable(xid)) OVER (PARTITION BY {device} \
                 ORDER BY at_us, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before \
               FROM (SELECT {device}, at_us, tupleElement(min((s.id, s.xid)), 1) AS id, \
                 tupleElement(min((s.id, s.xid)), 2) AS xid FROM ({said}) AS s GROUP BY {device}, at_us)\
             ) WHERE isNull(before) OR before != xid ORDER BY node, device, instance, at_us"
        );
        let query = ask(&sql, stands).param("margin", margin_us);
        let found: Vec<XidRow> = self.fetch("read a report's faults of GPUs", query).await?;
        for row in found {
            let Some(record) = records.get_mut(&row.node) else { continue };
            record.gpu_xids.push(LastXid {
                device: Device { device: row.device, profile: row.profile, instance: row.instance },
                at_us: row.at_us,
                id: row.id,
                xid: row.xid,
            });
        }
        Ok(())
    }
}
