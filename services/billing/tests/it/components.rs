//! Every kind of component through the biller: its inputs are read, billed, kept and billed again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use crate::memory::{MemoryCuts, MemoryLog, MemoryStore, TestClock, World};
use serde_json::{Value, json};
use wb_billing::{Biller, BillerError, CloseRequest, Progress};
use wb_evidence::{Bundle, Held, Sampling, StepName, Subject, verify_bundle};
use wb_ledger::{Invoice, InvoiceLine, canonical};
use wb_metering::uptime::Found;
use wb_rating::{RatedStretch, rate_stretches};

/// 2009-01-31T00:00:00Z: the last day of the month.
const DAY_31_US: i64 = 1_230_768_000_000_000 + 30 * DAY_US;
const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = DAY_US / 24;
const STEP_US: i64 = 300_000_000;
/// 2009-04-01: January to March are over everywhere.
const AFTER_US: u64 = 1_238_544_001_000_000;

type TestBiller = Biller<MemoryLog, MemoryStore, MemoryCuts, TestClock>;

fn biller(world: World) -> TestBiller {
    let store = MemoryStore::new(world);
    Biller::new(MemoryLog::new(), store.clone(), MemoryCuts(store), TestClock::at(AFTER_US), "biller")
}

fn contract(components: Value) -> Value {
    json!({"contract_id": "c", "customer_id": "k", "legal_entity": "l", "time_zone": "UTC", "components": components})
}

/// A machine at site `s` under contract `c` from an instant on.
fn world(components: Value, from_us: i64) -> World {
    let mut world = World::default();
    world.fact("contract", "c", from_us, contract(components));
    world.assign("m", "k", "c", from_us);
    let machine = json!({"site_id": "s", "model": "S21", "rated_power_mw": 1_200_000});
    world.fact("machine", "m", from_us, machine);
    world
}

/// A day in which the machine draws 1 kW but from 10:00 to 12:00, when it is curtailed.
fn worked_day(world: &mut World) {
    let mut register_wh = 0;
    for step in 0..=288 {
        let at_us = DAY_31_US + step * STEP_US;
        if step % 12 == 0 {
            world.read("m", at_us, register_wh);
            world.read_as("site-meter", ("meter", "grid"), at_us, u64::try_from(step / 12).unwrap() * 1_100);
            register_wh += if (120..144).contains(&step) { 0 } else { 1_000 };
        }
        let found = if (120..144).contains(&step) { Found::Reachable } else { Found::Hashing };
        world.sampled("m", at_us, found, None);
    }
    let window = json!({"site_id": "s", "program": "4CP"});
    world.fact_until("curtailment", "w", DAY_31_US + 10 * HOUR_US, Some(DAY_31_US + 12 * HOUR_US), window);
    world.fact("meter", "grid", 0, json!({"site_id": "s", "machine_id": "site-meter", "measures": "site"}));
    for (at_us, value) in [(DAY_31_US, "50"), (DAY_31_US + 12 * HOUR_US, "100")] {
        let price = json!({"series": "spot", "unit": "USD/MWh", "value": value, "source": "ISO"});
        world.fact("price", "spot", at_us, price);
    }
    let fixing = json!({"series": "btc", "unit": "USD/BTC", "value": "100000", "source": "fix"});
    world.fact("price", "btc", 0, fixing);
}

fn line<'a>(invoice: &'a Invoice, component: &str) -> &'a InvoiceLine {
    let found = invoice.lines.iter().find(|line| line.component == component);
    found.unwrap_or_else(|| panic!("no line of {component}"))
}

async fn invoice_of(biller: &TestBiller, period: &str) -> Invoice {
    let issued = biller.close(period, None).await.unwrap();
    assert_eq!(issued.len(), 1);
    let again = biller.recompute(&issued[0].invoice_id).await.unwrap();
    assert!(again.bill_matches && again.evidence_matches, "{period} computed again");
    biller.invoice(&issued[0].invoice_id).await.unwrap().invoice.clone()
}

