//! What holds for every contract: order and pieces do not matter, a period may be split anywhere, more usage never
//! costs less where the price does not allow it, and an incomplete bill is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use crate::random;
use std::collections::BTreeMap;

use crate::random::{Case, Random, case};
use proptest::prelude::*;
use serde_json::{Value, json};
use wb_rating::{Context, Contract, Exact, Line, Prices, RatingError, Usage, rate_in};
use wb_units::{Interval, SETTLEMENT_INTERVAL_US as STEP_US};

fn rate(case: &Case, stretch: Interval, usage: &Usage) -> Result<Vec<Line>, RatingError> {
    let contract = Contract::parse(&case.contract.to_string()).unwrap();
    let mut context = Context::new(case.period, stretch).unwrap();
    context.prices = Prices::new(case.prices.clone()).unwrap();
    context.grants.clone_from(&case.grants);
    context.deposits.clone_from(&case.deposits);
    rate_in(&contract, &context, usage)
}

/// The same without what may differ between two runs of one bill.
fn outcome(result: Result<Vec<Line>, RatingError>) -> Result<Vec<Line>, String> {
    result.map_err(|error| error.to_string())
}

/// Cuts every addable entry in two and turns all lists around.
fn in_pieces(usage: &Usage) -> Usage {
    let mut pieces = usage.clone();
    for index in 0..pieces.work.len() {
        let mut part = pieces.work[index].clone();
        part.credited_q32 /= 3;
        part.shares = 0;
        pieces.work[index].credited_q32 -= part.credited_q32;
        pieces.work.push(part);
    }
    for index in 0..pieces.energy.len() {
        let mut part = pieces.energy[index].clone();
        part.energy_mwh /= 3;
        pieces.energy[index].energy_mwh -= part.energy_mwh;
        pieces.energy.push(part);
    }
    for index in 0..pieces.energy_slices.len() {
        let mut part = pieces.energy_slices[index].clone();
        part.energy_mwh /= 2;
        pieces.energy_slices[index].energy_mwh -= part.energy_mwh;
        pieces.energy_slices.push(part);
    }
    for index in 0..pieces.receipts.len() {
        let mut part = pieces.receipts[index].clone();
        part.amount_sat /= 2;
        pieces.receipts[index].amount_sat -= part.amount_sat;
        pieces.receipts.push(part);
    }
    for index in 0..pieces.gpu_spans.len() {
        let mut part = pieces.gpu_spans[index].clone();
        if let Some(end_us) = part.end_us {
            let middle_us = part.start_us + (end_us - part.start_us) / 3;
            part.start_us = middle_us;
            pieces.gpu_spans[index].end_us = Some(middle_us);
            pieces.gpu_spans.push(part);
        }
    }
    pieces.work.reverse();
    pieces.work_slices.reverse();
    pieces.energy.reverse();
    pieces.energy_slices.reverse();
    pieces.fleet.reverse();
    pieces.uptime.reverse();
    pieces.curtailed.reverse();
    pieces.receipts.reverse();
    pieces.counts.reverse();
    pieces.gpu_spans.reverse();
    pieces.gpu_availability.reverse();
    for index in 0..pieces.gpu_outages.len() {
        let mut part = pieces.gpu_outages[index].clone();
        let middle_us = part.start_us + (part.end_us - part.start_us) / 3;
        part.start_us = middle_us;
        pieces.gpu_outages[index].end_us = middle_us;
        pieces.gpu_outages.push(part);
    }
    pieces.gpu_outages.reverse();
    pieces
}

/// The part of usage that lies in a stretch; what has no time goes to the part that begins the period.
fn within(usage: &Usage, stretch: Interval, begins: bool) -> Usage {
    let mut part = usage.clone();
    part.energy_slices.retain(|slice| stretch.contains(slice.start_us));
    part.work_slices.retain(|slice| stretch.contains(slice.start_us));
    part.curtailed.retain(|slice| stretch.contains(slice.start_us));
    part.receipts.retain(|receipt| stretch.contains(receipt.at_us));
    // Groups follow their slices, which stand at the same places.
    let energy = usage.energy.iter().zip(&usage.energy_slices);
    part.energy = energy
        .filter(|(_, slice)| stretch.contains(slice.start_us))
        .map(|(group, _)| group.clone())
        .collect();
    let work = usage.work.iter().zip(&usage.work_slices);
    part.work =
        work.filter(|(_, slice)| stretch.contains(slice.start_us)).map(|(group, _)| group.clone()).collect();
    if !begins {
        part.fleet.clear();
        part.counts.clear();
    }
    part
}

