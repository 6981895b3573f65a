//! Facts that correct what was recorded: an event that is not to count, a meter that counted with a wrong ratio.

use serde::{Deserialize, Serialize};

use crate::identity::{EventId, id_of};
use crate::refusal::{InputError, InputFault};

/// The kind of a fact that voids an event.
pub const VOID: &str = "void";
/// The kind of a fact that corrects a meter's ratio.
pub const METER_RATIO: &str = "meter_ratio";
/// The longest name and the longest reason of a correction, in bytes.
pub const WORDS_BYTES_MAX: usize = 1_024;

/// An event by its source, epoch, key and sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountedEvent {
    /// The source.
    pub source: String,
    /// The source's epoch.
    #[serde(default)]
    pub source_epoch: u64,
    /// The key.
    pub key: String,
    /// The sequence.
    pub sequence: u64,
}

/// Says that an event no longer counts. It voids a share, a sample, a reading, a span, or another correction; other
/// facts are corrected by recording them again. Its entity is the event's id as 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Void {
    /// The event's id, 32 hex digits; for a share with a header, the id of its proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Or the event by its source, epoch, key and sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<CountedEvent>,
    /// Who voids it.
    pub who: String,
    /// Why.
    pub why: String,
}

/// Says that a meter's readings were taken with a wrong transformer ratio for the time of the fact. Its differences
/// in that time are multiplied by the right ratio over the used one. Its entity is the meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterRatio {
    /// The meter.
    pub meter_id: String,
    /// The ratio that was used: 200 of 200:5...
    pub used_num: u32,
    /// ...and its 5.
    pub used_den: u32,
    /// The ratio that is right...
    pub right_num: u32,
    /// ...and what it is over.
    pub right_den: u32,
    /// Who corrects it.
    pub who: String,
    /// Why.
    pub why: String,
}

pub(super) fn check_words(who: &str, why: &str) -> Result<(), InputError> {
    for (field, words) in [("who", who), ("why", why)] {
        if words.trim().is_empty() || words.len() > WORDS_BYTES_MAX {
            let reason = format!(
                "has {} bytes: a correction is kept for ever and says who made it and why, in 1 to \
                 {WORDS_BYTES_MAX} bytes each",
                words.len()
            );
            return Err(InputError::new(
                InputFault::CorrectionUnsigned,
                format!("body.body.{field}"),
                reason,
            ));
        }
    }
    Ok(())
}

impl CountedEvent {
    /// The event's identity.
    #[must_use]
    pub fn id(&self) -> EventId {
        id_of(&self.source, self.source_epoch, &self.key, self.sequence)
    }
}

impl Void {
    /// The identity of the event that is voided.
    ///
    /// # Errors
    /// [`InputError`] where none is given, or two are, or the id is not 32 hex digits.
    pub fn voids(&self) -> Result<EventId, InputError> {
        let named = |reason: &str| InputError::new(InputFault::CorrectionNamesNothing, "body.body", reason);
        match (&self.event_id, &self.event) {
            (Some(text), None) => wb_proof::hex::decode_array("event_id", text).map_err(|error| {
                InputError::new(InputFault::CorrectionNamesNothing, "body.body.event_id", error.to_string())
            }),
            (None, Some(event)) => Ok(event.id()),
            (None, None) => {
                Err(named("names no event: give event_id, or event with source, key and sequence"))
            }
            (Some(_), Some(_)) => Err(named("names an event twice: give event_id or event, not both")),
        }
    }

    /// The fact's entity.
    pub(super) fn checked_entity(&self) -> Result<String, InputError> {
        check_words(&self.who, &self.why)?;
        Ok(id_text(&self.voids()?))
    }
}

/// An event's id as people and facts write it: 32 lower-case hex digits.
#[must_use]
pub fn id_text(id: &EventId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl MeterRatio {
    /// The fact's entity.
    pub(super) fn checked_entity(&self) -> Result<String, InputError> {
        check_words(&self.who, &self.why)?;
        for (field, part) in [
            ("used_num", self.used_num),
            ("used_den", self.used_den),
            ("right_num", self.right_num),
            ("right_den", self.right_den),
        ] {
            if part == 0 {
                let reason = "is 0: a ratio is of two whole numbers above 0, such as 200 over 5";
                return Err(InputError::new(
                    InputFault::RatioImpossible,
                    format!("body.body.{field}"),
                    reason,
                ));
            }
        }
        Ok(self.meter_id.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::FactBody;

    const ID: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn corrections_say_what_who_and_why() {
        let by = r#""who":"anna","why":"test share""#;
        for (kind, entity, body, code, field) in [
            ("void", ID, format!("{{{by}}}"), "WB-2006", "body.body"),
            ("void", ID, format!(r#"{{"event_id":"zz",{by}}}"#), "WB-2006", "event_id"),
            (
                "void",
                ID,
                format!(r#"{{"event_id":"{ID}","event":{{"source":"s","key":"k","sequence":1}},{by}}}"#),
                "WB-2006",
                "body.body",
            ),
            ("void", ID, format!(r#"{{"event_id":"{ID}","who":"anna","why":" "}}"#), "WB-2007", "why"),
            ("void", "other", format!(r#"{{"event_id":"{ID}",{by}}}"#), "WB-2001", "entity"),
            (
                "meter_ratio",
                "e",
                format!(
                    r#"{{"meter_id":"e","used_num":200,"used_den":5,"right_num":400,"right_den":0,{by}}}"#
                ),
                "WB-2008",
                "right_den",
            ),
            (
                "meter_ratio",
                "e",
                format!(r#"{{"meter_id":"e","used_num":-1,"used_den":5,"right_num":4,"right_den":5,{by}}}"#),
                "WB-2001",
                "used_num",
            ),
            (
                "meter_ratio",
                "f",
                format!(r#"{{"meter_id":"e","used_num":2,"used_den":5,"right_num":4,"right_den":5,{by}}}"#),
                "WB-2001",
                "entity",
            ),
        ] {
            let error = FactBody::parse(kind, entity, &body).unwrap_err();
            assert_eq!(error.code, code, "{body}: {error}");
            assert!(error.field.contains(field), "{body}: {error}");
        }
        let kept = format!(r#"{{"event_id":"{ID}","who":"anna","why":"test share"}}"#);
        assert_eq!(FactBody::parse("void", ID, &kept).unwrap().to_json(), kept);
        let kept = r#"{"meter_id":"e","right_den":5,"right_num":400,"used_den":5,"used_num":200,"who":"a","why":"b"}"#;
        let ratio = FactBody::parse("meter_ratio", "e", kept).unwrap();
        assert_eq!((ratio.to_json().as_str(), ratio.needs_end()), (kept, true));
    }

    #[test]
    fn an_event_can_be_named_by_its_senders_count() {
        let event =
            super::CountedEvent { source: "agent".into(), source_epoch: 3, key: "m".into(), sequence: 9 };
        let counted = crate::Event {
            source: "agent".into(),
            source_epoch: 3,
            key: "m".into(),
            sequence: 9,
            ..crate::Event::default()
        };
        assert_eq!(event.id(), crate::identity::event_id(&counted));
        let entity = super::id_text(&event.id());
        let body =
            r#"{"event":{"key":"m","sequence":9,"source":"agent","source_epoch":3},"who":"a","why":"b"}"#;
        assert_eq!(FactBody::parse("void", &entity, body).unwrap().to_json(), body);
    }
}