/// The error of the only contract that could not be billed.
async fn refused(biller: &TestBiller, period: &str) -> (String, String) {
    let error = biller.close(period, None).await.unwrap_err();
    let BillerError::Some { failures, issued } = error else { panic!("{error}") };
    assert!(issued.is_empty());
    assert!(biller.invoices().await.unwrap().is_empty(), "nothing half-issued");
    let mut text = failures[0].error.to_string();
    let mut next = std::error::Error::source(&failures[0].error);
    while let Some(error) = next {
        text.push_str(&format!(": {error}"));
        next = error.source();
    }
    (failures[0].error.code().to_owned(), text)
}

fn energy(id: &str, price: &str) -> Value {
    json!({"id": id, "kind": "metered_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": price})
}

fn everything() -> Value {
    json!([
        energy("power", "0.10"),
        {"id": "uplift", "kind": "energy_uplift", "currency": "USD", "of": "power", "measured": "site"},
        {"id": "nameplate", "kind": "nameplate_energy", "currency": "USD", "unit": "USD/kWh", "unit_price": "0.10"},
        {"id": "tou", "kind": "time_of_use", "currency": "USD", "unit": "USD/kWh", "rates": [
            {"name": "early", "unit_price": "0.20", "windows": [{"from": "00:00", "to": "12:00"}]},
            {"name": "rest", "unit_price": "0.10"}]},
        {"id": "indexed", "kind": "indexed_energy", "currency": "USD", "unit": "USD/MWh", "series": "spot", "adder": "0"},
        {"id": "commitment", "kind": "take_or_pay", "currency": "USD", "percent": "100", "power": "rated",
            "unit": "USD/kWh", "unit_price": "0.10", "leave_out_curtailed": true},
        {"id": "manage", "kind": "management_fee", "currency": "USD", "power": "rated", "unit": "USD/kW-month",
            "unit_price": "3.10"},
        {"id": "sla", "kind": "uptime_credit", "currency": "USD", "of": ["power"],
            "tiers": [{"below_percent": "99", "credit_percent": "50"}]},
        {"id": "flex", "kind": "curtailment_share", "currency": "USD", "unit": "USD/MWh", "series": "spot",
            "strike": "0", "share_percent": "100", "negative_spread": "zero"},
        {"id": "hands", "kind": "volume", "currency": "USD", "measure": "count", "meter": "hands", "unit": "USD/hands",
            "tiers": [{"unit_price": "5"}]},
        {"id": "share", "kind": "profit_share", "currency": "USD", "income": "receipts", "fixing_at": "receipt",
            "fixing_series": "btc", "power_unit": "USD/kWh", "power_price": "0.10", "billed_party": "host",
            "direction": "charge", "losses": "not_shared",
            "parties": [{"name": "host", "percent": "50"}, {"name": "miner", "percent": "50"}]},
        {"id": "deposit", "kind": "deposit", "currency": "USD", "power": "rated", "months": "1",
            "hours_per_month": "720", "unit": "USD/kWh", "unit_price": "0.10", "due": "2009-01-31T00:00:00Z"},
        {"id": "prepaid", "kind": "prepaid_credit", "currency": "USD", "of": ["power"]},
        {"id": "settled", "kind": "btc_settlement", "currency": "USD", "of": ["share"], "unit": "USD/BTC",
            "series": "btc", "fixing": "period_end"},
    ])
}

