use super::*;

const DAY_US: i64 = 86_400_000_000;

fn day() -> Interval {
    Interval { start_us: 0, end_us: DAY_US }
}

/// A site of 10 PH/s nameplate that ran at 9 for a day, 200 kW of miners and 50 kW of GPUs.
fn site() -> Aggregates {
    let day_us = u128::from(DAY_US.unsigned_abs());
    Aggregates {
        machines: 100,
        produced_sat: Some(480_000),
        expected_sat: 500_000,
        hashes: 9_000_000_000_000_000 * 86_400,
        suspense_hashes: 0,
        deployed_hs_us: Some(10_000_000_000_000_000 * day_us),
        energised_hs_us: Some(9_500_000_000_000_000 * day_us),
        miners_nj: Some(200_000_000 * day_us),
        gpus_nj: Some(50_000_000 * day_us),
        suspense_nj: 0,
        covered_us: 99,
        standing_us: 100,
        site_nj: Some(260_000_000 * day_us),
        drawn_nj: Some(260_000_000 * day_us),
        overlap: Some(Overlap { site_nj: 26, machines_nj: 25 }),
        curtailed_nj: Some(1_000_000 * NJ_PER_WH),
        power_cost_minor: Some(31_200),
        power_credit_minor: Some(6_200),
        mining_revenue_minor: Some(41_600),
        gpu_revenue_minor: Some(124_800),
        uptime: Uptime { by_status_us: [900, 0, 60, 40, 0, 0] },
        carve_outs: vec![Status::Curtailed, Status::Maintenance],
        has_gpus: true,
        gpu_available: Some(64 * u128::from(WHOLE_GPU) * day_us),
        gpu_sold: 48 * u128::from(WHOLE_GPU) * day_us,
        suspense_gpu: 0,
        gpu_utilised: Some(24 * u128::from(WHOLE_GPU) * day_us),
        gpu_sampled: 32 * u128::from(WHOLE_GPU) * day_us,
        gpu_faults: Some(2),
        samples_expected: 1_000,
        samples_received: 991,
        mix: mix::EnergyMix { by_source_nj: [600, 300, 100, 0, 0], grid_renewable_nj: 100, unknown_nj: 0 },
    }
}

fn value(terms: &[Term], name: &str) -> Option<i128> {
    let found: Vec<_> = terms.iter().filter(|term| term.name == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].value
}

#[test]
fn terms_are_computed_by_hand() {
    let terms = terms(&site(), day());
    for (name, expected) in [
        ("luck", 960_000),
        ("hashrate_deployed", 10_000_000_000_000_000),
        ("hashrate_energised", 9_500_000_000_000_000),
        ("hashrate_operating_average", 9_000_000_000_000_000),
        ("operational_ratio", 900_000),
        // 200 kW / 9 PH/s = 22.222 J/TH.
        ("fleet_efficiency", 22_222),
        ("energy_miners", 4_800_000),
        ("energy_gpus", 1_200_000),
        ("energy_site", 6_240_000),
        ("pue", 1_040_000),
        ("energy_curtailed", 1_000_000),
        ("power_cost_gross", 31_200),
        ("power_cost_net", 25_000),
        // 25,000 / 6.24 MWh.
        ("power_price_net", 4_006),
        // Four fifths of 25,000 for 0.0048 BTC.
        ("power_cost_per_btc", 4_166_667),
        ("uptime_raw", 900_000),
        ("uptime_adjusted", 1_000_000),
        ("uptime_known", 1_000_000),
        ("gpu_hours_available", 1_536_000),
        ("gpu_hours_sold", 1_152_000),
        ("gpu_hours_utilised", 576_000),
        ("gpu_time_sampled", 500_000),
        ("gpu_faults", 2),
        // 41,600 over 4.992 MWh, and 124,800 over 1.248 MWh: overhead goes with the machines.
        ("revenue_per_mwh_mining", 8_333),
        ("revenue_per_mwh_gpu", 100_000),
        // 20,000 over 9 PH/s and a day.
        ("hashprice_break_even", 2_222),
        ("completeness", 991_000),
        ("energy_covered", 990_000),
        ("energy_renewable", 500_000),
    ] {
        assert_eq!(value(&terms, name), Some(expected), "{name}");
    }
    assert_eq!(value(&terms, "energy_from_solar"), Some(0));
}

#[test]
fn nothing_is_not_zero() {
    let terms = terms(&Aggregates::default(), day());
    for name in [
        "btc_produced",
        "luck",
        "hashrate_deployed",
        "hashrate_energised",
        "energy_miners",
        "energy_gpus",
        "energy_unassigned",
        "energy_curtailed",
        "power_cost_gross",
        "power_cost_net",
        "gpu_hours_available",
        "gpu_hours_utilised",
        "gpu_time_sampled",
        "gpu_faults",
        "revenue_per_mwh_mining",
        "operational_ratio",
        "fleet_efficiency",
        "energy_site",
        "pue",
        "power_cost_per_btc",
        "uptime_raw",
        "gpu_hours_sold",
        "revenue_per_mwh_gpu",
        "hashprice_break_even",
        "completeness",
        "energy_renewable",
    ] {
        assert_eq!(value(&terms, name), None, "{name}");
    }
    assert_eq!(value(&terms, "btc_expected"), Some(0));
}

#[test]
fn an_uptime_that_nobody_saw_is_not_zero() {
    let shown = |by_status_us| {
        let of = Aggregates { uptime: Uptime { by_status_us }, ..Aggregates::default() };
        let terms = terms(&of, day());
        (value(&terms, "uptime_raw"), value(&terms, "uptime_known"))
    };
    // In the order hashing, reachable, curtailed, maintenance, offline, unknown.
    assert_eq!(shown([0, 0, 10, 0, 0, 90]), (None, Some(100_000)));
    assert_eq!(shown([0, 0, 0, 0, 10, 90]), (Some(0), Some(100_000)));
    assert_eq!(shown([0, 0, 100, 0, 0, 0]), (Some(0), Some(1_000_000)));
}

#[test]
fn a_fleet_is_the_sum_of_its_sites_and_not_a_mean_of_means() {
    let mut small = site();
    small.hashes /= 9;
    small.deployed_hs_us = small.deployed_hs_us.map(|sum| sum / 10);
    let mut fleet = Aggregates::nothing(site().carve_outs);
    fleet.add(&site());
    assert_eq!(fleet, site());
    fleet.add(&small);
    let terms = terms(&fleet, day());
    assert_eq!(value(&terms, "hashrate_operating_average"), Some(10_000_000_000_000_000));
    // 10 of 11 PH/s; the mean of 90 % and 100 % would be 95 %.
    assert_eq!(value(&terms, "operational_ratio"), Some(909_091));
    let mut unmetered = site();
    unmetered.site_nj = None;
    fleet.add(&unmetered);
    assert_eq!(fleet.site_nj, None);
}

#[test]
fn changes_are_on_the_period_before() {
    let mut grown = site();
    grown.produced_sat = Some(600_000);
    let changed = changes(terms(&grown, day()), &terms(&site(), day()));
    let of = |name: &str| changed.iter().find(|change| change.term.name == name).unwrap();
    assert_eq!((of("btc_produced").change, of("btc_produced").change_ppm), (Some(120_000), Some(250_000)));
    assert_eq!((of("luck").change, of("luck").change_ppm), (Some(240_000), None));
    let first = changes(terms(&site(), day()), &[]);
    assert!(first.iter().all(|change| change.change.is_none()));
}
