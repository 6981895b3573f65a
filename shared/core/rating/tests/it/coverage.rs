//! Every second of a GPU is billed once, covered, or told as not billed; what a contract bills twice is told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;

use crate::random::{Random, case};
use serde_json::{Value, json};
use wb_rating::{Context, Contract, Exact, Finding, GpuSpan, Line, Metered, Usage, rate_in};
use wb_units::Interval;

const SECOND_US: i64 = 1_000_000;
/// Half an hour.
const SECONDS: i64 = 1_800;
const CASES: u64 = 10_000;

fn document(components: &[Value]) -> String {
    json!({"contract_id": "c", "customer_id": "k", "legal_entity": "e", "time_zone": "UTC", "components": components})
        .to_string()
}

fn reserved(id: &str, gpus: u64) -> Value {
    json!({"id": id, "kind": "gpu_reserved", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "2.85", "gpus": gpus})
}

fn on_demand(id: &str) -> Value {
    json!({"id": id, "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "3.99",
        "rounding": "second"})
}

fn covered(mut component: Value, by: &[&str]) -> Value {
    component["covered_by"] = json!(by);
    component
}

#[test]
fn a_contract_that_reserves_and_bills_by_use_says_what_covers() {
    let hours = json!({"id": "hours", "kind": "package", "currency": "USD", "measure": "gpu_hours", "size": "10",
        "package_price": "30"});
    for (components, place) in [
        (vec![reserved("r", 8), on_demand("d")], "components[1]"),
        (vec![on_demand("d"), reserved("r", 8)], "components[0]"),
        (vec![reserved("r", 8), hours.clone()], "components[1]"),
        (vec![reserved("r", 8), covered(on_demand("d"), &["r"]), hours.clone()], "components[2]"),
    ] {
        let error = Contract::parse(&document(&components)).unwrap_err();
        assert_eq!(error.code(), "WB-5119", "{error}");
        assert!(
            error.to_string().contains(place) && error.to_string().contains("covered_by = [\"r\"]"),
            "{error}"
        );
    }
    let error = Contract::parse(&document(&[reserved("r", 8), on_demand("d")])).unwrap_err().to_string();
    // 8 x 2.85 and 10 x 3.99 against 8 x 2.85 and 2 x 3.99.
    assert!(error.contains("62.7 USD") && error.contains("30.78 USD"), "{error}");
    for components in [
        vec![on_demand("d")],
        vec![reserved("r", 8)],
        vec![reserved("r", 8), covered(on_demand("d"), &["r"])],
        vec![reserved("r", 8), covered(on_demand("d"), &[])],
        vec![covered(on_demand("d"), &[]), reserved("r", 8)],
    ] {
        Contract::parse(&document(&components)).unwrap();
    }
    for (by, code) in [(vec!["d"], "WB-5111"), (vec!["r", "r"], "WB-5111"), (vec!["x"], "WB-5111")] {
        let components = [reserved("r", 8), covered(on_demand("d"), &[]), covered(on_demand("e"), &by)];
        assert_eq!(Contract::parse(&document(&components)).unwrap_err().code(), code, "{by:?}");
    }
}