#[tokio::test]
async fn everything_a_contract_asks_for_is_billed_and_what_was_rated_gives_the_bill_again() {
    let mut world = world(everything(), DAY_31_US);
    worked_day(&mut world);
    world.fact(
        "count",
        "ticket-1",
        DAY_31_US + 7,
        json!({"contract_id": "c", "meter": "hands", "value": "2"}),
    );
    world.fact(
        "count",
        "ticket-2",
        DAY_31_US + 9,
        json!({"contract_id": "c", "meter": "hands", "value": "1"}),
    );
    world.fact(
        "count",
        "ticket-3",
        DAY_31_US + 9,
        json!({"contract_id": "d", "meter": "hands", "value": "9"}),
    );
    let paid = json!({"pool": "p", "site_id": "s", "amount_sat": "1000000"});
    world.fact("pool_payout", "p/1", DAY_31_US + 5 * HOUR_US, paid);
    let held = json!({"contract_id": "c", "component": "deposit", "currency": "USD", "amount": "80"});
    world.fact("deposit_held", "d", 0, held);
    world.fact("prepaid_grant", "g", 0, json!({"contract_id": "c", "currency": "USD", "amount": "5"}));
    let biller = biller(world);
    let invoice = invoice_of(&biller, "2009-01").await;
    let amounts: Vec<(&str, &str)> =
        invoice.lines.iter().map(|line| (line.component.as_str(), line.amount.as_str())).collect();
    assert_eq!(
        amounts,
        [
            ("power", "2.20"),
            // The site took in 26.4 kWh.
            ("uplift", "0.44"),
            ("nameplate", "2.64"),
            ("tou", "3.20"),
            ("indexed", "1.70"),
            // 28.8 kWh of rated power, less 2.4 curtailed and 22 taken.
            ("commitment", "0.44"),
            ("manage", "0.12"),
            ("sla", "0.00"),
            ("flex", "-0.12"),
            ("hands", "15.00"),
            // (1,000.00 - 2.20) / 2.
            ("share", "498.90"),
            ("deposit", "6.40"),
            ("prepaid", "-2.20"),
            ("settled", "-498.90"),
            ("settled", "0.00498900"),
        ]
    );
    let indexed = line(&invoice, "indexed");
    let prices: Vec<_> = indexed
        .inputs
        .iter()
        .filter(|input| input.contains_key("index"))
        .map(|input| (input["index"].as_str(), input["series"].as_str(), input["price_from"].as_str()))
        .collect();
    assert_eq!(prices, [("100", "spot", "2009-01-31T12:00:00Z"), ("50", "spot", "2009-01-31T00:00:00Z")]);
    assert!(invoice.lines.iter().all(|line| line.inputs[0]["contract_version"] == "1"));

    let bill = biller.bill_of(&invoice.invoice_id).await.unwrap();
    assert_eq!((bill.completeness.expected, bill.completeness.received), (2 * 288, 288));
    assert_eq!(bill.completeness.estimated, 288, "hourly registers: exact amounts, estimated timing");
    let kept = canonical::write_document(&bill.stretches).unwrap();
    let read: Vec<RatedStretch> = serde_json::from_str(&kept).unwrap();
    assert_eq!(rate_stretches(&read).unwrap(), bill.billed.lines);
    proves_itself(&biller, &invoice).await;
}

/// Record, contract, lines and evidence digest hold in a bundle, which here has no events.
async fn proves_itself(biller: &TestBiller, invoice: &Invoice) {
    let evidence = biller.evidence(&invoice.invoice_id).await.unwrap();
    let bill = evidence.bill;
    assert_eq!(bill.site_ids.iter().collect::<Vec<_>>(), ["s"]);
    let held = |holding: wb_billing::ports::Holding| Held {
        machine_id: holding.machine_id,
        start_us: holding.interval.start_us,
        end_us: holding.interval.end_us,
    };
    let mut blocks = bill.billed.blocks;
    blocks.sort();
    let bundle = Bundle {
        record: evidence.record,
        stretches: bill.stretches,
        subject: Subject {
            contract_id: invoice.contract_id.clone(),
            machines: bill.holdings.into_iter().map(held).collect(),
            accounts: Vec::new(),
            series: vec!["btc".to_owned(), "spot".to_owned()],
            sites: bill.site_ids.into_iter().collect(),
            voided: Vec::new(),
        },
        blocks,
        seals: Vec::new(),
        day_blocks: Vec::new(),
        sampling: Sampling::All,
        commits: Vec::new(),
        events: Vec::new(),
    };
    let report = verify_bundle(&bundle, Some(&serde_json::to_string(invoice).unwrap()));
    let step = |name| report.steps.iter().find(|step| step.step == name).unwrap();
    assert_eq!(step(StepName::Lines).checked, 15);
    let other = report.failures.iter().find(|failure| failure.step != StepName::Sample);
    assert!(other.is_none(), "{report}");
}

