//! GPU and MIG slice samples from `dcgm-exporter`.
//!
//! DCGM writes sentinels where it has no value, and exporters print them as numbers: 0x7ffffff0 and the three above
//! it in 32 bits, 0x7ffffffffffffff0 and those above in 64, 2^47 and the three above for floating fields, and
//! 4294967295 for an unsigned -1. None of them is a value, and the fields that had one are listed. (Source: DCGM's
//! `dcgm_structs.h`, blank values.)
//!
//! A MIG slice's row carries the UUID of its GPU and no power. A slice is a device of its own, by its instance id;
//! the GPU's values are not added to it.

use std::collections::BTreeMap;

use crate::prometheus::Sample;

/// The values of one GPU or slice at one scrape; `None` where a value is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceReading {
    /// The host.
    pub host: String,
    /// The GPU's UUID; of a slice, its parent's.
    pub uuid: String,
    /// The slice's profile and GPU instance id.
    pub mig: Option<(String, String)>,
    /// The model.
    pub model: String,
    /// The pod that holds it, where the exporter knows it: (namespace, pod).
    pub pod: Option<(String, String)>,
    /// Share of time with any kernel running, in parts per million.
    pub utilisation_ppm: Option<u64>,
    /// Share of time with the engine active, in parts per million: also for slices.
    pub engine_active_ppm: Option<u64>,
    /// Power in milliwatts.
    pub power_mw: Option<u64>,
    /// Energy since the driver was loaded, in millijoules: a counter.
    pub energy_mj: Option<u64>,
    /// Memory used, in MiB.
    pub memory_used_mib: Option<u64>,
    /// The last XID fault, zero for none: a last value, never a count.
    pub last_xid: Option<u64>,
    /// XID faults within the exporter's window, of all numbers together.
    pub xid_count: Option<u64>,
    /// Fields whose value was a sentinel.
    pub blanks: Vec<String>,
}

/// Reads the samples of one scrape: one reading for each GPU and slice, in order of host, UUID and
/// instance. Samples of other exporters are left out, and so are those without a UUID.
#[must_use]
pub fn read(samples: &[Sample]) -> Vec<DeviceReading> {
    let mut devices: BTreeMap<(String, String, String), DeviceReading> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| is_of_dcgm(&sample.name)) {
        let label = |name: &str| sample.label(name).unwrap_or_default().to_owned();
        // The exporter calls it `Hostname` or `hostname`, by version.
        let host = sample.label("hostname").or_else(|| sample.label("Hostname")).unwrap_or_default();
        let (host, uuid) = (host.to_ascii_lowercase(), label("UUID"));
        if uuid.is_empty() {
            continue;
        }
        let instance = label("GPU_I_ID");
        let device = devices.entry((host.clone(), uuid.clone(), instance.clone())).or_insert_with(|| {
            let mig = (!instance.is_empty()).then(|| (label("GPU_I_PROFILE"), instance.clone()));
            let pod = sample.label("pod").map(|pod| (label("namespace"), pod.to_owned()));
            DeviceReading { host, uuid, mig, model: label("modelName"), pod, ..DeviceReading::default() }
        });
        take(device, sample);
    }
    devices.into_values().collect()
}

/// Whether it is the exporter's own: a field of DCGM, or what it counts itself.
fn is_of_dcgm(name: &str) -> bool {
    name.starts_with("DCGM_FI_") || name == "DCGM_EXP_XID_ERRORS_COUNT"
}

impl DeviceReading {
    /// Whether it has any value of the GPU's use, memory, power or faults.
    #[must_use]
    pub fn says_anything(&self) -> bool {
        let said = [self.utilisation_ppm, self.engine_active_ppm, self.power_mw, self.memory_used_mib];
        said.iter().chain([&self.last_xid, &self.xid_count]).any(Option::is_some)
    }
}

