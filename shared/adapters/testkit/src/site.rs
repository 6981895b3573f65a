//! Facts of the fleet's sites besides their machines: prices, energy mix, the meters of the sites, a curtailment.
//! Also samples of one site's machines, of which one claims more than it does.

use serde_json::{Value, json};
use wb_units::Micros;
use wb_units::time::{SECOND_US, SETTLEMENT_INTERVAL_US};

use crate::build::{Builder, Rated};
use crate::plan::{FLEET_END_US, FLEET_START_US, MACHINES, SITES};
use crate::random::Random;
use crate::{Expect, METERS, MINER_AGENT, Part};

/// The site whose simulated machines are sampled.
const SAMPLED_SITE: &str = "no-1";

/// The machine that claims more than it does.
const BOASTER: &str = "no1-m03";

/// Its claim, in per cent of that of the others.
const BOAST_PERCENT: u64 = 160;

/// The hashrate of a simulated machine: 10.5 shares of 4,096 hashes in ten minutes.
const RATE_HS: (u64, u64) = (70, 74);

/// The curtailment: half an hour after the fleet's last share.
const CURTAILED: (Micros, Micros) = (FLEET_END_US, FLEET_END_US + 1_800 * SECOND_US);

/// The facts of the sites, with costs and earnings.
pub(crate) fn facts(builder: &mut Builder) {
    for (site, name, time_zone) in SITES {
        let body = json!({
            "name": name,
            "time_zone": time_zone,
            "power_price_series": power_series(site),
            "btc_price_series": "btc-usd",
            "gpu_price_series": "gpu-hour",
        });
        builder.fact("site", site, FLEET_START_US, body);
        let rated = Rated::default();
        builder.machine(&meter_of(site), site, "Main meter", rated, FLEET_START_US);
        let meter = json!({"site_id": site, "machine_id": meter_of(site), "measures": "site"});
        builder.fact("meter", &meter_of(site), FLEET_START_US, meter);
    }
    let mut price = |series: &str, unit: &str, value: &str, from_us: Micros| {
        let body = json!({"series": series, "unit": unit, "value": value});
        builder.fact("price", series, from_us, body);
    };
    let second_hour_us = FLEET_START_US + 3_600 * SECOND_US;
    price(&power_series("tx-1"), "USD/kWh", "0.0425", FLEET_START_US);
    price(&power_series("tx-1"), "USD/kWh", "0.0610", second_hour_us);
    price(&power_series("no-1"), "USD/MWh", "38.20", FLEET_START_US);
    price("btc-usd", "USD/BTC", "112500", FLEET_START_US);
    price("gpu-hour", "USD/GPU-hour", "2.40", FLEET_START_US);
    let mix = json!({
        "parts_ppm": {"grid": 700_000, "solar": 250_000, "gas": 50_000}, "grid_renewable_ppm": 310_000,
    });
    builder.fact("energy_mix", "tx-1", FLEET_START_US, mix);
    let mix = json!({"parts_ppm": {"hydro": 1_000_000}, "grid_renewable_ppm": 0});
    builder.fact("energy_mix", "no-1", FLEET_START_US, mix);
    let window = json!({"site_id": "tx-1", "program": "demand response", "credit": "4.50"});
    builder.fact_until("curtailment", "tx-1/dr-1", CURTAILED.0, Some(CURTAILED.1), window);
}

fn power_series(site: &str) -> String {
    format!("{site}-power")
}

fn meter_of(site: &str) -> String {
    format!("{site}/main")
}

/// The site's register: the energy of its machines, and about 4 % for fans and losses.
pub(crate) fn meter_readings(
    seed: u64,
    site: &str,
    drawn_wh: &[u64],
    part: &mut Part,
    builder: &mut Builder,
) {
    let meter = meter_of(site);
    let mut random = Random::of(seed, &meter);
    let first_wh = random.between(100_000_000, 900_000_000);
    let mut register_wh = first_wh;
    let steps = drawn_wh.iter().map(|drawn| drawn + drawn * random.between(36, 44) / 1_000);
    let mut at_us = FLEET_START_US;
    for step_wh in steps.chain([0]) {
        let body = json!({
            "machine_id": meter, "meter_id": meter, "register_wh": register_wh, "witness": "meter",
        });
        part.events.push(builder.event(METERS, "energy_reading", &meter, at_us, body));
        part.expect.accepted += 1;
        register_wh += step_wh;
        at_us += SETTLEMENT_INTERVAL_US;
    }
    part.expect.energy_wh.insert(meter, register_wh - first_wh);
}

/// Samples of a site's simulated machines in each settlement interval, in the form of a small machine's answers.
pub(crate) fn samples(seed: u64, builder: &mut Builder) -> Part {
    let mut part =
        Part { name: "fleet samples", source: MINER_AGENT, events: Vec::new(), expect: Expect::default() };
    let steps = (FLEET_END_US - FLEET_START_US) / SETTLEMENT_INTERVAL_US;
    for (machine, _, _, rated_w, _) in MACHINES.into_iter().filter(|(_, site, ..)| *site == SAMPLED_SITE) {
        let mut random = Random::of(seed, &format!("{machine}/samples"));
        for step in 0..steps {
            let percent = if machine == BOASTER { BOAST_PERCENT } else { 100 };
            let rate_hs = random.between(RATE_HS.0, RATE_HS.1) * percent / 100;
            let uptime_s = 86_400 + step * (SETTLEMENT_INTERVAL_US / SECOND_US);
            let info = json!({
                "ASICModel": "BM1370",
                "power": random.between(rated_w - rated_w / 50, rated_w + rated_w / 50),
                "hashRate": gigahashes(rate_hs),
                "uptimeSeconds": uptime_s,
                "sharesAccepted": 2_000 + step * 5,
                "sharesRejected": 0,
                "overheat_mode": 0,
                "hostname": machine,
                "version": "v2.9.0",
            });
            let at_us = FLEET_START_US + step * SETTLEMENT_INTERVAL_US;
            let body = json!({"machine_id": machine, "answers": {"system_info": info}});
            part.events.push(builder.event(MINER_AGENT, "miner_sample", machine, at_us, body));
            part.expect.accepted += 1;
        }
    }
    part
}

/// A rate in GH/s, as the machine writes it.
fn gigahashes(rate_hs: u64) -> Value {
    serde_json::from_str(&format!("{rate_hs}e-9")).unwrap_or_default()
}