#[tokio::test]
async fn a_grant_and_a_deposit_go_on_in_the_next_month() {
    let components = json!([
        {"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "31"},
        {"id": "deposit", "kind": "deposit", "currency": "USD", "contracted_kw": "1", "months": "1",
            "hours_per_month": "100", "unit": "USD/kWh", "unit_price": "1", "due": "2009-01-31T00:00:00Z"},
        {"id": "prepaid", "kind": "prepaid_credit", "currency": "USD", "of": ["fee"]},
    ]);
    let mut world = world(components, DAY_31_US);
    world.fact("prepaid_grant", "g", 0, json!({"contract_id": "c", "currency": "USD", "amount": "40"}));
    let biller = biller(world);
    let january = invoice_of(&biller, "2009-01").await;
    assert_eq!(line(&january, "prepaid").amount, "-1.00");
    assert_eq!(line(&january, "deposit").amount, "100.00");
    let february = invoice_of(&biller, "2009-02").await;
    assert_eq!(line(&february, "prepaid").amount, "-31.00");
    let march = invoice_of(&biller, "2009-03").await;
    assert_eq!(line(&march, "prepaid").amount, "-8.00");
    assert_eq!(march.lines.len(), 2, "the deposit was charged once");
    let again = biller.recompute(&january.invoice_id).await.unwrap();
    assert!(again.bill_matches, "later draws do not change an earlier bill");
}

#[tokio::test]
async fn the_witness_changes_where_the_meter_fell_silent() {
    let mut world = world(json!([energy("power", "0.10")]), DAY_31_US);
    // The meter covers the first hour, the firmware's power the first two.
    for step in 0..=24 {
        let at_us = DAY_31_US + step * STEP_US;
        if step <= 12 {
            world.read("m", at_us, u64::try_from(step).unwrap() * 100);
        }
        world.sampled("m", at_us, Found::Hashing, Some(600_000));
    }
    let biller = biller(world);
    let invoice = invoice_of(&biller, "2009-01").await;
    let power = line(&invoice, "power");
    // 12 x 100 Wh, then an hour of 600 W.
    assert_eq!(power.quantity, "1.8");
    let shown: Vec<_> = power
        .inputs
        .iter()
        .filter_map(|input| Some((input.get("witness")?.as_str(), input["energy_kwh"].as_str())))
        .collect();
    assert_eq!(shown, [("firmware_power", "0.6"), ("meter", "1.2")]);
    let shares: Vec<_> = power.inputs.iter().filter_map(|input| input.get("share_percent")).collect();
    assert_eq!(shares, ["33.3", "66.7"]);
    let bill = biller.bill_of(&invoice.invoice_id).await.unwrap();
    assert_eq!((bill.completeness.expected, bill.completeness.received), (288, 24));
}

#[tokio::test]
async fn gpus_are_billed_by_their_whole_history_and_availability_by_outages() {
    let components = json!([
        {"id": "gpus", "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "3.99",
            "rounding": "minute"},
        {"id": "slice", "kind": "mig_slice", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "2.85",
            "profile": "1g.10gb", "fraction": "1/7", "rounding": "second"},
        {"id": "sla", "kind": "gpu_sla_credit", "currency": "USD", "of": ["gpus"],
            "tiers": [{"below_percent": "99.5", "credit_percent": "10"}]},
    ]);
    let start_us = DAY_31_US - 30 * DAY_US;
    let mut world = World::default();
    world.fact("contract", "c", start_us, contract(components));
    world.assign("n", "k", "c", start_us);
    world.fact(
        "machine",
        "n",
        start_us,
        json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8}),
    );
    // 3:17:41, and one that goes on over the month's end: 90 s before it, 100 s in all.
    let length_us = ((3 * 60 + 17) * 60 + 41) * 1_000_000;
    world.allocated("n", "job-1", (4, ""), DAY_31_US, DAY_31_US + length_us);
    let end_us = DAY_31_US + DAY_US;
    world.allocated("n", "job-2", (1, ""), end_us - 90_000_000, end_us + 10_000_000);
    let hour = (DAY_31_US + 10 * HOUR_US, DAY_31_US + 11 * HOUR_US);
    world.allocated("n", "job-3", (1, "1g.10gb"), hour.0, hour.1);
    // Half of the GPUs for 7.44 h of 744 h: 99.5 % are left, which is not under 99.5.
    let outage = json!({"machine_id": "n", "gpus": 4, "reason": "XID 79"});
    world.fact_until("outage", "o", DAY_31_US, Some(DAY_31_US + 26_700_000_000), outage.clone());
    let biller = biller(world);
    let invoice = invoice_of(&biller, "2009-01").await;
    // 198 minutes x 4 and 2 minutes x 1, at 3.99 an hour; an hour of a seventh at 2.85.
    assert_eq!(line(&invoice, "gpus").amount, "52.80");
    assert_eq!(line(&invoice, "slice").amount, "0.41");
    assert_eq!(line(&invoice, "sla").amount, "0.00");
    let february = invoice_of(&biller, "2009-02").await;
    assert_eq!(line(&february, "gpus").amount, "0.00", "100 s are two minutes, and both were billed");
}

