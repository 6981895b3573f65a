//! The recorded nodes in dcgm-exporter's format: sentinels are removed, and slices are kept apart from their GPU.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::path::Path;

use wb_metering::gpu::allocation::MigProfile;
use wb_metering::gpu::dcgm::{self, DeviceReading};
use wb_metering::prometheus;

fn node(name: &str) -> Vec<DeviceReading> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/dcgm").join(name);
    dcgm::read(&prometheus::parse(&std::fs::read_to_string(path).unwrap()).unwrap())
}

#[test]
fn whole_gpus_have_power_energy_and_faults() {
    let gpus = node("h100_node.prom");
    assert_eq!(gpus.len(), 3);
    assert!(gpus.iter().all(|gpu| gpu.host == "tx1-r04-n07" && gpu.mig.is_none()));
    let shown: Vec<_> = gpus
        .iter()
        .map(|gpu| (gpu.utilisation_ppm, gpu.power_mw, gpu.energy_mj, gpu.last_xid, gpu.blanks.as_slice()))
        .collect();
    assert_eq!(shown[0], (Some(970_000), Some(688_412), Some(1_894_837_261_554), Some(0), &[][..]));
    let blanks = ["DCGM_FI_DEV_MEMORY_TEMP".to_owned()];
    assert_eq!(shown[1], (Some(0), Some(71_933), Some(93_201_774_210), Some(79), &blanks[..]));
    let blanks = ["DCGM_FI_DEV_GPU_UTIL".to_owned()];
    assert_eq!(shown[2], (None, None, None, None, &blanks[..]));
}

#[test]
fn slices_carry_their_gpus_uuid_and_no_power() {
    let slices = node("a100_mig_node.prom");
    let shown: Vec<_> = slices
        .iter()
        .map(|slice| {
            let (profile, instance) = slice.mig.clone().unwrap();
            let compute = MigProfile::parse(&profile).unwrap().compute_slices;
            (instance, compute, slice.engine_active_ppm, slice.memory_used_mib, slice.power_mw)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("3".to_owned(), 2, Some(220_117), Some(8_800), None),
            ("7".to_owned(), 1, Some(913_044), Some(3_120), None),
        ]
    );
    assert_eq!(slices[0].uuid, slices[1].uuid);
    assert_eq!(slices[1].pod, Some(("acme".to_owned(), "finetune-0".to_owned())));
}
