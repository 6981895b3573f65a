//! Random prices, credit and usage of a stretch.

use wb_rating::{
    CountGroup, CurtailedSlice, EnergyGroup, EnergySlice, FleetGroup, GpuAvailability, GpuOutage, GpuSpan,
    PrepaidGrant, PriceFact, Receipt, SiteEnergy, UptimeGroup, Usage, WorkGroup, WorkSlice,
};
use wb_units::{Interval, SETTLEMENT_INTERVAL_US as STEP_US};

use super::Random;

const HOUR_US: i64 = 3_600_000_000;
const SECOND_US: i64 = 1_000_000;

pub(crate) fn prices(random: &mut Random, currency: &str, period: Interval) -> Vec<PriceFact> {
    let mut facts = Vec::new();
    for (series, unit) in [("spot-MWh", "MWh"), ("spot-kWh", "kWh"), ("fix", "BTC"), ("hash", "PH/s/day")] {
        for order in 0..1 + random.below(6) {
            let valid_from_us = if order == 0 {
                period.start_us - 2 * HOUR_US
            } else {
                random.between(period.start_us, period.end_us)
            };
            let end_us = random.between(period.start_us, period.end_us);
            let value = match unit {
                "BTC" => random.pick(&["95000", "61234.56", "0.7"]),
                _ => random.pick(&["21.75", "-30.5", "412.37", "0", "0.000031"]),
            };
            facts.push(PriceFact {
                series: series.to_owned(),
                valid_from_us,
                valid_to_us: (random.below(30) == 0).then_some(end_us),
                unit: format!("{currency}/{unit}"),
                value: value.to_owned(),
                source: "exchange".to_owned(),
                order,
            });
        }
    }
    facts
}

pub(crate) fn grants(random: &mut Random, currency: &str, period: Interval) -> Vec<PrepaidGrant> {
    (0..random.below(4))
        .map(|index| PrepaidGrant {
            grant_id: format!("g{index}"),
            currency: random.pick(&[currency, currency, "GBP"]).to_owned(),
            balance_minor: random.wide(24),
            valid_from_us: random.between(period.start_us - HOUR_US, period.end_us + HOUR_US),
            expires_us: random
                .yes()
                .then(|| random.between(period.start_us - HOUR_US, period.end_us + HOUR_US)),
            priority: u32::try_from(random.below(3)).unwrap(),
        })
        .collect()
}

/// A random interval of the stretch.
fn slice_start(random: &mut Random, stretch: Interval) -> i64 {
    stretch.start_us + random.between(0, stretch.duration_us() / STEP_US) * STEP_US
}

/// Random usage of a stretch.
pub(crate) fn usage(random: &mut Random, stretch: Interval) -> Usage {
    let mut usage = Usage::default();
    for index in 0..random.below(30) {
        let energy_mwh = random.energy_mwh();
        usage.energy_slices.push(EnergySlice { start_us: slice_start(random, stretch), energy_mwh });
        usage.energy.push(EnergyGroup {
            machine_id: format!("m-{}", random.below(3)),
            meter_id: format!("meter-{}", index % 2),
            witness: "meter".to_owned(),
            energy_mwh,
            resets: 0,
            unknown_us: 0,
        });
    }
    for _ in 0..random.below(12) {
        let chain = if random.below(4) == 0 { "testnet3" } else { "main" }.to_owned();
        // Sums of 2^96 and more.
        let credited_q32 = random.wide(100);
        usage.work_slices.push(WorkSlice {
            start_us: slice_start(random, stretch),
            chain: chain.clone(),
            credited_q32,
        });
        usage.work.push(WorkGroup {
            chain,
            nbits: random.pick(&[
                0x1d00_ffff,
                0x1b04_04cb,
                0x1702_1369,
                0x1900_896c,
                0x1e00_ffff,
                0x1c01_0000,
            ]),
            subsidy_sat: random.pick(&[5_000_000_000, 2_500_000_000, 312_500_000, 1, 0]),
            credited_q32,
            shares: random.below(1000),
        });
    }
    for _ in 0..random.below(5) {
        let assigned_us = random.wide(60);
        let operational_us = assigned_us - assigned_us / u128::from(1 + random.below(40));
        usage.fleet.push(FleetGroup {
            rated_power_mw: 1 + random.below(6_000_000),
            assigned_us,
            operational_us,
        });
        let expected_us = random.below(2_592_000_000_000);
        let up_us = expected_us - random.below(expected_us + 1) / 9;
        let left_out_us = random.below(expected_us - up_us + 1);
        usage.uptime.push(UptimeGroup { machine_id: "m".to_owned(), expected_us, up_us, left_out_us });
        let promised_us = random.wide(50);
        let available_us = promised_us - promised_us / u128::from(1 + random.below(400));
        let node_id = "r".to_owned();
        usage.gpu_availability.push(GpuAvailability { node_id, promised_us, available_us });
        usage.curtailed.push(CurtailedSlice {
            start_us: slice_start(random, stretch),
            curtailed_mwh: random.energy_mwh(),
        });
        let at_us = random.between(stretch.start_us, stretch.end_us);
        usage.receipts.push(Receipt { at_us, amount_sat: random.below(1_000_000_000) });
        let meter = random.pick(&["hands", "other"]).to_owned();
        // Often just at the bound of a tier.
        let value_micro =
            if random.yes() { u128::from(random.below(3)) * 5_000_000 } else { random.wide(34) };
        usage.counts.push(CountGroup { meter, value_micro });
    }
    for node in 0..random.below(4) {
        let mut start_us = stretch.start_us;
        for _ in 0..random.below(3) {
            start_us += random.between(0, 90 * HOUR_US);
            let end_us = start_us + random.between(1, 60 * HOUR_US);
            let gpus = u32::try_from(1 + random.below(16)).unwrap();
            usage.gpu_outages.push(GpuOutage { node_id: format!("n{node}"), start_us, end_us, gpus });
            start_us = end_us;
        }
    }
    let machines_mwh = 1 + random.wide(50);
    let site_mwh = machines_mwh + machines_mwh / u128::from(3 + random.below(50));
    usage.sites.push(SiteEnergy { site_id: "s".to_owned(), site_mwh, machines_mwh });
    for allocation in 0..random.below(9) {
        let mut start_us = random.between(stretch.start_us - 30 * HOUR_US, stretch.end_us);
        for part in 0..=random.below(3) {
            let end_us =
                start_us + random.between(0, 20 * HOUR_US / SECOND_US) * SECOND_US + i64::from(part == 1);
            usage.gpu_spans.push(GpuSpan {
                allocation_id: format!("job-{allocation}"),
                device: String::new(),
                profile: if allocation % 2 == 0 { "" } else { "1g.10gb" }.to_owned(),
                gpus: u32::try_from(1 + allocation % 5).unwrap(),
                start_us,
                end_us: (part < 3).then_some(end_us),
            });
            start_us = end_us + random.between(0, HOUR_US);
        }
    }
    usage
}