/// 8 reserved GPUs, use above them, a credit for availability, and tax on all of it.
pub(crate) fn reserved_with_overage() -> Value {
    json!([
        {"id": "reserved", "kind": "gpu_reserved", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "2.85",
            "gpus": 8},
        {"id": "on-demand", "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "3.99",
            "rounding": "second", "covered_by": ["reserved"]},
        {"id": "sla", "kind": "gpu_sla_credit", "currency": "USD", "of": ["reserved"],
            "tiers": [{"below_percent": "99", "credit_percent": "10"}, {"below_percent": "95", "credit_percent": "25"}]},
        {"id": "vat", "kind": "tax", "currency": "USD", "of": ["reserved", "on-demand", "sla"],
            "jurisdictions": [{"code": "state", "percent": "5"}]},
    ])
}

/// A month of 744 hours with 8 reserved GPUs, use above them, an outage and tax, by hand:
///
/// ```text
/// reserved      8 x 744 h x 2.85                     16,963.20
/// on demand     4 GPUs x 10 h above the 8, x 3.99       159.60
/// availability  8 of 8 down for 10 h: 734 / 744 = 98.66 %, under 99: 10 % of 16,963.20   -1,696.32
/// sum                                                15,426.48
/// tax           5 % = 771.324                           771.32
/// total                                              16,197.80
/// ```
#[tokio::test]
async fn reserved_gpus_cover_first_and_only_what_is_above_is_on_demand() {
    let components = reserved_with_overage();
    let start_us = DAY_31_US - 30 * DAY_US;
    let mut world = World::default();
    world.fact("contract", "c", start_us, contract(components));
    for node in ["n1", "n2"] {
        world.assign(node, "k", "c", start_us);
        let machine = json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8});
        world.fact("machine", node, start_us, machine);
    }
    let month_end_us = DAY_31_US + DAY_US;
    world.allocated("n1", "train", (8, ""), start_us, month_end_us);
    world.allocated("n2", "tune", (4, ""), DAY_31_US, DAY_31_US + 10 * HOUR_US);
    let outage = json!({"machine_id": "n1", "gpus": 8, "reason": "XID 79"});
    world.fact_until("outage", "o", start_us, Some(start_us + 10 * HOUR_US), outage);
    let biller = biller(world);
    let invoice = invoice_of(&biller, "2009-01").await;
    let shown: Vec<_> =
        invoice.lines.iter().map(|line| (line.component.as_str(), line.amount.as_str())).collect();
    assert_eq!(
        shown,
        [("reserved", "16963.20"), ("on-demand", "159.60"), ("sla", "-1696.32"), ("vat", "771.32")]
    );
    assert_eq!(invoice.totals[0].amount, "16197.80");
    let sla = line(&invoice, "sla");
    assert!(
        sla.formula.contains("available: 5872.00 of 5952.00 GPU-hours of 8 reserved GPUs"),
        "{}",
        sla.formula
    );
}

