//! Parses the body of a Prometheus remote write 1.0 request, a snappy block of Protobuf, with limits.
//!
//! Only the needed series are kept; all others are skipped.

use bytes::Bytes;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use wb_metering::prometheus::Sample;

use crate::answer::Refusal;
use crate::limits;

/// A point of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    /// The time of the scrape, UTC microseconds.
    pub(super) at_us: i64,
    /// The scraped value with its labels.
    pub(super) sample: Sample,
}

/// The body's message, as in `prometheus/prompb`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimeSeries {
    /// The name of the metric is the label `__name__`.
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<Label>,
    /// Its points.
    #[prost(message, repeated, tag = "2")]
    pub(crate) samples: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Label {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// A value and its time.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Value {
    /// The value; Prometheus marks the end of a series by a NaN.
    #[prost(double, tag = "1")]
    pub(crate) value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub(crate) timestamp: i64,
}

/// Decompresses the snappy block, whose first bytes state its size.
pub(super) fn decompress(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let undecodable =
        |error: snap::Error| Refusal::Undecompressable { encoding: "snappy", detail: error.to_string() };
    if snap::raw::decompress_len(body).map_err(undecodable)? > limits::DECOMPRESSED_BYTES_MAX {
        return Err(Refusal::DecompressedTooLarge);
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(undecodable)
}

/// Reads the points of the series whose names are `wanted`. Series are decoded one by one, so that memory is bounded
/// by what is kept.
pub(super) fn read(body: Vec<u8>, wanted: impl Fn(&str) -> bool) -> Result<Vec<Point>, Refusal> {
    let malformed = |error: prost::DecodeError| Refusal::Malformed(error.to_string());
    let mut rest = Bytes::from(body);
    let (mut series, mut points) = (0_usize, Vec::new());
    while !rest.is_empty() {
        let (tag, wire_type) = decode_key(&mut rest).map_err(malformed)?;
        if tag != 1 || wire_type != WireType::LengthDelimited {
            // Metadata, and fields of later versions.
            skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(malformed)?;
            continue;
        }
        series += 1;
        if series > limits::SERIES_MAX {
            return Err(Refusal::TooManySeries);
        }
        let size = decode_varint(&mut rest).map_err(malformed)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= rest.len());
        let size = size.ok_or_else(|| Refusal::Malformed(format!("series {series} is cut off")))?;
        if size > limits::SERIES_BYTES_MAX {
            return Err(Refusal::SeriesTooLarge(series));
        }
        let one = TimeSeries::decode(rest.split_to(size)).map_err(malformed)?;
        take(one, &wanted, &mut points);
    }
    Ok(points)
}

fn take(series: TimeSeries, wanted: &impl Fn(&str) -> bool, points: &mut Vec<Point>) {
    const NAME: &str = "__name__";
    let Some(name) = series.labels.iter().find(|label| label.name == NAME).map(|label| label.value.clone())
    else {
        return;
    };
    if !wanted(&name) {
        return;
    }
    let labels: std::collections::BTreeMap<String, String> = series
        .labels
        .into_iter()
        .filter(|label| label.name != NAME)
        .map(|label| (label.name, label.value))
        .collect();
    points.extend(series.samples.iter().map(|value| Point {
        at_us: value.timestamp.saturating_mul(1_000),
        // The shortest decimal text of a double is the scraped number.
        sample: Sample { name: name.clone(), labels: labels.clone(), value: format!("{}", value.value) },
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, value: f64) -> TimeSeries {
        let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
        TimeSeries {
            labels: vec![label("__name__", name), label("uid", "u1")],
            samples: vec![Value { value, timestamp: 1_790_000_000_123 }],
        }
    }

    fn request(series: &[TimeSeries]) -> Vec<u8> {
        let mut body = Vec::new();
        for one in series {
            prost::encoding::message::encode(1, one, &mut body);
        }
        // A field of a later version.
        prost::encoding::string::encode(9, &"metadata".to_owned(), &mut body);
        body
    }

    #[test]
    fn wanted_series_are_read_and_others_passed_over() {
        let body = request(&[series("a", 93_201_774_210.0), series("b", 1.0), series("a", f64::NAN)]);
        let packed = snap::raw::Encoder::new().compress_vec(&body).unwrap();
        let points = read(decompress(&packed).unwrap(), |name| name == "a").unwrap();
        let shown: Vec<_> = points.iter().map(|point| (point.at_us, point.sample.value.as_str())).collect();
        assert_eq!(shown, [(1_790_000_000_123_000, "93201774210"), (1_790_000_000_123_000, "NaN")]);
        assert_eq!(points[0].sample.label("uid"), Some("u1"));
        assert_eq!(points[0].sample.label("__name__"), None);
    }

    #[test]
    fn bombs_and_broken_bodies_are_refused() {
        let code = |result: Result<Vec<Point>, Refusal>| result.unwrap_err().code();
        assert_eq!(code(decompress(b"\xff\xff\xff\xff\x0f").map(|_| Vec::new())), "WB-2102");
        assert_eq!(code(decompress(b"not snappy").map(|_| Vec::new())), "WB-2104");
        let all = |_: &str| true;
        for cut in 1..8 {
            let body = request(&[series("a", 1.0)]);
            assert_eq!(code(read(body[..cut].to_vec(), all)), "WB-2107", "cut at {cut}");
        }
        // Two bytes each; all of them decoded at once would take forty-eight bytes each.
        assert_eq!(code(read([0x0a, 0x00].repeat(limits::SERIES_MAX + 1), all)), "WB-2115");
        let mut large = series("a", 1.0);
        large.labels[1].value = "x".repeat(limits::SERIES_BYTES_MAX);
        assert_eq!(code(read(request(&[large]), all)), "WB-2116");
        assert_eq!(read(Vec::new(), all).unwrap(), []);
    }
}