fn take(device: &mut DeviceReading, sample: &Sample) {
    if is_blank(sample) {
        device.blanks.push(sample.name.clone());
        return;
    }
    let value = |places| sample.scaled(places).and_then(|value| u64::try_from(value).ok());
    match sample.name.as_str() {
        // Percent to parts per million, and never more than all of the time.
        "DCGM_FI_DEV_GPU_UTIL" => device.utilisation_ppm = value(4).filter(|share| *share <= 1_000_000),
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE" => {
            device.engine_active_ppm = value(6).filter(|share| *share <= 1_000_000);
        }
        "DCGM_FI_DEV_POWER_USAGE" if device.mig.is_none() => device.power_mw = value(3),
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION" if device.mig.is_none() => device.energy_mj = value(0),
        "DCGM_FI_DEV_FB_USED" => device.memory_used_mib = value(0),
        "DCGM_FI_DEV_XID_ERRORS" => device.last_xid = value(0),
        // A series for each number of a fault.
        "DCGM_EXP_XID_ERRORS_COUNT" => {
            let before = device.xid_count.unwrap_or(0);
            device.xid_count = value(0).map_or(device.xid_count, |count| Some(before.saturating_add(count)));
        }
        _ => {}
    }
}

/// Whether a value is one of DCGM's blanks, also where it went through a double on its way.
fn is_blank(sample: &Sample) -> bool {
    const INT32: u128 = 0x7fff_fff0;
    const INT64: u128 = 0x7fff_ffff_ffff_fff0;
    const FLOAT: u128 = 1 << 47;
    let Some(value) = sample.scaled(0) else { return true };
    (INT32..INT32 + 4).contains(&value)
        || (FLOAT..FLOAT + 4).contains(&value)
        || value == u128::from(u32::MAX)
        || value >= INT64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus;

    fn one(line: &str) -> DeviceReading {
        read(&prometheus::parse(line).unwrap()).remove(0)
    }

    #[test]
    fn sentinels_are_no_values() {
        for value in [
            "2147483632",
            "2147483635",
            "9223372036854775792",
            "9223372036854775794",
            "9.223372036854776e+18",
            "140737488355328",
            "1.40737488355328e+14",
            "4294967295",
            "NaN",
        ] {
            let device = one(&format!("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{UUID=\"g\"}} {value}"));
            assert_eq!((device.energy_mj, device.blanks.len()), (None, 1), "{value}");
        }
        let device = one("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID=\"g\"} 140737488355332");
        assert_eq!(device.energy_mj, Some(140_737_488_355_332));
        assert_eq!(one("DCGM_FI_DEV_GPU_UTIL{UUID=\"g\"} 97.5").utilisation_ppm, Some(975_000));
    }

    #[test]
    fn faults_are_counted_over_their_numbers() {
        let text = "DCGM_EXP_XID_ERRORS_COUNT{UUID=\"g\",xid=\"31\",Hostname=\"N1\"} 2\n\
                    DCGM_EXP_XID_ERRORS_COUNT{UUID=\"g\",xid=\"79\",Hostname=\"N1\"} 1\n";
        let device = one(text);
        assert_eq!((device.host.as_str(), device.xid_count, device.last_xid), ("n1", Some(3), None));
        assert!(device.says_anything());
        assert!(!one("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID=\"g\"} 5").says_anything());
    }

    #[test]
    fn a_slice_is_its_own_device_without_power() {
        let text = "DCGM_FI_DEV_POWER_USAGE{UUID=\"g\",GPU_I_PROFILE=\"1g.5gb\",GPU_I_ID=\"7\"} 100\n\
                    DCGM_FI_DEV_POWER_USAGE{UUID=\"g\"} 300.5\nDCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} 1\nother 5\n";
        let devices = read(&prometheus::parse(text).unwrap());
        let power: Vec<_> = devices.iter().map(|device| (device.mig.is_some(), device.power_mw)).collect();
        assert_eq!(power, [(false, Some(300_500)), (true, None)]);
    }
}