/// What a dry run of January says is left out.
async fn excluded(biller: &TestBiller) -> Vec<wb_billing::Exclusion> {
    let mut found = Vec::new();
    let request = CloseRequest { period: "2009-01".to_owned(), dry_run: true, ..CloseRequest::default() };
    biller
        .close_with(&request, &mut |progress| {
            if let Progress::Excluded { exclusions, .. } = progress {
                found.extend(exclusions.listed.iter().cloned());
            }
        })
        .await
        .unwrap();
    found
}

#[tokio::test]
async fn the_close_tells_which_allocations_it_does_not_bill_and_what_they_would_cost() {
    let components = json!([
        {"id": "gpus", "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "3.99",
            "rounding": "second"},
    ]);
    let start_us = DAY_31_US - 30 * DAY_US;
    let mut world = World::default();
    world.fact("contract", "c", start_us, contract(components));
    world.assign("n", "k", "c", start_us);
    world.fact(
        "machine",
        "n",
        start_us,
        json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8}),
    );
    world.allocated("n", "big", (64, ""), DAY_31_US, DAY_31_US + 10 * HOUR_US);
    world.allocated("n", "slice", (1, "1g.10gb"), DAY_31_US + 12 * HOUR_US, DAY_31_US + 13 * HOUR_US);
    let found = excluded(&biller(world)).await;
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.allocation_id.as_str(), one.gpus, one.would_be.map(|money| money.decimal_text())))
        .collect();
    // 64 x 10 h x 3.99; the slice has no price.
    assert_eq!(shown, [("big", 64, Some("2553.60".to_owned())), ("slice", 1, None)]);
    assert!(found[0].reason.contains("number of GPUs"), "{}", found[0].reason);
    assert!(found[1].reason.contains("1g.10gb"), "{}", found[1].reason);
}

#[tokio::test]
async fn reserved_first_rounds_an_allocation_across_months_once() {
    let components = json!([
        {"id": "reserved", "kind": "gpu_reserved", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "1", "gpus": 2},
        {"id": "on-demand", "kind": "gpu_on_demand", "currency": "USD", "unit": "USD/GPU-hour", "unit_price": "6",
            "rounding": "minute", "covered_by": ["reserved"]},
    ]);
    let start_us = DAY_31_US - 30 * DAY_US;
    let mut world = World::default();
    world.fact("contract", "c", start_us, contract(components));
    world.assign("n", "k", "c", start_us);
    world.fact(
        "machine",
        "n",
        start_us,
        json!({"site_id": "s", "model": "HGX", "rated_power_mw": 9, "gpus": 8}),
    );
    let end_us = DAY_31_US + DAY_US;
    // Both reserved GPUs are taken until 30 s before the month's end by an allocation that February does not see.
    world.allocated("n", "early", (2, ""), DAY_31_US, end_us - 30_000_000);
    // Above for 60 s; covered for the last 30 s of January and for all of February.
    world.allocated("n", "late", (1, ""), end_us - 90_000_000, end_us + 600_000_000);
    let biller = biller(world);
    assert_eq!(line(&invoice_of(&biller, "2009-01").await, "on-demand").quantity, "1");
    assert_eq!(line(&invoice_of(&biller, "2009-02").await, "on-demand").quantity, "0");
}

