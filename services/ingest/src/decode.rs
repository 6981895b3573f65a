//! Parses a body to events, each by itself, so that a bad event refuses only itself.

use prost::Message as _;
use serde_json::value::RawValue;
use wb_events::Event;
use wb_events::input::{self, InputError, InputFault};
use wb_events::wire;

use crate::answer::Refusal;
use crate::limits;

/// The formats of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Ndjson,
    Protobuf,
}

impl Form {
    pub(crate) fn of(content_type: Option<&str>) -> Result<Self, Refusal> {
        let named = content_type.unwrap_or("application/json");
        let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Ndjson),
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            _ => Err(Refusal::UnknownType(named.chars().take(64).collect())),
        }
    }
}

/// Parses all events of a body.
pub(crate) fn events(
    source: &str,
    form: Form,
    body: &[u8],
) -> Result<Vec<Result<Event, InputError>>, Refusal> {
    let events = match form {
        Form::Protobuf => protobuf(source, body)?,
        Form::Json => {
            let text = text(body)?;
            if text.trim_start().starts_with('[') {
                let items: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|error| Refusal::Malformed(error.to_string()))?;
                bound(items.len())?;
                items.iter().map(|item| one(source, item.get())).collect()
            } else {
                if text.trim().is_empty() {
                    return Err(Refusal::Empty);
                }
                let item: &RawValue =
                    serde_json::from_str(text).map_err(|error| Refusal::Malformed(error.to_string()))?;
                vec![one(source, item.get())]
            }
        }
        Form::Ndjson => {
            let lines: Vec<&str> =
                text(body)?.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            bound(lines.len())?;
            lines.iter().map(|line| one(source, line)).collect()
        }
    };
    if events.is_empty() { Err(Refusal::Empty) } else { Ok(events) }
}

fn text(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body).map_err(|error| Refusal::Malformed(format!("not UTF-8: {error}")))
}

fn bound(events: usize) -> Result<(), Refusal> {
    if events > limits::EVENTS_MAX { Err(Refusal::TooManyEvents(events)) } else { Ok(()) }
}

fn one(source: &str, text: &str) -> Result<Event, InputError> {
    if text.len() > limits::EVENT_BYTES_MAX {
        let reason = format!("has {} bytes, at most {} are accepted", text.len(), limits::EVENT_BYTES_MAX);
        return Err(InputError::new(InputFault::TooLarge, "event", reason));
    }
    input::parse_json(source, text)
}

fn protobuf(source: &str, body: &[u8]) -> Result<Vec<Result<Event, InputError>>, Refusal> {
    let batch = wire::EventBatch::decode(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
    bound(batch.events.len())?;
    let own = |mut event: Event| {
        source.clone_into(&mut event.source);
        if event.encoded_len() > limits::EVENT_BYTES_MAX {
            return Err(InputError::new(InputFault::TooLarge, "event", "larger than an event may be"));
        }
        input::check(event)
    };
    Ok(batch.events.into_iter().map(own).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: &str = r#"{"kind":"energy_reading","key":"k","sequence":1,"event_time_us":1790000000000000,"body":{"machine_id":"m","meter_id":"e","register_wh":12,"witness":"meter"}}"#;

    #[test]
    fn the_three_forms_say_the_same() {
        let json = events("s", Form::Json, format!("[{READING}]").as_bytes()).unwrap();
        let single = events("s", Form::Json, READING.as_bytes()).unwrap();
        let ndjson = events("s", Form::Ndjson, format!("{READING}\n\n").as_bytes()).unwrap();
        let event = json[0].clone().unwrap();
        let forged = Event { source: "somebody-else".into(), ..event.clone() };
        let batch = wire::EventBatch { events: vec![forged] }.encode_to_vec();
        let protobuf = events("s", Form::Protobuf, &batch).unwrap();
        for read in [&single, &ndjson, &protobuf] {
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].clone().unwrap(), event);
        }
    }

    #[test]
    fn one_bad_event_refuses_only_itself() {
        let read = events("s", Form::Ndjson, format!("{READING}\n{{\"kind\"\n{READING}").as_bytes()).unwrap();
        assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn bodies_without_sense_are_refused_whole() {
        for (form, body) in [
            (Form::Json, "".as_bytes()),
            (Form::Json, b"[]"),
            (Form::Json, b"{"),
            (Form::Json, b"[1,"),
            (Form::Json, b"\xff\xfe"),
            (Form::Ndjson, b"\n\n"),
            (Form::Protobuf, b"\xff\xff"),
            (Form::Protobuf, b""),
        ] {
            assert!(events("s", form, body).is_err(), "{form:?} {body:?}");
        }
        let many = format!("[{}1]", "1,".repeat(limits::EVENTS_MAX));
        assert!(matches!(events("s", Form::Json, many.as_bytes()), Err(Refusal::TooManyEvents(_))));
    }
}