/// Decimal text or a fraction.
fn exact(text: &str) -> Exact {
    match text.split_once('/') {
        Some((top, bottom)) => exact(top).over(exact(bottom)).unwrap(),
        None => {
            let ten = Exact::from(10_u8);
            let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let digits = text.bytes().filter(u8::is_ascii_digit).map(|byte| Exact::from(byte - b'0'));
            let value =
                digits.fold(Exact::ZERO, |value, digit| value.times(ten).unwrap().plus(digit).unwrap());
            let value = (0..places).fold(value, |value, _| value.over(ten).unwrap());
            if text.starts_with('-') { value.negated() } else { value }
        }
    }
}

/// The kinds whose quantity is what was used, or how long something held.
const ADDITIVE: [&str; 13] = [
    "pool_earnings",
    "metered_energy",
    "energy_uplift",
    "nameplate_energy",
    "time_of_use",
    "indexed_energy",
    "management_fee",
    "curtailment_share",
    "gpu_reserved",
    "gpu_on_demand",
    "mig_slice",
    "hashrate_fee",
    "fixed_fee",
];

fn additive(lines: &[Line], contract: &Value) -> BTreeMap<String, Exact> {
    let components = contract["components"].as_array().unwrap();
    // A measured uplift has the measure of its own stretch.
    let measured = |id: &str| components.iter().any(|c| c["id"] == id && c.get("measured").is_some());
    lines
        .iter()
        .filter(|line| ADDITIVE.contains(&line.kind.as_str()) && !measured(&line.component))
        .filter(|line| line.kind != "management_fee" || line.unit == "kW-month")
        .map(|line| (line.id.clone(), exact(&line.quantity)))
        .collect()
}

/// The kinds that never cost less for more energy, work, machine time, GPU time or counts.
const MONOTONE: [&str; 11] = [
    "pool_earnings",
    "metered_energy",
    "nameplate_energy",
    "time_of_use",
    "management_fee",
    "gpu_reserved",
    "gpu_on_demand",
    "mig_slice",
    "hashrate_fee",
    "graduated",
    "package",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn neither_order_nor_pieces_change_a_line(seed in any::<u64>()) {
        let case = case(&mut Random(seed));
        let mut turned = case.clone();
        turned.prices.reverse();
        turned.grants.reverse();
        let pieces = in_pieces(&case.usage);
        prop_assert_eq!(
            outcome(rate(&case, case.stretch, &case.usage)),
            outcome(rate(&turned, case.stretch, &pieces))
        );
    }

    #[test]
    fn a_period_split_at_any_boundary_has_the_same_quantities(seed in any::<u64>(), place in any::<u64>()) {
        let case = case(&mut Random(seed));
        let steps = u64::try_from(case.stretch.duration_us() / STEP_US).unwrap();
        prop_assume!(steps > 1);
        let cut_us = case.stretch.start_us + i64::try_from(1 + place % (steps - 1)).unwrap() * STEP_US;
        let first = Interval { start_us: case.stretch.start_us, end_us: cut_us };
        let second = Interval { start_us: cut_us, end_us: case.stretch.end_us };
        let whole = rate(&case, case.stretch, &case.usage);
        let left = rate(&case, first, &within(&case.usage, first, true));
        let right = rate(&case, second, &within(&case.usage, second, false));
        let (Ok(whole), Ok(left), Ok(right)) = (whole, left, right) else { return Ok(()) };
        let (whole, left, right) =
            (additive(&whole, &case.contract), additive(&left, &case.contract), additive(&right, &case.contract));
        for (id, sum) in whole {
            prop_assert_eq!(left[&id].plus(right[&id]).unwrap(), sum, "{} at {}", id, cut_us);
        }
    }

    #[test]
    fn more_usage_never_costs_less(seed in any::<u64>()) {
        let case = case(&mut Random(seed));
        let mut more = case.usage.clone();
        let extra = random::usage(&mut Random(seed ^ 1), case.stretch);
        more.energy.extend(extra.energy);
        more.energy_slices.extend(extra.energy_slices);
        more.work.extend(extra.work);
        more.work_slices.extend(extra.work_slices);
        more.fleet.extend(extra.fleet);
        more.counts.extend(extra.counts);
        more.gpu_spans.extend(extra.gpu_spans.into_iter().map(|mut span| {
            span.allocation_id.push('x');
            span
        }));
        let mut flat = case.clone();
        // Percentages of other lines, and hashprices under nought, follow those.
        flat.contract["components"].as_array_mut().unwrap().retain(|c| {
            MONOTONE.contains(&c["kind"].as_str().unwrap()) && c.get("of").is_none() && c.get("series").is_none()
        });
        prop_assume!(!flat.contract["components"].as_array().unwrap().is_empty());
        let less = rate(&flat, case.stretch, &case.usage).unwrap();
        let more = rate(&flat, case.stretch, &more).unwrap();
        for (less, more) in less.iter().zip(&more) {
            prop_assert!(less.amount.minor <= more.amount.minor, "{}: {:?} {:?}", less.id, less.amount, more.amount);
        }
    }

    #[test]
    fn usage_is_the_same_after_it_was_stored(seed in any::<u64>()) {
        let case = case(&mut Random(seed));
        let text = serde_json::to_string(&case.usage).unwrap();
        prop_assert_eq!(Usage::parse(&text).unwrap(), case.usage);
    }
}