#[tokio::test]
async fn a_change_at_14_03_takes_effect_at_14_05() {
    let at_14_03 = DAY_31_US + 14 * HOUR_US + 180_000_000;
    let mut world = world(json!([energy("power", "0.10")]), DAY_31_US);
    world.fact("contract", "c", at_14_03, contract(json!([energy("power", "1.00")])));
    for step in 0..=288 {
        world.read("m", DAY_31_US + step * STEP_US, u64::try_from(step).unwrap() * 1_000);
    }
    let biller = biller(world);
    let invoice = invoice_of(&biller, "2009-01").await;
    let at_14_05 = DAY_31_US + 14 * HOUR_US + STEP_US;
    let shown: Vec<_> = invoice
        .lines
        .iter()
        .map(|line| (line.id.clone(), line.quantity.as_str(), line.amount.as_str()))
        .collect();
    assert_eq!(
        shown,
        [(format!("c/power@{DAY_31_US}"), "169", "16.90"), (format!("c/power@{at_14_05}"), "119", "119.00"),]
    );
    assert_eq!(line(&invoice, "power").inputs[0]["rated_to"], "2009-01-31T14:05:00Z");
}

#[tokio::test]
async fn what_cannot_be_billed_is_said_with_its_code_and_nothing_is_issued() {
    let day = |components: Value| {
        let mut world = world(components, DAY_31_US);
        worked_day(&mut world);
        world
    };
    let indexed = |series: &str, unit: &str| json!([{"id": "i", "kind": "indexed_energy", "currency": "USD", "unit": unit, "series": series, "adder": "0"}]);
    let share = || everything().as_array().unwrap()[10].clone();
    let mut cases: Vec<(World, &str, Vec<&str>)> = vec![
        (day(indexed("other", "USD/MWh")), "WB-5151", vec!["other", "2009-01-31T00:00:00Z"]),
        (day(indexed("spot", "USD/kWh")), "WB-5152", vec!["spot", "USD/MWh"]),
        (
            day(json!([{"id": "f", "kind": "fixed_fee", "currency": "XXL", "amount": "1"}])),
            "WB-5107",
            vec!["XXL"],
        ),
        (
            day(json!([{"id": "f", "kind": "fixed_fee", "currency": "USD", "amount": "-1"}])),
            "WB-5109",
            vec!["-1"],
        ),
        (
            day(
                json!([{"id": "f", "kind": "metered_energy", "currency": "USD", "unit": "USD/MWh", "unit_price": "1"}]),
            ),
            "WB-5108",
            vec!["USD/MWh", "USD/kWh"],
        ),
    ];
    // A price that ended: the error states the next instant without one.
    let mut ended = day(indexed("late", "USD/MWh"));
    let price = json!({"series": "late", "unit": "USD/MWh", "value": "5"});
    ended.fact_until("price", "late", DAY_31_US, Some(DAY_31_US + HOUR_US), price);
    cases.push((ended, "WB-5151", vec!["late", "2009-01-31T01:00:00Z", "ended"]));
    // A machine without facts.
    let mut unknown = day(json!([{"id": "m", "kind": "management_fee", "currency": "USD", "power": "rated",
        "unit": "USD/kW-month", "unit_price": "1"}]));
    unknown.assign("new", "k", "c", DAY_31_US);
    cases.push((unknown, "WB-5431", vec!["new", "2009-01-31T00:00:00Z"]));
    // A payment for a site with two contracts' machines.
    let mut shared = day(json!([share()]));
    shared.fact("machine", "m2", 0, json!({"site_id": "s", "model": "S21", "rated_power_mw": 1}));
    shared.contract("c2", "k2", DAY_31_US, "1");
    shared.assign("m2", "k2", "c2", DAY_31_US);
    let paid = json!({"pool": "p", "site_id": "s", "amount_sat": "7"});
    shared.fact("pool_payout", "p/1", DAY_31_US + 1, paid);
    cases.push((shared, "WB-5432", vec!["c, c2"]));
    // Two versions that both hold.
    let mut overlapping = World::default();
    let version = |number: u64, from: &str, to: Option<&str>| {
        let mut body = contract(json!([energy("power", "0.10")]));
        body["version"] = number.into();
        body["effective_from"] = from.into();
        if let Some(to) = to {
            body["effective_to"] = to.into();
        }
        body
    };
    let (first, second) = ("2009-01-30T00:00:00Z", "2009-01-31T00:00:00Z");
    overlapping.fact("contract", "c", DAY_31_US - DAY_US, version(1, first, Some("2009-03-01T00:00:00Z")));
    overlapping.fact("contract", "c", DAY_31_US, version(2, second, None));
    cases.push((overlapping, "WB-5116", vec!["versions 1 and 2", "2009-01-31T00:00:00Z"]));
    let mut elsewhere = World::default();
    elsewhere.fact("contract", "c", DAY_31_US, version(1, first, None));
    cases.push((elsewhere, "WB-5404", vec!["2009-01-30T00:00:00Z", "2009-01-31T00:00:00Z"]));
    // A held deposit in another currency.
    let deposit = json!([{"id": "d", "kind": "deposit", "currency": "USD", "power": "rated", "months": "1",
        "hours_per_month": "720", "unit": "USD/kWh", "unit_price": "0.10", "due": "2009-01-31T00:00:00Z"}]);
    let mut foreign = day(deposit);
    let held = json!({"contract_id": "c", "component": "d", "currency": "EUR", "amount": "80"});
    foreign.fact("deposit_held", "h", 0, held);
    cases.push((foreign, "WB-5404", vec!["EUR", "USD"]));
    // A count that was written without a check.
    let count = json!([{"id": "h", "kind": "volume", "currency": "USD", "measure": "count", "meter": "hands",
        "unit": "USD/hands", "tiers": [{"unit_price": "5"}]}]);
    let mut negative = day(count);
    let body = json!({"contract_id": "c", "meter": "hands", "value": "-1"});
    negative.fact("count", "t", DAY_31_US, body);
    cases.push((negative, "WB-5404", vec!["-1"]));
    for (world, code, words) in cases {
        let (found, text) = refused(&biller(world), "2009-01").await;
        assert_eq!(found, code, "{text}");
        for word in words {
            assert!(text.contains(word), "{text} lacks {word}");
        }
    }
}

