//! The allocations of a node's GPUs, from rows in any order and with any repeats.

use std::collections::BTreeMap;

use wb_units::Interval;

use super::Record;
use crate::gpu::Span;
use crate::gpu::allocation::{Allocation, MigProfile, Share, accept};
use crate::gpu::rows;

/// What is held of a node.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The consistent allocations: what is billed.
    pub(crate) accepted: Vec<Allocation>,
    /// All allocations as the schedulers report them, also those that exclude each other.
    pub(crate) scheduled: Vec<Allocation>,
    /// Why allocations or rows were refused, as text.
    pub(crate) refused: Vec<String>,
    /// The refused allocations themselves, with their reasons.
    pub(crate) excluded: Vec<(Allocation, String)>,
}

/// The consistent allocations, and the refused ones with their reasons. An open allocation is held until its row was
/// taken: what came after is not known.
pub(crate) fn allocations(record: &Record, period: Interval) -> Held {
    let mut by_device: BTreeMap<(&str, &str), Vec<Span>> = BTreeMap::new();
    for row in &record.spans {
        by_device.entry((&row.device, &row.profile)).or_default().push(row.span.clone());
    }
    let (mut made, mut refused, mut excluded) = (Vec::new(), Vec::new(), Vec::new());
    for ((device, profile), spans) in by_device {
        let merged = rows::merge(&spans);
        refused.extend(merged.contradictions.iter().map(|row| {
            format!("{} on {}: a row contradicts another of the same run", row.allocation_id, row.node_id)
        }));
        for span in merged.spans {
            let mut allocation = span.allocation();
            allocation.device = device.to_owned();
            if !profile.is_empty() {
                match MigProfile::parse(profile) {
                    Ok(profile) => {
                        allocation.share = Share::Mig { profile, instance: device.to_owned() };
                    }
                    Err(error) => {
                        refused.push(error.to_string());
                        excluded.push((allocation, error.to_string()));
                        continue;
                    }
                }
            }
            let seen_us = i64::try_from(span.elapsed_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            let seen_until_us = span.start_us.saturating_add(seen_us).min(period.end_us.max(span.start_us));
            allocation.end_us = allocation.end_us.or(Some(seen_until_us));
            made.push(allocation);
        }
    }
    let gpus = record.stands.iter().chain(&record.lent).filter_map(|stand| stand.gpus).max();
    let node_gpus: BTreeMap<String, u32> =
        gpus.map(|gpus| (record.machine_id.clone(), gpus)).into_iter().collect();
    let accepted = accept(made.clone(), &node_gpus);
    refused.extend(accepted.refused.iter().map(|(_, error)| error.to_string()));
    let with_words = accepted.refused.into_iter().map(|(allocation, error)| (allocation, error.to_string()));
    excluded.extend(with_words);
    Held { accepted: accepted.allocations, scheduled: made, refused, excluded }
}
