//! The JSON form of events at the HTTP edge, turned into the wire form.

mod gpu;
mod shares;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use wb_units::time::EARLIEST_EVENT_US;

use crate::facts::FactBody;
use crate::missing::{self, missing_fields};
pub use crate::refusal::{InputError, InputFault};
use crate::wire::{self, Event, event::Body};

/// The longest id of anything.
pub const ID_LENGTH_MAX: usize = 128;
/// The longest set of answers of a machine.
pub const ANSWERS_BYTES_MAX: usize = 256 * 1024;
/// The longest reason why a machine did not answer.
pub const UNREACHABLE_BYTES_MAX: usize = 256;
/// The longest body of a fact.
pub const FACT_BYTES_MAX: usize = 128 * 1024;
/// How deep JSON may nest.
pub const JSON_DEPTH_MAX: usize = 32;

/// The codes of refusals that may succeed when the event is sent again, after others recorded the facts it needs.
pub const WORTH_SENDING_AGAIN: [&str; 3] =
    [InputFault::UnknownSession.code(), InputFault::UnknownMachine.code(), InputFault::NoRoomForJobs.code()];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonEvent<'a> {
    kind: String,
    key: String,
    sequence: u64,
    #[serde(default)]
    source_epoch: u64,
    event_time_us: i64,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonMinerSample {
    machine_id: String,
    #[serde(default)]
    answers: Option<Box<RawValue>>,
    #[serde(default)]
    unreachable: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonEnergyReading {
    machine_id: String,
    meter_id: String,
    register_wh: u64,
    witness: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonFact {
    fact: String,
    entity: String,
    valid_from_us: i64,
    #[serde(default)]
    valid_to_us: Option<i64>,
    body: Box<RawValue>,
}

/// The form of an event as [`JsonEvent`] reads it, without borrowing: it tells which fields are missing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its form is read")]
struct EventForm {
    kind: String,
    key: String,
    sequence: u64,
    #[serde(default)]
    source_epoch: u64,
    event_time_us: i64,
    body: IgnoredAny,
}

/// Reads an event up to its body.
fn read_event(text: &str) -> Result<JsonEvent<'_>, InputError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        missing::refusal("", &path, error.into_inner().to_string(), &missing_fields::<EventForm>(text))
    })
}

/// Reads a body.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, InputError> {
    missing::read(text, "body")
}

/// How deep the brackets of a JSON text nest, strings skipped.
fn depth(text: &str) -> usize {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (true, _) => {}
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => {
                now += 1;
                deepest = deepest.max(now);
            }
            (false, b'}' | b']') => now = now.saturating_sub(1),
            (false, _) => {}
        }
    }
    deepest
}

/// Reads one event of JSON. `source` is the one its API key belongs to.
///
/// # Errors
/// [`InputError`] naming the field, the reason and what would be right.
pub fn parse_json(source: &str, text: &str) -> Result<Event, InputError> {
    if depth(text) > JSON_DEPTH_MAX {
        let reason = format!("nests deeper than {JSON_DEPTH_MAX} levels");
        return Err(InputError::new(InputFault::TooDeep, "event", reason));
    }
    let event = read_event(text)?;
    let body = match event.kind.as_str() {
        "share" => Body::Share(shares::read(read(event.body.get())?)?),
        "miner_sample" => {
            let sample: JsonMinerSample = read(event.body.get())?;
            Body::MinerSample(wire::MinerSample {
                machine_id: sample.machine_id,
                answers: sample.answers.map_or_else(String::new, |answers| answers.get().to_owned()),
                unreachable: sample.unreachable,
                reading: None,
            })
        }
        "energy_reading" => {
            let reading: JsonEnergyReading = read(event.body.get())?;
            Body::EnergyReading(wire::EnergyReading {
                meter_id: reading.meter_id,
                machine_id: reading.machine_id,
                register_wh: reading.register_wh,
                witness: reading.witness,
                site_id: String::new(),
            })
        }
        "gpu_span" => Body::GpuSpan(gpu::read_span(read(event.body.get())?)),
        "gpu_sample" => Body::GpuSample(gpu::read_sample(read(event.body.get())?)),
        "fact" => {
            let fact: JsonFact = read(event.body.get())?;
            Body::Fact(wire::Fact {
                kind: fact.fact,
                entity: fact.entity,
                valid_from_us: fact.valid_from_us,
                valid_to_us: fact.valid_to_us,
                body: fact.body.get().to_owned(),
            })
        }
        other => {
            let reason = format!(
                "unknown kind {other:?}: known are share, miner_sample, energy_reading, gpu_span, gpu_sample, fact"
            );
            return Err(InputError::field("kind", reason));
        }
    };
    check(Event {
        source: source.to_owned(),
        source_epoch: event.source_epoch,
        key: event.key,
        sequence: event.sequence,
        event_time_us: event.event_time_us,
        body: Some(body),
    })
}

