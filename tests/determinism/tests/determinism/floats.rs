//! The sums in floats: the arm that must fail.
#![allow(
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "this is what floats do, written down as one would"
)]

use std::collections::BTreeMap;

use wb_events::Event;
use wb_events::u128_bytes;
use wb_events::wire::event::Body;

/// The value that a float program would add for an event: the reward of a share in satoshi, the price of the energy
/// since the reading before in cents. `registers` holds the last reading of each meter, in the order of time.
pub(crate) fn worth(event: &Event, registers: &mut BTreeMap<String, u64>) -> f64 {
    match &event.body {
        Some(Body::Share(share)) => {
            let resolution = share.resolution.clone().unwrap_or_default();
            let credited = u128_bytes::decode(&resolution.assigned_q32).unwrap_or(0) as f64 / 4_294_967_296.0;
            let exponent = i32::try_from(resolution.network_nbits >> 24).unwrap() - 3;
            let target = f64::from(resolution.network_nbits & 0x00ff_ffff) * 256_f64.powi(exponent);
            let difficulty = 65_535.0 * 2_f64.powi(208) / target;
            credited / difficulty * resolution.subsidy_sat as f64
        }
        Some(Body::EnergyReading(reading)) => {
            let before = registers.insert(reading.meter_id.clone(), reading.register_wh);
            before.map_or(0.0, |before| (reading.register_wh - before) as f64 / 1_000.0 * 7.25)
        }
        _ => 0.0,
    }
}
