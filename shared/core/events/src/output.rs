//! Events as JSON for people: the form that the HTTP edge takes, with the event's source and what ingest added to it.

use serde_json::{Map, Value, json};
use wb_proof::hex;

use crate::u128_bytes;
use crate::wire::event::Body;
use crate::wire::{Event, MinerReading, Resolution, Share};

/// An event as JSON. Numbers that JSON readers may round are decimal text.
#[must_use]
pub fn to_json(event: &Event) -> Value {
    let (kind, body, resolved) = match &event.body {
        None => ("", Value::Null, Value::Null),
        Some(Body::Share(share)) => {
            ("share", share_body(share), share.resolution.as_ref().map_or(Value::Null, resolution))
        }
        Some(Body::MinerSample(sample)) => {
            let body = json!({ "machine_id": sample.machine_id, "answers": parsed(&sample.answers) });
            ("miner_sample", body, sample.reading.as_ref().map_or(Value::Null, reading))
        }
        Some(Body::EnergyReading(reading)) => {
            let body = json!({
                "machine_id": reading.machine_id, "meter_id": reading.meter_id,
                "register_wh": reading.register_wh, "witness": reading.witness,
            });
            ("energy_reading", body, json!({ "site_id": reading.site_id }))
        }
        Some(Body::GpuSpan(span)) => {
            let body = json!({
                "node_id": span.node_id, "allocation_id": span.allocation_id, "device": span.device,
                "profile": span.profile, "account": span.account, "state": span.state,
                "gpus": span.gpus, "start_us": span.start_us, "end_us": span.end_us,
            });
            ("gpu_span", body, json!({ "site_id": span.site_id }))
        }
        Some(Body::GpuSample(sample)) => {
            let body = json!({
                "node_id": sample.node_id, "device": sample.device, "profile": sample.profile,
                "instance": sample.instance, "utilisation_ppm": sample.utilisation_ppm,
                "engine_active_ppm": sample.engine_active_ppm, "memory_used_mib": sample.memory_used_mib,
                "power_mw": sample.power_mw, "last_xid": sample.last_xid, "xid_count": sample.xid_count,
            });
            ("gpu_sample", body, json!({ "site_id": sample.site_id }))
        }
        Some(Body::Fact(fact)) => {
            let body = json!({
                "fact": fact.kind, "entity": fact.entity, "valid_from_us": fact.valid_from_us,
                "valid_to_us": fact.valid_to_us, "body": parsed(&fact.body),
            });
            ("fact", body, Value::Null)
        }
    };
    json!({
        "kind": kind, "source": event.source, "source_epoch": event.source_epoch, "key": event.key,
        "sequence": event.sequence, "event_time_us": event.event_time_us, "body": body, "resolved": resolved,
    })
}

/// Text that holds JSON, as JSON; any other text as a JSON string.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn number_hex(number: u32) -> String {
    format!("{number:08x}")
}

fn q32(bytes: &[u8]) -> Option<String> {
    u128_bytes::decode(bytes).map(|number| number.to_string())
}

fn share_body(share: &Share) -> Value {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("session_id", share.session_id.as_str().into());
    if !share.job_id.is_empty() {
        set("job_id", share.job_id.as_str().into());
        set("ntime", number_hex(share.ntime).into());
        set("nonce", number_hex(share.nonce).into());
    }
    if !share.extranonce2.is_empty() {
        set("extranonce2", hex::encode(&share.extranonce2).into());
    }
    for (name, number) in [("version_bits", share.version_bits), ("version", share.version)] {
        if let Some(number) = number {
            set(name, number_hex(number).into());
        }
    }
    if let Some(extranonce) = &share.extranonce {
        set("extranonce", hex::encode(extranonce).into());
    }
    if !share.header.is_empty() {
        set("header", hex::encode(&share.header).into());
    }
    if share.height != 0 {
        set("height", share.height.into());
    }
    Value::Object(body)
}

fn resolution(resolution: &Resolution) -> Value {
    json!({
        "outcome": resolution.outcome().as_str_name(), "refusal": resolution.refusal,
        "site_id": resolution.site_id, "machine_id": resolution.machine_id, "chain": resolution.chain,
        "height": resolution.height, "network_nbits": number_hex(resolution.network_nbits),
        "subsidy_sat": resolution.subsidy_sat, "assigned_q32": q32(&resolution.assigned_q32),
        "job_ntime": resolution.job_ntime, "stale": resolution.stale,
    })
}

fn reading(reading: &MinerReading) -> Value {
    json!({
        "site_id": reading.site_id, "family": reading.family, "state": reading.state,
        "algorithm": reading.algorithm, "hashrate_hs": reading.hashrate_hs.as_deref().and_then(q32),
        "power_mw": reading.power_mw, "uptime_s": reading.uptime_s,
        "accepted_shares": reading.accepted_shares, "rejected_shares": reading.rejected_shares,
        "stale_shares": reading.stale_shares,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    #[test]
    fn what_is_shown_can_be_sent_again() {
        for (kind, body) in [
            (
                "share",
                r#"{"session_id":"s","job_id":"j","extranonce2":"00ff","ntime":"5f368665","nonce":"00000001"}"#,
            ),
            ("miner_sample", r#"{"machine_id":"m","answers":{"summary":{"a":1}}}"#),
            ("energy_reading", r#"{"machine_id":"m","meter_id":"e","register_wh":12,"witness":"meter"}"#),
            (
                "gpu_span",
                r#"{"node_id":"n","allocation_id":"1","account":"a","state":"RUNNING","gpus":8,"start_us":1790000000000000}"#,
            ),
            ("gpu_sample", r#"{"node_id":"n","device":"GPU-1","utilisation_ppm":0,"last_xid":79}"#),
            ("fact", r#"{"fact":"customer","entity":"c","valid_from_us":1,"body":{"name":"C"}}"#),
        ] {
            let text = format!(
                r#"{{"kind":"{kind}","key":"k","sequence":1,"event_time_us":1790000000000000,"body":{body}}}"#
            );
            let event = input::parse_json("s", &text).unwrap();
            let mut shown = to_json(&event);
            let object = shown.as_object_mut().unwrap();
            assert_eq!(object.remove("source").unwrap(), "s");
            object.remove("resolved");
            assert_eq!(input::parse_json("s", &shown.to_string()).unwrap(), event, "{shown}");
        }
    }
}
