//! A report as JSON: whole numbers as decimal text, unknown values as null.

use std::fmt::Display;

use serde_json::{Value, json};
use wb_metering::report::sheet::Sheet;

use super::Head;

/// Writes a report with sorted keys.
pub(super) fn write(head: &Head, sheet: &Sheet) -> String {
    let terms: Vec<Value> = sheet
        .terms
        .iter()
        .map(|change| {
            json!({
                "name": change.term.name,
                "unit": change.term.unit.as_str(),
                "value": known(change.term.value),
                "before": known(change.before),
                "change": known(change.change),
                "change_ppm": known(change.change_ppm),
            })
        })
        .collect();
    let witnesses: Vec<Value> = sheet
        .witnesses
        .iter()
        .map(|share| {
            json!({
                "witness": share.witness.as_str(),
                "energy_nj": share.energy_nj.to_string(),
                "share_ppm": share.share_ppm,
            })
        })
        .collect();
    let comparisons: Vec<Value> = sheet
        .comparisons
        .iter()
        .map(|comparison| {
            let pair = &comparison.pair;
            json!({
                "machine_id": comparison.machine_id,
                "quantity": comparison.quantity.as_str(),
                "unit": comparison.quantity.unit(),
                "witness": pair.left_name,
                "value": pair.left.to_string(),
                "against": pair.right_name,
                "against_value": pair.right.to_string(),
                "difference_ppm": known(pair.difference_ppm),
                "expected_ppm": pair.expected_ppm.to_string(),
                "z_milli": known(pair.z_milli),
                "beyond": pair.is_beyond,
            })
        })
        .collect();
    let faults: Vec<Value> = sheet
        .faults
        .iter()
        .map(|of| {
            let fault = &of.fault;
            json!({
                "machine_id": of.machine_id,
                "device": fault.device.device,
                "profile": fault.device.profile,
                "instance": fault.device.instance,
                "xid": fault.xid.to_string(),
                "start_us": fault.start_us.to_string(),
                "end_us": known(fault.end_us),
                "duration_s": known(fault.duration_s()),
            })
        })
        .collect();
    let sources: Vec<Value> = sheet
        .sources
        .each
        .iter()
        .map(|source| {
            let span = |one: &wb_units::Interval| json!([one.start_us.to_string(), one.end_us.to_string()]);
            json!({
                "machine_id": source.machine_id,
                "meter_id": source.meter_id,
                "kind": source.kind,
                "expected": source.slots.expected.to_string(),
                "received": source.slots.received.to_string(),
                "late": source.slots.late.to_string(),
                "estimated": source.slots.estimated.to_string(),
                "left_out": source.left_out.to_string(),
                "last_us": known(source.last_us),
                "missing_us": source.missing.iter().map(span).collect::<Vec<_>>(),
            })
        })
        .collect();
    let mark = sheet.sources.watermark();
    let slots = &sheet.sources.slots;
    let completeness = json!({
        "expected": slots.expected.to_string(),
        "received": slots.received.to_string(),
        "late": slots.late.to_string(),
        "estimated": slots.estimated.to_string(),
        "left_out": sheet.sources.left_out.to_string(),
        "watermark_us": known(mark.at_us),
        "slowest": mark.slowest,
        "idle": mark.idle,
        "sources": sources,
        "sources_more": sheet.sources.more.to_string(),
    });
    let report = json!({
        "site_id": head.site_id,
        "customer_id": head.customer_id,
        "period": head.period,
        "zone": head.zone,
        "from_us": head.interval.start_us.to_string(),
        "to_us": head.interval.end_us.to_string(),
        "goes_on": head.goes_on,
        "cut": head.cut.to_string(),
        "site_ids": head.site_ids,
        "currency": sheet.currency.map(|currency| currency.code()),
        "terms": terms,
        "energy_by_witness": witnesses,
        "completeness": completeness,
        "comparisons": comparisons,
        "gpu_faults": faults,
        "notes": sheet.notes,
    });
    format!("{report:#}\n")
}

fn known(value: Option<impl Display>) -> Value {
    value.map_or(Value::Null, |value| Value::String(value.to_string()))
}