fn priced(kind: Value) -> Contract {
    let body = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "e", "time_zone": "UTC", "components": [kind]});
    Contract::parse(&body.to_string()).unwrap()
}

#[test]
fn a_missing_or_foreign_price_stops_the_bill_and_is_named() {
    let period = wb_rating::Period::month("2026-10", "UTC").unwrap().interval;
    let indexed =
        priced(json!({"id": "power", "kind": "indexed_energy", "currency": "USD", "unit": "USD/MWh",
        "series": "spot", "adder": "0", "max_age_s": 3600}));
    let usage = Usage::parse(&json!({
        "energy": [{"machine_id": "m", "meter_id": "e", "witness": "meter", "energy_mwh": "1000", "resets": 0, "unknown_us": 0}],
        "energy_slices": [{"start_us": period.start_us + 14 * 3_600_000_000_i64 + STEP_US, "energy_mwh": "1000"}],
    }).to_string()).unwrap();
    let price = |valid_from_us: i64, valid_to_us: Option<i64>, unit: &str| wb_rating::PriceFact {
        series: "spot".to_owned(),
        valid_from_us,
        valid_to_us,
        unit: unit.to_owned(),
        value: "40".to_owned(),
        source: "exchange".to_owned(),
        order: 0,
    };
    let hour_us = 3_600_000_000;
    let at_us = period.start_us + 14 * hour_us;
    for (prices, code, words) in [
        (vec![], "WB-5151", ["spot", "2026-10-01T14:05:00Z", "nothing is recorded"]),
        // It is recorded, but holds from later on: a current price is never used for an earlier instant.
        (
            vec![price(at_us + hour_us, None, "USD/MWh")],
            "WB-5151",
            ["2026-10-01T14:05:00Z", "holds later", "power"],
        ),
        (
            vec![price(at_us - hour_us, Some(at_us), "USD/MWh")],
            "WB-5151",
            ["ended at 2026-10-01T14:00:00Z", "spot", "14:05"],
        ),
        (
            vec![price(at_us - hour_us, None, "USD/MWh")],
            "WB-5151",
            ["older than", "2026-10-01T13:00:00Z", "spot"],
        ),
        (vec![price(at_us, None, "USD/kWh")], "WB-5152", ["USD/kWh", "USD/MWh", "spot"]),
    ] {
        let context = Context::whole(period).unwrap().with_prices(Prices::new(prices).unwrap());
        let error = rate_in(&indexed, &context, &usage).unwrap_err();
        assert_eq!(error.code(), code);
        for word in words {
            assert!(error.to_string().contains(word), "{error} lacks {word}");
        }
    }
    // A price recorded for 14:03 holds from 14:05.
    let prices = Prices::new(vec![price(at_us + 180_000_000, None, "USD/MWh")]).unwrap();
    let context = Context::whole(period).unwrap().with_prices(prices);
    assert_eq!(rate_in(&indexed, &context, &usage).unwrap()[0].quantity, "0.001");
    let fixed = priced(json!({"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "1"}));
    assert_eq!(wb_rating::rate(&fixed, &usage).unwrap_err().code(), "WB-5150");
}

#[test]
fn negative_and_broken_usage_is_refused_with_its_value() {
    let group = |energy: Value| {
        json!({"energy": [{"machine_id": "m", "meter_id": "e", "witness": "meter", "energy_mwh": energy,
        "resets": 0, "unknown_us": 0}]})
        .to_string()
    };
    for value in [json!("-5"), json!(5), json!("1.5"), json!(""), json!("+5"), json!("9".repeat(60))] {
        let error = Usage::parse(&group(value.clone())).unwrap_err();
        assert_eq!(error.code(), "WB-5140", "{value}");
    }
    assert!(Usage::parse(&group(json!("-5"))).unwrap_err().to_string().contains("\"-5\""));
    assert_eq!(Usage::parse("{\"energies\":[]}").unwrap_err().code(), "WB-5140");
}

#[test]
fn a_stretch_lies_on_the_grid_inside_its_period() {
    let period = wb_rating::Period::month("2024-02", "UTC").unwrap().interval;
    let inside = |start_us: i64, end_us: i64| {
        Context::new(
            period,
            Interval { start_us: period.start_us + start_us, end_us: period.start_us + end_us },
        )
    };
    assert!(inside(0, STEP_US).is_ok());
    for (start_us, end_us) in [(0, 0), (-STEP_US, STEP_US), (1, STEP_US), (0, STEP_US + 1), (STEP_US, 0)] {
        assert_eq!(inside(start_us, end_us).unwrap_err().code(), "WB-5123");
    }
}

#[test]
fn fixed_fees_follow_the_intervals_of_long_and_short_days() {
    let fee = priced(json!({"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "8928"}));
    let amount = |month: &str, zone: &str, steps: i64| {
        let period = wb_rating::Period::month(month, zone).unwrap().interval;
        let stretch = Interval { start_us: period.start_us, end_us: period.start_us + steps * STEP_US };
        let context = Context::new(period, stretch).unwrap();
        rate_in(&fee, &context, &Usage::default()).unwrap().remove(0).amount.decimal_text()
    };
    // 31 days of 288 intervals; an hour more in Oslo's October, one less in its March; 29 days of 2024-02.
    for (month, zone, steps, expected) in [
        ("2026-10", "UTC", 288, "288.00"),
        ("2026-10", "UTC", 8_928, "8928.00"),
        ("2026-10", "Europe/Oslo", 8_940, "8928.00"),
        ("2026-10", "Europe/Oslo", 288, "287.61"),
        ("2026-03", "Europe/Oslo", 8_916, "8928.00"),
        ("2026-03", "Europe/Oslo", 288, "288.39"),
        ("2024-02", "UTC", 288, "307.86"),
    ] {
        assert_eq!(amount(month, zone, steps), expected, "{month} {zone} {steps}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_refers_to_lines_adds_up_with_them(seed in any::<u64>()) {
        let mut random = Random(seed);
        let (minimum, maximum) = (random.below(2_000_000), 2_000_000 + random.below(2_000_000));
        let money = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
        let body = json!({"contract_id": "c", "customer_id": "k", "legal_entity": "e", "time_zone": "UTC", "components": [
            {"id": "power", "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.0725"},
            {"id": "least", "kind": "minimum_spend", "currency": "USD", "of": ["power"], "amount": money(minimum)},
            {"id": "most", "kind": "maximum_spend", "currency": "USD", "of": ["power", "least"], "amount": money(maximum)},
            {"id": "tax", "kind": "tax", "currency": "USD", "of": ["power", "least", "most"],
             "jurisdictions": [{"code": "a", "percent": "6.25"}, {"code": "b", "percent": "2"}]},
            {"id": "paid", "kind": "btc_settlement", "currency": "USD", "of": ["power", "least", "most", "tax"],
             "unit": "USD/BTC", "series": "fix", "fixing": "period_end"}]});
        let contract = Contract::parse(&body.to_string()).unwrap();
        let period = wb_rating::Period::month("2026-10", "UTC").unwrap().interval;
        let fixing = wb_rating::PriceFact {
            series: "fix".to_owned(), valid_from_us: period.start_us, valid_to_us: None, unit: "USD/BTC".to_owned(),
            value: "95000".to_owned(), source: "exchange".to_owned(), order: 0,
        };
        let context = Context::whole(period).unwrap().with_prices(Prices::new(vec![fixing]).unwrap());
        let lines = rate_in(&contract, &context, &random::usage(&mut random, period)).unwrap();
        let sum = |ids: &[&str]| -> i128 {
            lines.iter().filter(|line| ids.contains(&line.id.as_str())).map(|line| line.amount.minor).sum()
        };
        let net = sum(&["c/power", "c/least", "c/most"]);
        prop_assert!(i128::from(minimum) <= net && net <= i128::from(maximum));
        // All that is owed in dollars is settled in bitcoin.
        let dollars: i128 =
            lines.iter().filter(|line| line.amount.currency.code() == "USD").map(|line| line.amount.minor).sum();
        prop_assert_eq!(dollars, 0);
        let owed = net + sum(&["c/tax/a", "c/tax/b"]);
        prop_assert_eq!(-sum(&["c/paid/from"]), owed);
        prop_assert_eq!(Some(sum(&["c/paid/to"])), Exact::from(owed).over(Exact::from(9_500_000_u32)).unwrap().minor(8));
    }
}