fn check_id(field: &str, id: &str) -> Result<(), InputError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    if id.is_empty() || id.len() > ID_LENGTH_MAX || !id.bytes().all(allowed) {
        let reason = format!("an id has 1 to {ID_LENGTH_MAX} characters of A-Z a-z 0-9 . _ : / -");
        return Err(InputError::field(field, reason));
    }
    Ok(())
}

/// Checks an event that came in any form (JSON or Protobuf), and clears what only ingest may set.
///
/// # Errors
/// [`InputError`] naming the field, the reason and what would be right.
pub fn check(mut event: Event) -> Result<Event, InputError> {
    check_id("key", &event.key)?;
    if event.event_time_us < EARLIEST_EVENT_US {
        let reason = format!(
            "{} is before Bitcoin's first block ({EARLIEST_EVENT_US}): the sender's clock is wrong; \
             send UTC microseconds since 1970",
            event.event_time_us
        );
        return Err(InputError::new(InputFault::TooEarly, "event_time_us", reason));
    }
    match &mut event.body {
        None => return Err(InputError::field("body", "missing: an event has one body")),
        Some(Body::Share(share)) => shares::check(share)?,
        Some(Body::MinerSample(sample)) => check_sample(sample)?,
        Some(Body::EnergyReading(reading)) => {
            reading.site_id.clear();
            check_id("body.machine_id", &reading.machine_id)?;
            check_id("body.meter_id", &reading.meter_id)?;
            if !matches!(reading.witness.as_str(), "meter" | "pdu" | "firmware") {
                let reason = format!("unknown witness {:?}: known are meter, pdu, firmware", reading.witness);
                return Err(InputError::field("body.witness", reason));
            }
        }
        Some(Body::GpuSpan(span)) => gpu::check_span(span)?,
        Some(Body::GpuSample(sample)) => gpu::check_sample(sample)?,
        Some(Body::Fact(fact)) => check_fact(fact)?,
    }
    Ok(event)
}

fn check_sample(sample: &mut wire::MinerSample) -> Result<(), InputError> {
    sample.reading = None;
    check_id("body.machine_id", &sample.machine_id)?;
    if sample.answers.len() > ANSWERS_BYTES_MAX {
        let reason = format!("has {} bytes, at most {ANSWERS_BYTES_MAX}", sample.answers.len());
        return Err(InputError::field("body.answers", reason));
    }
    match &sample.unreachable {
        None if sample.answers.is_empty() => Err(InputError::field(
            "body.answers",
            "missing: send answers, or why there are none as unreachable",
        )),
        Some(_) if !sample.answers.is_empty() => Err(InputError::field(
            "body.unreachable",
            "a machine that answered was reached: send one of the two",
        )),
        Some(why) if why.is_empty() || why.len() > UNREACHABLE_BYTES_MAX => {
            let reason = format!("has {} bytes, 1 to {UNREACHABLE_BYTES_MAX} are taken", why.len());
            Err(InputError::field("body.unreachable", reason))
        }
        _ => Ok(()),
    }
}