#[tokio::test]
async fn a_document_is_tried_out_on_a_past_month_without_a_trace() {
    let mut world = world(json!([energy("power", "0.10")]), DAY_31_US);
    worked_day(&mut world);
    let biller = biller(world);
    let invoice = invoice_of(&biller, "2009-01").await;
    let mut other = contract(json!([energy("power", "0.20"),
        {"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "31"}]));
    other["contract_id"] = "draft".into();
    let tried = biller.backtest(&other.to_string(), Some("c"), "2009-01").await.unwrap();
    assert_eq!(tried.cut, invoice.evidence.cut);
    let shown: Vec<_> = tried
        .by_component()
        .into_iter()
        .map(|amounts| (amounts.component, amounts.billed_minor, amounts.would_be_minor))
        .collect();
    // The document is taken to hold for the whole month; the machine was there for one day.
    assert_eq!(shown, [("fee".to_owned(), None, Some(3_100)), ("power".to_owned(), Some(220), Some(440))]);
    assert_eq!(biller.invoices().await.unwrap().len(), 1, "nothing was written");
    let error = biller.backtest(&other.to_string(), None, "2009-01").await.unwrap_err();
    assert_eq!(error.code(), "WB-5434", "{error}");
    assert_eq!(biller.contracts_of("k").await.unwrap(), ["c"]);
    assert_eq!(biller.documents_of("c").await.unwrap().len(), 1);
}