#[test]
fn what_is_billed_twice_or_not_at_all_is_told() {
    let energy = |id: &str| json!({"id": id, "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "1"});
    let count = json!({"id": "hands", "kind": "package", "currency": "USD", "measure": "count", "meter": "hands",
        "size": "1", "package_price": "1"});
    let words = |components: &[Value]| -> Vec<String> {
        let contract = Contract::parse(&document(components)).unwrap();
        contract.findings().iter().map(ToString::to_string).collect()
    };
    assert_eq!(words(&[energy("a"), count]), [""; 0]);
    let twice = words(&[energy("a"), energy("b")]);
    assert!(twice.len() == 1 && twice[0].starts_with("energy is billed by each of a, b"), "{twice:?}");
    let slices = words(&[on_demand("d")]);
    assert_eq!(slices, ["time of other GPU slices is not billed by any component"]);
    let beside = words(&[reserved("r", 8), reserved("s", 8), covered(on_demand("d"), &["r"])]);
    assert!(beside.iter().any(|line| line.starts_with("s covers no use")), "{beside:?}");
    assert!(!beside.iter().any(|line| line.starts_with("r covers")), "{beside:?}");
}

/// The GPUs that some reservations have.
fn gpus_of(components: &[Value], ids: &[String]) -> u64 {
    components
        .iter()
        .filter(|component| ids.iter().any(|id| component["id"] == id.as_str()))
        .map(|component| component["gpus"].as_u64().unwrap())
        .sum()
}

/// GPU-seconds above so many reserved GPUs, and covered by them: second by second, GPU by GPU.
fn by_the_second(spans: &[GpuSpan], reserved: u64) -> (u64, u64) {
    let (mut above, mut covered) = (0, 0);
    for second in 0..SECONDS {
        let at_us = second * SECOND_US;
        let alive = spans.iter().filter(|span| {
            span.profile.is_empty()
                && span.start_us <= at_us
                && span.end_us.is_none_or(|end_us| at_us < end_us)
        });
        let gpus: u64 = alive.map(|span| u64::from(span.gpus)).sum();
        covered += gpus.min(reserved);
        above += gpus.saturating_sub(reserved);
    }
    (above, covered)
}

fn spans(random: &mut Random) -> Vec<GpuSpan> {
    let mut spans = Vec::new();
    for allocation in 0..random.below(7) {
        let start_us = random.between(-600, SECONDS) * SECOND_US;
        let end_us = start_us + random.between(0, SECONDS) * SECOND_US;
        spans.push(GpuSpan {
            allocation_id: format!("a{allocation}"),
            device: String::new(),
            profile: random.pick(&["", "", "1g.10gb", "2g.20gb"]).to_owned(),
            gpus: u32::try_from(1 + random.below(8)).unwrap(),
            start_us,
            end_us: (random.below(5) > 0).then_some(end_us),
        });
    }
    spans
}

fn components(random: &mut Random) -> Vec<Value> {
    let mut components = Vec::new();
    let mut reservations: Vec<String> = Vec::new();
    for place in 0..random.below(3) {
        let id = format!("r{place}");
        components.push(reserved(&id, 1 + random.below(10)));
        reservations.push(id);
    }
    for place in 0..random.below(3) {
        let by: Vec<&str> = reservations.iter().filter(|_| random.below(3) > 0).map(String::as_str).collect();
        components.push(covered(on_demand(&format!("d{place}")), &by));
    }
    if random.below(3) == 0 {
        components.push(json!({"id": "s", "kind": "mig_slice", "currency": "USD", "profile": "1g.10gb",
            "fraction": "1/7", "unit": "USD/GPU-hour", "unit_price": "3", "rounding": "second"}));
    }
    if components.is_empty() {
        components.push(json!({"id": "f", "kind": "fixed_fee", "currency": "USD", "amount": "1"}));
    }
    components
}

fn lines(contract: &Contract, usage: &Usage) -> Vec<Line> {
    let stretch = Interval { start_us: 0, end_us: SECONDS * SECOND_US };
    rate_in(contract, &Context::new(stretch, stretch).unwrap(), usage).unwrap()
}

#[test]
fn every_second_of_a_gpu_is_billed_once_covered_or_told() {
    let seed = std::env::var("WEIGHBRIDGE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(14);
    println!("seed {seed} (set WEIGHBRIDGE_SEED to choose another)");
    let mut random = Random(seed);
    let (mut split, mut twice) = (0, 0);
    for number in 0..CASES {
        let components = components(&mut random);
        let contract = Contract::parse(&document(&components)).unwrap();
        let usage = Usage { gpu_spans: spans(&mut random), ..Usage::default() };
        let lines = lines(&contract, &usage);
        let billing = contract.usage_billing();
        let findings = contract.findings();
        let total = by_the_second(&usage.gpu_spans, 0).0;
        let of = billing.iter().find(|of| of.metered == Metered::GpuTime).unwrap();
        let by_use: Vec<&Line> = lines.iter().filter(|line| line.kind == "gpu_on_demand").collect();
        assert_eq!(by_use.iter().map(|line| line.component.as_str()).collect::<Vec<_>>(), of.billed_by);
        for line in &by_use {
            let component = components.iter().find(|component| component["id"] == line.component.as_str());
            let ids: Vec<String> = serde_json::from_value(component.unwrap()["covered_by"].clone()).unwrap();
            let (above, covered) = by_the_second(&usage.gpu_spans, gpus_of(&components, &ids));
            assert_eq!(line.quantity, above.to_string(), "case {number}: {} of {components:?}", line.id);
            assert_eq!(above + covered, total);
            split += u64::from(above > 0 && covered > 0);
        }
        let is_told_twice = findings
            .iter()
            .any(|finding| matches!(finding, Finding::Twice { metered: Metered::GpuTime, .. }));
        assert_eq!(is_told_twice, by_use.len() > 1, "{components:?}");
        twice += u64::from(is_told_twice);
        let is_told_unbilled = findings.contains(&Finding::NotBilled { metered: Metered::GpuTime });
        let has_gpus = components.iter().any(|component| component["kind"] != "fixed_fee");
        assert_eq!(is_told_unbilled, by_use.is_empty() && has_gpus, "{components:?}");
        // Slices: of the profile that has a price all, and of others the contract tells that it bills none.
        let of_slices: u64 = lines
            .iter()
            .filter(|line| line.kind == "mig_slice")
            .map(|line| line.quantity.parse::<u64>().unwrap())
            .sum();
        let slices: u64 = usage
            .gpu_spans
            .iter()
            .filter(|span| span.profile == "1g.10gb")
            .map(|span| {
                let whole = GpuSpan { profile: String::new(), ..span.clone() };
                by_the_second(&[whole], 0).0
            })
            .sum();
        let has_price = components.iter().any(|component| component["kind"] == "mig_slice");
        assert_eq!(of_slices, if has_price { slices } else { 0 });
        assert!(
            billing
                .iter()
                .any(|of| of.metered == Metered::SliceTime(String::new()) && of.billed_by.is_empty())
        );
    }
    assert!(split > CASES / 10 && twice > CASES / 10, "{split} {twice}");
}

/// In contracts of all kinds: who is said to bill a kind of usage has it in a line, and nobody else has.
#[test]
fn who_is_said_to_bill_usage_does() {
    let mut random = Random(77);
    let mut seen: BTreeSet<Metered> = BTreeSet::new();
    for _ in 0..2_000 {
        let case = case(&mut random);
        let contract = Contract::parse(&case.contract.to_string()).unwrap();
        let mut context = Context::new(case.period, case.stretch).unwrap();
        context.prices = wb_rating::Prices::new(case.prices.clone()).unwrap();
        context.grants.clone_from(&case.grants);
        context.deposits.clone_from(&case.deposits);
        let Ok(lines) = rate_in(&contract, &context, &case.usage) else { continue };
        let mwh = case.usage.energy.iter().map(|group| group.energy_mwh).sum::<u128>();
        let kwh = Exact::ratio(mwh, 1_000_000).unwrap();
        for of in contract.usage_billing() {
            for id in &of.billed_by {
                let component =
                    case.contract["components"].as_array().unwrap().iter().find(|c| c["id"] == id.as_str());
                let kind = component.unwrap()["kind"].as_str().unwrap().to_owned();
                let measure = component.unwrap()["measure"].as_str().unwrap_or_default().to_owned();
                if of.metered == Metered::Energy
                    && ["metered_energy", "indexed_energy"].contains(&kind.as_str())
                {
                    let line = lines.iter().find(|line| line.component == *id).unwrap();
                    assert_eq!(line.quantity, kwh.to_string(), "{kind}");
                }
                let fits = match &of.metered {
                    Metered::Energy => {
                        measure == "energy_kwh"
                            || ["metered_energy", "indexed_energy", "time_of_use", "nameplate_energy"]
                                .contains(&kind.as_str())
                    }
                    Metered::Work => measure == "work_ph_days" || kind == "hashrate_fee",
                    Metered::MachineTime => measure == "machine_months",
                    Metered::GpuTime => measure == "gpu_hours" || kind == "gpu_on_demand",
                    Metered::SliceTime(_) => kind == "mig_slice",
                    Metered::Count(_) => measure == "count",
                };
                assert!(fits, "{id} of kind {kind} {measure} is said to bill {}", of.metered);
                seen.insert(of.metered.clone());
            }
        }
        let billed: BTreeSet<String> =
            contract.usage_billing().into_iter().flat_map(|of| of.billed_by).collect();
        for component in case.contract["components"].as_array().unwrap() {
            let by_usage = component.get("measure").is_some()
                || [
                    "metered_energy",
                    "indexed_energy",
                    "time_of_use",
                    "nameplate_energy",
                    "hashrate_fee",
                    "gpu_on_demand",
                    "mig_slice",
                ]
                .contains(&component["kind"].as_str().unwrap());
            assert_eq!(billed.contains(component["id"].as_str().unwrap()), by_usage, "{component}");
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}