fn check_fact(fact: &mut wire::Fact) -> Result<(), InputError> {
    check_id("body.entity", &fact.entity)?;
    if fact.body.len() > FACT_BYTES_MAX {
        let reason = format!("has {} bytes, at most {FACT_BYTES_MAX}", fact.body.len());
        return Err(InputError::field("body.body", reason));
    }
    if fact.valid_to_us.is_some_and(|to_us| to_us <= fact.valid_from_us) {
        return Err(InputError::field("body.valid_to_us", "is not after valid_from_us"));
    }
    let body = FactBody::parse(&fact.kind, &fact.entity, &fact.body)?;
    if body.needs_end() && fact.valid_to_us.is_none() {
        let reason = "missing: this kind of fact speaks of a span, from valid_from_us to valid_to_us";
        return Err(InputError::field("body.valid_to_us", reason));
    }
    fact.body = body.to_json();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "1790000000000000";

    fn parse(kind: &str, body: &str) -> Result<Event, InputError> {
        let text =
            format!(r#"{{"kind":"{kind}","key":"k","sequence":1,"event_time_us":{TIME},"body":{body}}}"#);
        parse_json("pool-a", &text)
    }

    #[test]
    fn each_kind_is_read() {
        for (kind, body) in [
            (
                "share",
                r#"{"session_id":"s","job_id":"j","extranonce2":"00ff","ntime":"5f368665","nonce":"00000001"}"#,
            ),
            ("miner_sample", r#"{"machine_id":"m","answers":{"summary":{}}}"#),
            ("miner_sample", r#"{"machine_id":"m","unreachable":"no answer within 5 s"}"#),
            ("energy_reading", r#"{"machine_id":"m","meter_id":"e","register_wh":12,"witness":"meter"}"#),
            (
                "gpu_span",
                r#"{"node_id":"n","allocation_id":"1","account":"a","state":"RUNNING","gpus":8,"start_us":1790000000000000}"#,
            ),
            ("gpu_sample", r#"{"node_id":"n","device":"0","engine_active_ppm":1000000}"#),
            (
                "gpu_sample",
                r#"{"node_id":"n","device":"GPU-1","profile":"1g.10gb","instance":"7","memory_used_mib":0}"#,
            ),
            ("fact", r#"{"fact":"customer","entity":"c","valid_from_us":1,"body":{"name":"C"}}"#),
        ] {
            let event = parse(kind, body).unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert_eq!(event.source, "pool-a");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let header = "00".repeat(79);
        let bad_header = format!(r#"{{"session_id":"s","header":"{header}","height":1}}"#);
        for (kind, body, field) in [
            (
                "share",
                r#"{"session_id":"s","job_id":"j","extranonce2":"0","ntime":"5f368665","nonce":"00000001"}"#,
                "body.extranonce2",
            ),
            ("share", r#"{"session_id":"s","job_id":"j","extranonce2":"","nonce":"00000001"}"#, "body.ntime"),
            ("share", r#"{"session_id":5}"#, "body.session_id"),
            ("share", bad_header.as_str(), "body.header"),
            (
                "energy_reading",
                r#"{"machine_id":"m","meter_id":"e","register_wh":-1,"witness":"meter"}"#,
                "body.register_wh",
            ),
            (
                "energy_reading",
                r#"{"machine_id":"m","meter_id":"e","register_wh":1,"witness":"guess"}"#,
                "body.witness",
            ),
            (
                "gpu_span",
                r#"{"node_id":"n","allocation_id":"1","account":"a","state":"RUNNING","gpus":0,"start_us":1790000000000000}"#,
                "body.gpus",
            ),
            (
                "fact",
                r#"{"fact":"customer","entity":"c","valid_from_us":1,"body":{"nome":"C"}}"#,
                "body.body",
            ),
            ("miner_sample", r#"{"machine_id":"m"}"#, "body.answers"),
            (
                "miner_sample",
                r#"{"machine_id":"m","answers":{},"unreachable":"timeout"}"#,
                "body.unreachable",
            ),
            ("miner_sample", r#"{"machine_id":"m","unreachable":""}"#, "body.unreachable"),
            ("gpu_sample", r#"{"node_id":"n","device":"0"}"#, "body"),
            ("gpu_sample", r#"{"node_id":"n","device":"","power_mw":1}"#, "body.device"),
            (
                "gpu_sample",
                r#"{"node_id":"n","device":"0","utilisation_ppm":1000001}"#,
                "body.utilisation_ppm",
            ),
            ("gpu_sample", r#"{"node_id":"n","device":"0","power_mw":2147483632}"#, "body.power_mw"),
            ("gpu_sample", r#"{"node_id":"n","device":"0","instance":"7","power_mw":1}"#, "body.instance"),
            ("tea", "{}", "kind"),
        ] {
            let error = parse(kind, body).unwrap_err();
            assert!(error.field.starts_with(field), "{kind}: {error}");
        }
    }

    #[test]
    fn all_missing_fields_are_named_at_once() {
        for (text, field, words) in [
            (
                r#"{"kind":"fact","body":{}}"#.to_owned(),
                "event",
                "key, sequence and event_time_us are missing",
            ),
            (r#"{"kind":"fact","key":"k","sequence":1,"body":{}}"#.to_owned(), "event_time_us", "is missing"),
        ] {
            let error = parse_json("p", &text).unwrap_err();
            assert_eq!(error.field, field, "{error}");
            assert!(error.reason.contains(words), "{error}");
        }
        let fact = |kind: &str, body: &str| {
            format!(r#"{{"fact":"{kind}","entity":"x","valid_from_us":1,"body":{body}}}"#)
        };
        for (kind, body, field, words) in [
            ("fact", "{}".to_owned(), "body", "fact, entity, valid_from_us and body are missing"),
            ("fact", fact("site", "{}"), "body.body", "name and time_zone are missing"),
            (
                "fact",
                fact("machine", r#"{"model":"S21"}"#),
                "body.body",
                "site_id and rated_power_mw are missing",
            ),
            (
                "fact",
                fact("assignment", r#"{"machine_id":"x"}"#),
                "body.body",
                "customer_id and contract_id are",
            ),
            ("fact", fact("customer", "{}"), "body.body.name", "name is missing"),
            (
                "energy_reading",
                "{}".to_owned(),
                "body",
                "machine_id, meter_id, register_wh and witness are missing",
            ),
            (
                "gpu_span",
                "{}".to_owned(),
                "body",
                "node_id, allocation_id, account, state, gpus and start_us",
            ),
            // A body that is no object at all.
            ("fact", fact("site", "7"), "body.body", "invalid type"),
        ] {
            let error = parse(kind, &body).unwrap_err();
            assert_eq!(error.field, field, "{error}");
            assert!(error.reason.contains(words), "{error}");
            assert!(!error.to_string().contains(".."), "{error}");
        }
    }

    #[test]
    fn broken_clocks_and_deep_nests_are_refused() {
        let early = r#"{"kind":"share","key":"k","sequence":1,"event_time_us":0,"body":{"session_id":"s","job_id":"j","extranonce2":"","ntime":"00000000","nonce":"00000000"}}"#;
        assert_eq!(parse_json("p", early).unwrap_err().code, "WB-2003");
        let nest = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(
            parse("miner_sample", &format!(r#"{{"machine_id":"m","answers":{nest}}}"#)).unwrap_err().code,
            "WB-2002"
        );
        for text in ["", "{", "[]", "null", "\"x\"", "{\"kind\":1}"] {
            assert!(parse_json("p", text).is_err(), "{text}");
        }
    }

    #[test]
    fn senders_cannot_resolve_their_own_shares() {
        let mut event = parse(
            "share",
            r#"{"session_id":"s","job_id":"j","extranonce2":"","ntime":"00000000","nonce":"00000000"}"#,
        )
        .unwrap();
        if let Some(Body::Share(share)) = &mut event.body {
            share.resolution = Some(wire::Resolution::default());
        }
        let checked = check(event).unwrap();
        assert!(matches!(checked.body, Some(Body::Share(wire::Share { resolution: None, .. }))));
    }
}
