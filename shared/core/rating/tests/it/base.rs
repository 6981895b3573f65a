//! The base case of the worked catalogue: 1,000 machines of 3,480 W measured and 3,531 W rated for a month
//! of 30 days with 96.2 % uptime, and beside it everything else that components count.

use wb_rating::{
    Context, CountGroup, CurtailedSlice, EnergyGroup, EnergySlice, FleetGroup, GpuAvailability, GpuOutage,
    GpuSpan, Period, PrepaidGrant, PriceFact, Prices, Receipt, SiteEnergy, UptimeGroup, Usage, WorkGroup,
    WorkSlice,
};
use wb_units::Interval;

pub(crate) const HOUR_US: i64 = 3_600_000_000;

/// 100,000 PH/s over days, in credited difficulty of 2^-32: 65535/65536 x 86400 x 10^15 x 10^5.
pub(crate) const WORK_Q32: u128 = 65_535 * 1_318_359_375_000_000 * 100_000;

/// June 2026 in Chicago: 30 days of 24 hours, beginning on a Monday.
pub(crate) fn june() -> Interval {
    Period::month("2026-06", "America/Chicago").unwrap().interval
}

fn price(series: &str, unit: &str, value: &str, valid_from_us: i64) -> PriceFact {
    PriceFact {
        series: series.to_owned(),
        valid_from_us,
        valid_to_us: None,
        unit: unit.to_owned(),
        value: value.to_owned(),
        source: "exchange".to_owned(),
        order: 0,
    }
}

pub(crate) fn context() -> Context {
    let start_us = june().start_us;
    let prices = vec![
        price("ercot-west", "USD/MWh", "21.75", start_us),
        price("ercot-west", "USD/MWh", "412.37", start_us + 14 * HOUR_US),
        price("btc-usd-fixing", "USD/BTC", "95000", start_us - HOUR_US),
        price("hashprice-btc", "BTC/PH/s/day", "0.00000052", start_us),
    ];
    let mut context = Context::whole(june()).unwrap().with_prices(Prices::new(prices).unwrap());
    context.grants.push(PrepaidGrant {
        grant_id: "welcome".to_owned(),
        currency: "USD".to_owned(),
        balance_minor: 100_000,
        valid_from_us: start_us,
        expires_us: None,
        priority: 0,
    });
    context
}

pub(crate) fn usage() -> Usage {
    let start_us = june().start_us;
    let month_us: u128 = 720 * 3_600_000_000;
    Usage {
        energy: vec![EnergyGroup {
            machine_id: "row-1".to_owned(),
            meter_id: "feeder-1".to_owned(),
            witness: "meter".to_owned(),
            energy_mwh: 2_410_387_200_000,
            resets: 0,
            unknown_us: 0,
        }],
        // 600,000 kWh on a Monday afternoon, the rest at night.
        energy_slices: vec![
            EnergySlice { start_us: start_us + 14 * HOUR_US, energy_mwh: 600_000_000_000 },
            EnergySlice { start_us, energy_mwh: 1_810_387_200_000 },
        ],
        work: vec![WorkGroup {
            chain: "main".to_owned(),
            nbits: 0x1702_3a04,
            subsidy_sat: 312_500_000,
            credited_q32: WORK_Q32,
            shares: 1_000_000,
        }],
        work_slices: vec![WorkSlice { start_us, chain: "main".to_owned(), credited_q32: WORK_Q32 }],
        fleet: vec![FleetGroup {
            rated_power_mw: 3_531_000,
            assigned_us: 1_000 * month_us,
            operational_us: 9_625 * month_us / 10,
        }],
        uptime: vec![UptimeGroup {
            machine_id: "fleet".to_owned(),
            expected_us: 720 * 3_600_000_000,
            up_us: 69_264 * 36_000_000,
            left_out_us: 14 * 3_600_000_000,
        }],
        curtailed: vec![CurtailedSlice {
            start_us: start_us + 14 * HOUR_US + 300_000_000,
            curtailed_mwh: 48_720_000_000,
        }],
        sites: vec![SiteEnergy {
            site_id: "odessa".to_owned(),
            site_mwh: 2_603_218_176_000,
            machines_mwh: 2_410_387_200_000,
        }],
        gpu_spans: vec![
            span("job-1", "", 4, start_us, start_us + ((3 * 60 + 17) * 60 + 41) * 1_000_000),
            span("notebook", "1g.10gb", 1, start_us, start_us + 100 * HOUR_US),
        ],
        gpu_availability: vec![GpuAvailability {
            node_id: "reserved".to_owned(),
            promised_us: 8 * month_us,
            available_us: 8 * 714 * 3_600_000_000,
        }],
        gpu_outages: vec![GpuOutage {
            node_id: "reserved".to_owned(),
            start_us: start_us + 50 * HOUR_US,
            end_us: start_us + 56 * HOUR_US,
            gpus: 8,
        }],
        receipts: vec![
            Receipt { at_us: start_us + HOUR_US, amount_sat: 291_000_000 },
            Receipt { at_us: start_us + 300 * HOUR_US, amount_sat: 100_000_000 },
        ],
        counts: vec![CountGroup { meter: "remote-hands-minutes".to_owned(), value_micro: 250_000_000 }],
    }
}

fn span(allocation_id: &str, profile: &str, gpus: u32, start_us: i64, end_us: i64) -> GpuSpan {
    GpuSpan {
        allocation_id: allocation_id.to_owned(),
        device: String::new(),
        profile: profile.to_owned(),
        gpus,
        start_us,
        end_us: Some(end_us),
    }
}

/// The text of an example contract.
pub(crate) fn example(kind: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../schemas/contracts/examples");
    let path = format!("{folder}/{kind}.toml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
