//! GPU allocations and GPU samples: the JSON form and its checks.

use serde::Deserialize;
use wb_units::time::EARLIEST_EVENT_US;

use super::{InputError, InputFault, check_id};
use crate::wire;

/// All of something, in parts per million.
const WHOLE_PPM: u64 = 1_000_000;
/// The largest power of a GPU that is taken: far above any GPU, far below the values that mean "no value".
const POWER_MW_MAX: u64 = 100_000_000;
/// The most memory use of a GPU that is taken, in MiB: as above.
const MEMORY_MIB_MAX: u64 = 100_000_000;
/// The highest number of a fault, and of faults: as above.
const FAULT_MAX: u64 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonSpan {
    node_id: String,
    allocation_id: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    profile: String,
    account: String,
    state: String,
    gpus: u32,
    start_us: i64,
    #[serde(default)]
    end_us: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonSample {
    node_id: String,
    device: String,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    utilisation_ppm: Option<u64>,
    #[serde(default)]
    engine_active_ppm: Option<u64>,
    #[serde(default)]
    memory_used_mib: Option<u64>,
    #[serde(default)]
    power_mw: Option<u64>,
    #[serde(default)]
    last_xid: Option<u64>,
    #[serde(default)]
    xid_count: Option<u64>,
}

pub(super) fn read_span(span: JsonSpan) -> wire::GpuSpan {
    wire::GpuSpan {
        node_id: span.node_id,
        allocation_id: span.allocation_id,
        device: span.device,
        profile: span.profile,
        account: span.account,
        state: span.state,
        gpus: span.gpus,
        start_us: span.start_us,
        end_us: span.end_us,
        site_id: String::new(),
    }
}

pub(super) fn read_sample(sample: JsonSample) -> wire::GpuSample {
    wire::GpuSample {
        node_id: sample.node_id,
        device: sample.device,
        profile: sample.profile,
        instance: sample.instance,
        utilisation_ppm: sample.utilisation_ppm,
        engine_active_ppm: sample.engine_active_ppm,
        memory_used_mib: sample.memory_used_mib,
        power_mw: sample.power_mw,
        last_xid: sample.last_xid,
        xid_count: sample.xid_count,
        site_id: String::new(),
    }
}

pub(super) fn check_span(span: &mut wire::GpuSpan) -> Result<(), InputError> {
    span.site_id.clear();
    for (field, id) in [
        ("body.node_id", &span.node_id),
        ("body.allocation_id", &span.allocation_id),
        ("body.account", &span.account),
        ("body.state", &span.state),
    ] {
        check_id(field, id)?;
    }
    for (field, text) in [("body.device", &span.device), ("body.profile", &span.profile)] {
        if !text.is_empty() {
            check_id(field, text)?;
        }
    }
    if span.gpus == 0 {
        return Err(InputError::field("body.gpus", "is 0: a span holds at least one GPU or slice"));
    }
    if span.start_us < EARLIEST_EVENT_US {
        return Err(InputError::new(
            InputFault::TooEarly,
            "body.start_us",
            "before 2009: send UTC microseconds",
        ));
    }
    if span.end_us.is_some_and(|end_us| end_us < span.start_us) {
        return Err(InputError::field("body.end_us", "is before start_us: a span ends after it began"));
    }
    Ok(())
}

/// Checks a sample. A value that no GPU can have is refused: exporters write such numbers where they have no value.
pub(super) fn check_sample(sample: &mut wire::GpuSample) -> Result<(), InputError> {
    sample.site_id.clear();
    for (field, id) in [("body.node_id", &sample.node_id), ("body.device", &sample.device)] {
        check_id(field, id)?;
    }
    for (field, text) in [("body.profile", &sample.profile), ("body.instance", &sample.instance)] {
        if !text.is_empty() {
            check_id(field, text)?;
        }
    }
    if sample.profile.is_empty() != sample.instance.is_empty() {
        let reason = "a MIG slice has a profile and an instance, a whole GPU neither: send both or none";
        return Err(InputError::field("body.instance", reason));
    }
    let said = [
        ("body.utilisation_ppm", sample.utilisation_ppm, WHOLE_PPM),
        ("body.engine_active_ppm", sample.engine_active_ppm, WHOLE_PPM),
        ("body.memory_used_mib", sample.memory_used_mib, MEMORY_MIB_MAX),
        ("body.power_mw", sample.power_mw, POWER_MW_MAX),
        ("body.last_xid", sample.last_xid, FAULT_MAX),
        ("body.xid_count", sample.xid_count, FAULT_MAX),
    ];
    for (field, value, most) in said {
        if let Some(value) = value.filter(|value| *value > most) {
            let reason = format!("is {value}, at most {most}: leave out what has no value");
            return Err(InputError::field(field, reason));
        }
    }
    if said.iter().all(|(_, value, _)| value.is_none()) {
        return Err(InputError::field("body", "says nothing: a sample has at least one value"));
    }
    Ok(())
}
