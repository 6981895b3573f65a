//! How often a source must send, and when its events are late.

use serde::{Deserialize, Serialize};

use crate::refusal::InputError;

/// The kind of this fact.
pub const DATA_POLICY: &str = "data_policy";

/// The longest cadence, lateness or lead that can be agreed: 92 days, as far as a register's gap is closed.
pub const POLICY_US_MAX: i64 = 92 * 86_400 * 1_000_000;

/// How often a site's sources, a machine or a meter must send, and when an event is late. A meter's policy wins over
/// its machine's, that over its site's, that over the default, field by field. It is applied when figures are made,
/// never when events are counted. Its entity is `site/ID`, `machine/ID` or `meter/ID`, for the narrowest id that it
/// gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataPolicy {
    /// The site.
    pub site_id: String,
    /// The machine; absent where all of the site are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The meter; absent where all of the machine or site are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter_id: Option<String>,
    /// How often it is to be sampled or read, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_us: Option<i64>,
    /// How long after its time, in microseconds, an event is late: it counts, and is shown as late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_after_us: Option<i64>,
    /// How long after its time, in microseconds, an event is taken at all: a later one is left out, and its time is
    /// estimated from its neighbours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_max_us: Option<i64>,
    /// How far ahead of the log, in microseconds, an event's time may lie: what is further ahead is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_max_us: Option<i64>,
}

impl DataPolicy {
    /// The fact's entity.
    pub(super) fn checked_entity(&self) -> Result<String, InputError> {
        let wrong = |field: &str, reason: String| InputError::field(format!("body.body.{field}"), reason);
        for (field, value, least) in [
            ("every_us", self.every_us, 1_000_000),
            ("late_after_us", self.late_after_us, 0),
            ("late_max_us", self.late_max_us, 0),
            ("future_max_us", self.future_max_us, 0),
        ] {
            if value.is_some_and(|value_us| !(least..=POLICY_US_MAX).contains(&value_us)) {
                return Err(wrong(field, format!("must be {least} to {POLICY_US_MAX} microseconds")));
            }
        }
        if let (Some(after_us), Some(max_us)) = (self.late_after_us, self.late_max_us)
            && max_us < after_us
        {
            let reason = "is below late_after_us: an event is late before it is too late".to_owned();
            return Err(wrong("late_max_us", reason));
        }
        Ok(match (&self.meter_id, &self.machine_id) {
            (Some(meter_id), _) => format!("meter/{meter_id}"),
            (None, Some(machine_id)) => format!("machine/{machine_id}"),
            (None, None) => format!("site/{}", self.site_id),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::FactBody;

    #[test]
    fn a_policy_is_of_one_thing_and_within_bounds() {
        for (entity, body, field) in [
            ("site/s", r#"{"site_id":"s","every_us":999999}"#, "every_us"),
            ("site/s", r#"{"site_id":"s","late_after_us":-1}"#, "late_after_us"),
            ("site/s", r#"{"site_id":"s","late_after_us":9,"late_max_us":8}"#, "late_max_us"),
            ("site/s", r#"{"site_id":"s","future_max_us":7948800000001}"#, "future_max_us"),
            ("site/s", r#"{"site_id":"s","meter_id":"e"}"#, "entity"),
            ("s", r#"{"site_id":"s"}"#, "entity"),
        ] {
            let error = FactBody::parse("data_policy", entity, body).unwrap_err();
            assert!(error.field.contains(field), "{body}: {error}");
        }
        for (entity, body) in [
            ("site/s", r#"{"every_us":60000000,"site_id":"s"}"#),
            ("machine/m", r#"{"late_after_us":0,"machine_id":"m","site_id":"s"}"#),
            ("meter/e", r#"{"future_max_us":0,"machine_id":"m","meter_id":"e","site_id":"s"}"#),
        ] {
            assert_eq!(FactBody::parse("data_policy", entity, body).unwrap().to_json(), body);
        }
    }
}
