//! Samples of GPUs from the series of dcgm-exporter.
//!
//! A scrape of a GPU consists of several series, which a sender may spread over requests. The values of one GPU and
//! time in one request are one sample. Its key lists the values it has, so the rest of the scrape in another request
//! is a separate sample. A repeated request gives the same samples.

use std::collections::BTreeMap;

use wb_auth::Source;
use wb_events::wire::{GpuSample, event::Body};
use wb_metering::gpu::dcgm::{self, DeviceReading};
use wb_metering::prometheus::Sample;

use super::Ready;
use super::observed::{MILLISECOND_US, event};
use super::write::Point;

/// The metrics to read.
pub(super) const METRICS: [&str; 6] = [
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_XID_ERRORS",
    "DCGM_EXP_XID_ERRORS_COUNT",
];

/// The samples of a request, by time and device.
pub(super) fn samples(source: &Source, points: Vec<Point>) -> Vec<Ready> {
    let mut scrapes: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
    for point in points {
        scrapes.entry(point.at_us).or_default().push(point.sample);
    }
    let of_scrape = |(at_us, mut said): (i64, Vec<Sample>)| {
        // A repeated series counts once.
        said.sort_unstable();
        said.dedup();
        let said: Vec<_> =
            dcgm::read(&said).iter().filter_map(|device| sample(source, at_us, device)).collect();
        said
    };
    scrapes.into_iter().flat_map(of_scrape).collect()
}

fn sample(source: &Source, at_us: i64, device: &DeviceReading) -> Option<Ready> {
    if !device.says_anything() {
        return None;
    }
    let (profile, instance) = device.mig.clone().unwrap_or_default();
    let values = [
        ("u", device.utilisation_ppm),
        ("e", device.engine_active_ppm),
        ("m", device.memory_used_mib),
        ("p", device.power_mw),
        ("x", device.last_xid),
        ("c", device.xid_count),
    ];
    let has: String = values.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
    let key = format!("gpu/{}/sample/{instance}/{has}", device.uuid);
    let body = Body::GpuSample(GpuSample {
        node_id: device.host.clone(),
        device: device.uuid.clone(),
        // The part after `+` is an attribute and does not change the slice's size.
        profile: profile.split('+').next().unwrap_or_default().to_owned(),
        instance,
        utilisation_ppm: device.utilisation_ppm,
        engine_active_ppm: device.engine_active_ppm,
        memory_used_mib: device.memory_used_mib,
        power_mw: device.power_mw,
        last_xid: device.last_xid,
        xid_count: device.xid_count,
        site_id: String::new(),
    });
    Some(event(source, key, at_us / MILLISECOND_US, at_us, body))
}

#[cfg(test)]
mod tests {
    use wb_auth::{GeneratedKey, Role, SourceEntry, SourceKeys};
    use wb_events::Event;
    use wb_metering::prometheus;

    use super::*;

    const AT_US: i64 = 1_790_000_000_250_000;

    fn source() -> Source {
        let generated = GeneratedKey::random().unwrap();
        let key_sha256_hex = generated.key_sha256_hex;
        let entry = SourceEntry { id: "site".to_owned(), key_sha256_hex, roles: vec![Role::Telemetry] };
        let keys = SourceKeys::from_entries(vec![entry]).unwrap();
        keys.authenticate(Some(&format!("Bearer {}", generated.key))).unwrap().clone()
    }

    fn points(at_us: i64, text: &str) -> Vec<Point> {
        let samples = prometheus::parse(text).unwrap();
        samples.into_iter().map(|sample| Point { at_us, sample }).collect()
    }

    fn events(points: Vec<Point>) -> Vec<Event> {
        samples(&source(), points).into_iter().map(Result::unwrap).collect()
    }

    const WHOLE: &str = "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\",Hostname=\"N7\"} 97\n\
                         DCGM_FI_DEV_POWER_USAGE{UUID=\"GPU-1\",Hostname=\"N7\"} 688.412\n";
    const REST: &str = "DCGM_FI_DEV_XID_ERRORS{UUID=\"GPU-1\",Hostname=\"N7\"} 79\n";

    #[test]
    fn a_request_makes_one_sample_of_a_gpu_and_time() {
        let both = [
            points(AT_US, WHOLE),
            points(AT_US, REST),
            points(AT_US, REST),
            points(AT_US + 30_000_000, WHOLE),
        ];
        let made = events(both.concat());
        let [first, second] = made.as_slice() else { panic!("{made:?}") };
        let Some(Body::GpuSample(sample)) = &first.body else { panic!("{first:?}") };
        assert_eq!((sample.node_id.as_str(), sample.device.as_str()), ("n7", "GPU-1"));
        assert_eq!(
            (sample.utilisation_ppm, sample.power_mw, sample.last_xid, sample.memory_used_mib),
            (Some(970_000), Some(688_412), Some(79), None)
        );
        assert_eq!((first.sequence, second.sequence), (1_790_000_000_250, 1_790_000_030_250));
        // A repeated request gives the same events; a scrape in two requests gives two samples.
        assert_eq!(events(both.concat()), made);
        let parts = [events(points(AT_US, WHOLE)), events(points(AT_US, REST))].concat();
        let keys: Vec<&str> = parts.iter().chain([first]).map(|event| event.key.as_str()).collect();
        assert_eq!(keys, ["gpu/GPU-1/sample//up", "gpu/GPU-1/sample//x", "gpu/GPU-1/sample//upx"]);
    }

    #[test]
    fn slices_are_devices_of_their_own_and_blanks_say_nothing() {
        let text = "DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID=\"G\",GPU_I_PROFILE=\"1g.10gb+me\",GPU_I_ID=\"7\",Hostname=\"n\"} 0.5\n\
                    DCGM_FI_DEV_POWER_USAGE{UUID=\"G\",GPU_I_PROFILE=\"1g.10gb+me\",GPU_I_ID=\"7\",Hostname=\"n\"} 70\n\
                    DCGM_FI_DEV_GPU_UTIL{UUID=\"H\",Hostname=\"n\"} 4294967295\n";
        let made = events(points(AT_US, text));
        let [event] = made.as_slice() else { panic!("{made:?}") };
        let Some(Body::GpuSample(sample)) = &event.body else { panic!("{event:?}") };
        assert_eq!((sample.profile.as_str(), sample.instance.as_str()), ("1g.10gb", "7"));
        assert_eq!((sample.engine_active_ppm, sample.power_mw), (Some(500_000), None));
    }
}
