//! The worked catalogue, exactly: every example contract over the base case, and its variants.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use crate::base::{context, example, usage};
use wb_rating::{Contract, Exact, KINDS, Line, rate_in};

fn lines(toml: &str) -> Vec<Line> {
    let contract = Contract::parse_toml(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    rate_in(&contract, &context(), &usage()).unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// The example of a kind with a part of its text replaced.
fn variant(kind: &str, from: &str, to: &str) -> String {
    let text = example(kind);
    assert!(text.contains(from), "{kind} has no {from}");
    text.replace(from, to)
}

/// The last line's amount: the examples end with the component they show.
fn last(toml: &str) -> String {
    let line = lines(toml).pop().unwrap();
    format!("{} {}", line.amount.decimal_text(), line.amount.currency.code())
}

#[test]
fn every_kind_has_an_example_and_its_amount() {
    let expected = [
        ("metered_energy", "174753.07 USD"),
        ("energy_uplift", "10485.18 USD"),
        ("nameplate_energy", "177406.27 USD"),
        ("management_fee", "12358.50 USD"),
        ("profit_share", "199140.21 USD"),
        ("take_or_pay", "4035.58 USD"),
        ("uptime_credit", "0.00 USD"),
        ("curtailment_share", "-11133.59 USD"),
        ("time_of_use", "165333.62 USD"),
        ("deposit", "368636.40 USD"),
        ("tax", "9261.91 USD"),
        ("gpu_reserved", "16416.00 USD"),
        ("gpu_on_demand", "52.58 USD"),
        ("mig_slice", "40.71 USD"),
        ("gpu_sla_credit", "-1641.60 USD"),
        ("btc_settlement", "1.83950600 BTC"),
        ("indexed_energy", "104070.07 USD"),
        ("hashrate_fee", "0.00104000 BTC"),
        ("pool_earnings", "49.72913513 BTC"),
        ("fixed_fee", "1250.00 USD"),
        ("one_off", "18500.00 USD"),
        ("tiered", "400.00 USD"),
        ("graduated", "174006.33 USD"),
        ("volume", "163906.33 USD"),
        ("package", "180.00 USD"),
        ("minimum_spend", "750.00 USD"),
        ("maximum_spend", "-24753.07 USD"),
        ("prepaid_credit", "-1000.00 USD"),
    ];
    for kind in KINDS {
        let amount = expected.iter().find(|(known, _)| known == kind).unwrap_or_else(|| panic!("{kind}")).1;
        let text = example(kind);
        assert_eq!(last(&text), amount, "{kind}");
        let shown = lines(&text).pop().unwrap();
        assert_eq!(shown.kind, *kind);
        assert!(shown.formula.contains(", rounded once half to even to "), "{}", shown.formula);
    }
}

#[test]
fn energy_and_its_uplift() {
    let power = lines(&example("metered_energy")).remove(0);
    assert_eq!((power.quantity.as_str(), power.unit_price.as_str()), ("2410387.2", "0.0725 USD/kWh"));
    // A site meter that says 8 % more: 192,830.976 kWh x 0.0725 = 13,980.24576.
    assert_eq!(last(&variant("energy_uplift", "pue = \"1.06\"", "measured = \"site\"")), "13980.25 USD");
    let bounded = variant("energy_uplift", "pue = \"1.06\"", "measured = \"site\"\nmax_pue = \"1.06\"");
    assert_eq!(last(&bounded), "10485.18 USD");
    // 2.5 % of 174,753.072 = 4,368.8268.
    assert_eq!(last(&variant("energy_uplift", "pue = \"1.06\"", "loss_percent = \"2.5\"")), "4368.83 USD");
    let nameplate = lines(&example("nameplate_energy")).remove(0);
    assert_eq!(nameplate.quantity, "2446983");
    assert_eq!(nameplate.inputs[0]["average_machines"], "962.5");
}

#[test]
fn management_by_power_or_percent() {
    let text = example("metered_energy")
        + "\n[[components]]\nid = \"management\"\nkind = \"management_fee\"\ncurrency = \"USD\"\npercent = \"5\"\nof = [\"power\"]\n";
    assert_eq!(last(&text), "8737.65 USD");
    let by_power = lines(&example("management_fee")).remove(0);
    assert_eq!((by_power.quantity.as_str(), by_power.unit.as_str()), ("3531", "kW-month"));
    let contracted = variant("management_fee", "power = \"rated\"", "contracted_kw = \"3531\"");
    assert_eq!(last(&contracted), "12358.50 USD");
}

#[test]
fn the_profit_is_split_without_losing_a_cent() {
    let host = lines(&example("profit_share")).remove(0);
    assert_eq!(host.quantity, "306369.5456");
    let parts: Vec<_> = host
        .inputs
        .iter()
        .filter_map(|input| Some((input.get("party")?.as_str(), input.get("part")?.as_str())))
        .collect();
    assert_eq!(parts, [("host", "199140.21"), ("miner", "107229.34")]);
    assert_eq!(Exact::decimal("306369.5456").unwrap().minor(2), Some(19_914_021 + 10_722_934));
    let miner = variant(
        "profit_share",
        "billed_party = \"host\"\ndirection = \"charge\"",
        "billed_party = \"miner\"\ndirection = \"credit\"",
    );
    assert_eq!(last(&miner), "-107229.34 USD");
}

#[test]
fn commitments_uptime_and_curtailment() {
    let short = lines(&example("take_or_pay")).pop().unwrap();
    assert_eq!(short.quantity, "55663.2");
    // 48,720 kWh that were curtailed count as taken: 6,943.2 kWh x 0.0725 = 503.382.
    let left_out = variant("take_or_pay", "leave_out_curtailed = false", "leave_out_curtailed = true");
    assert_eq!(last(&left_out), "503.38 USD");
    let uptime = lines(&example("uptime_credit")).pop().unwrap();
    let adjusted = Exact::ratio(69_264 * 100, 70_600).unwrap();
    assert_eq!(uptime.quantity, adjusted.to_string());
    assert_eq!(adjusted.minor(4), Some(981_076));
    // Without the carve-out the same month is under the level.
    let inputs = uptime.inputs.last().unwrap();
    assert_eq!(inputs["uptime_percent"], "96.2");
    let curtailed = lines(&example("curtailment_share")).remove(0);
    assert_eq!((curtailed.quantity.as_str(), curtailed.inputs[0]["spread"].as_str()), ("48.72", "380.87"));
}

#[test]
fn time_of_use_has_600_000_kilowatt_hours_of_peak() {
    let line = lines(&example("time_of_use")).remove(0);
    let by_rate: Vec<_> = line.inputs.iter().map(|input| input["energy_kwh"].as_str()).collect();
    assert_eq!(by_rate, ["600000", "1810387.2"]);
}

#[test]
fn gpus_by_second_minute_and_hour() {
    for (rounding, amount, quantity) in
        [("second", "52.58 USD", "47444"), ("minute", "52.67 USD", "792"), ("hour", "63.84 USD", "16")]
    {
        let text = variant("gpu_on_demand", "rounding = \"second\"", &format!("rounding = \"{rounding}\""));
        assert_eq!(last(&text), amount);
        assert_eq!(lines(&text)[0].quantity, quantity);
    }
    let reserved = lines(&example("gpu_reserved")).remove(0);
    assert_eq!((reserved.quantity.as_str(), reserved.unit.as_str()), ("5760", "GPU-hour"));
}

#[test]
fn tax_and_settlement_leave_the_sums_they_should() {
    let taxed = lines(&example("tax"));
    let base: i128 = taxed[..2].iter().map(|line| line.amount.minor).sum();
    assert_eq!(base, 18_523_825);
    assert_eq!((taxed[2].id.as_str(), taxed[2].amount.minor), ("example-tax/tax/US-TX", 926_191));
    let settled = lines(&example("btc_settlement"));
    let usd: i128 = settled
        .iter()
        .filter(|line| line.amount.currency.code() == "USD")
        .map(|line| line.amount.minor)
        .sum();
    assert_eq!(usd, 0);
    assert_eq!(settled[2].amount.minor, 183_950_600);
    assert_eq!(settled[2].inputs[1]["fixing_at"], "2026-07-01T05:00:00Z");
}

#[test]
fn a_fixed_hashrate_fee_and_a_deposit_that_is_held() {
    let text =
        variant("hashrate_fee", "series = \"hashprice-btc\"\npercent = \"2\"", "unit_price = \"0.00000042\"");
    assert_eq!(last(&text), "0.04200000 BTC");
    let contract = Contract::parse_toml(&example("deposit")).unwrap();
    let mut context = context();
    context.deposits.push(wb_rating::DepositHeld { component: "deposit".to_owned(), held_minor: 10_000_000 });
    let line = rate_in(&contract, &context, &usage()).unwrap().remove(0);
    assert_eq!(line.amount.decimal_text(), "268636.40");
    // Not due in this month: no line.
    let later = variant("deposit", "due = 2026-06-01", "due = 2026-07-01");
    assert!(lines(&later).is_empty());
}
