//! Instants in RFC 3339.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use jiff::Timestamp;
use wb_units::time::{Micros, rfc3339};

/// An instant in UTC as RFC 3339 text, such as `2026-10-01T00:05:00Z`, exact to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Micros);

/// An instant in UTC as RFC 3339 text, such as `2026-10-01T00:05:00Z`, exact to the microsecond.
#[Scalar]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let instant: Timestamp = text.parse().map_err(|_| {
            InputValueError::custom("a time is RFC 3339 text with an offset, such as 2026-10-01T00:05:00Z")
        })?;
        if instant.as_nanosecond() % 1_000 != 0 {
            return Err(InputValueError::custom("a time is exact to the microsecond: use at most 6 places"));
        }
        Ok(Self(instant.as_microsecond()))
    }

    fn to_value(&self) -> Value {
        Value::String(rfc3339(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written_exactly() {
        for (text, micros) in [
            ("2009-01-03T18:15:05Z", 1_231_006_505_000_000),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("2026-10-01T00:05:00Z", 1_790_813_100_000_000),
        ] {
            let time = Time::parse(Value::String(text.to_owned())).unwrap();
            assert_eq!(time.0, micros, "{text}");
            assert_eq!(time.to_value(), Value::String(text.to_owned()));
        }
        assert_eq!(
            Time::parse(Value::String("2026-10-01T02:05:00+02:00".into())).unwrap().0,
            1_790_813_100_000_000
        );
        for wrong in ["", "2026-10-01", "2026-10-01T00:00:00", "1970-01-01T00:00:00.0000001Z", "now"] {
            assert!(Time::parse(Value::String(wrong.to_owned())).is_err(), "{wrong}");
        }
        assert!(Time::parse(Value::from(5)).is_err());
    }
}
