//! Contract documents: the schema and the reader have the same fields, errors point at the line, versions do not
//! overlap.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeSet;

use crate::base::example;
use serde_json::Value;
use wb_rating::{Contract, ContractError, Format, KINDS, Period, Versions, differences};
use wb_units::Interval;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../schemas/contracts/contract.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The fields that the reader lists when it refuses an unknown one.
fn known(toml: &str) -> BTreeSet<String> {
    let text = Contract::parse_toml(toml).unwrap_err().to_string();
    let (_, list) = text.split_once("known here are ").unwrap_or_else(|| panic!("{text}"));
    list.split(", ").map(str::to_owned).collect()
}

/// Components for others to refer to.
const BEFORE: &str = r#"
[[components]]
id = "proven"
kind = "pool_earnings"
chain = "main"
currency = "BTC"
mean_fees_sat = "0"

[[components]]
id = "other"
kind = "fixed_fee"
currency = "USD"
amount = "1"
"#;

/// A measure with a meter, in place of that of the examples.
const COUNTED: (&str, &str) = (
    "measure = \"energy_kwh\"\nunit = \"USD/kWh\"",
    "measure = \"count\"\nmeter = \"hands\"\nunit = \"USD/hands\"",
);

/// GPU-hours in their place.
const HOURS: &str = "measure = \"gpu_hours\"\ncovered_by = []\nunit = \"USD/GPU-hour\"";

#[test]
fn schema_and_reader_know_the_same_fields() {
    let schema = schema();
    let other_ways = [
        ("energy_uplift", "pue = \"1.06\"", "measured = \"site\"\nmax_pue = \"1.06\""),
        ("energy_uplift", "pue = \"1.06\"", "loss_percent = \"2\""),
        (
            "management_fee",
            "unit = \"USD/kW-month\"\nunit_price = \"3.50\"\n# The rated power of the machines assigned, weighted by time. Or contracted_kw = \"3531\".\npower = \"rated\"",
            "percent = \"5\"\nof = [\"other\"]",
        ),
        ("profit_share", "income = \"receipts\"", "income = \"proven_work\"\nearnings = \"proven\""),
        ("hashrate_fee", "series = \"hashprice-btc\"\npercent = \"2\"", "unit_price = \"0.1\""),
        ("graduated", COUNTED.0, COUNTED.1),
        ("volume", COUNTED.0, COUNTED.1),
        ("graduated", COUNTED.0, HOURS),
        ("volume", COUNTED.0, HOURS),
        (
            "tiered",
            "measure = \"count\"\nmeter = \"remote-hands-minutes\"",
            "measure = \"gpu_hours\"\ncovered_by = []",
        ),
        (
            "package",
            "measure = \"count\"\nmeter = \"remote-hands-minutes\"",
            "measure = \"gpu_hours\"\ncovered_by = []",
        ),
        ("btc_settlement", "fixing = \"period_end\"", "fixing_at = 2026-07-01T16:00:00Z"),
    ];
    for kind in KINDS {
        let properties: BTreeSet<String> =
            schema["$defs"][kind]["properties"].as_object().unwrap().keys().cloned().collect();
        let mark = format!("kind = \"{kind}\"\n");
        let mut fields = known(&example(kind).replace(&mark, &format!("{mark}surplus = 1\n")));
        for (_, from, to) in other_ways.iter().filter(|(other, _, _)| other == kind) {
            let text = example(kind).replacen("\n[[components]]", &format!("{BEFORE}\n[[components]]"), 1);
            assert!(text.contains(from), "{kind} has no {from}");
            let text =
                text.replace(from, to).replace("fixing_at = \"receipt\"", "fixing_at = \"period_end\"");
            Contract::parse_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            fields.extend(known(&text.replace(&mark, &format!("{mark}surplus = 1\n"))));
        }
        assert_eq!(fields, properties, "{kind}");
        for required in schema["$defs"][kind]["required"].as_array().unwrap() {
            let name = required.as_str().unwrap();
            let lacking = without_field(&example(kind), kind, name);
            let error = Contract::parse_toml(&lacking).unwrap_err().to_string();
            assert!(error.contains(name), "{kind} without {name}: {error}");
        }
    }
    let properties: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(known(&format!("surplus = 1\n{}", example("fixed_fee"))), properties);
    let listed: Vec<_> = schema["properties"]["components"]["items"]["oneOf"].as_array().unwrap().clone();
    let listed: BTreeSet<_> = listed.iter().map(|entry| entry["$ref"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, KINDS.iter().map(|kind| format!("#/$defs/{kind}")).collect());
}

/// The example without a field of the component it shows, as JSON would have it.
fn without_field(toml: &str, kind: &str, name: &str) -> String {
    let mut document: toml::Table = toml.parse().unwrap();
    let components = document["components"].as_array_mut().unwrap();
    let shown = components.iter_mut().find(|component| component["kind"].as_str() == Some(kind)).unwrap();
    shown.as_table_mut().unwrap().remove(name).unwrap_or_else(|| panic!("{kind} has no {name}"));
    document.to_string()
}

#[test]
fn errors_of_a_toml_document_point_at_the_line() {
    for (kind, from, to, code, words) in [
        (
            "metered_energy",
            "\"USD/kWh\"",
            "\"USD/MWh\"",
            "WB-5108",
            ["components[0].unit (line 17)", "\"USD/kWh\""],
        ),
        (
            "metered_energy",
            "\"0.0725\"",
            "0.0725",
            "WB-5101",
            ["components[0].unit_price (line 18)", "0.0725"],
        ),
        (
            "metered_energy",
            "\"0.0725\"",
            "\"-1\"",
            "WB-5109",
            ["components[0].unit_price (line 18)", "zero or more"],
        ),
        ("metered_energy", "\"USD\"", "\"DOGE\"", "WB-5107", ["components[0].currency (line 16)", "DOGE"]),
        (
            "metered_energy",
            "America/Chicago",
            "America/Chikago",
            "WB-5103",
            ["time_zone (line 7)", "Chikago"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "payment_terms_days = 367",
            "WB-5109",
            ["payment_terms_days (line 11)", "366"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "approvals = 10",
            "WB-5109",
            ["approvals (line 11)", "to 9"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "completeness_ppm = -1",
            "WB-5109",
            ["completeness_ppm (line 11)", "from 0"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "late_fee_ppm = 1000001",
            "WB-5109",
            ["late_fee_ppm (line 11)", "1000000"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "late_fee_ppm = 1.5",
            "WB-5113",
            ["late_fee_ppm (line 11)", "1.5"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "purchase_order = 4711",
            "WB-5101",
            ["purchase_order (line 11)", "write a string"],
        ),
        (
            "metered_energy",
            "payment_terms_days = 15",
            "purchase_order = \"PO\\n4711\"",
            "WB-5113",
            ["purchase_order (line 11)", "on one line"],
        ),
        ("metered_energy", "unit = ", "unit = = ", "WB-5101", ["document", "line 17"]),
        ("metered_energy", "version = 1", "version = 0", "WB-5109", ["version (line 9)", "from 1"]),
        ("metered_energy", "-06:00", "", "WB-5112", ["effective_from (line 10)", "offset"]),
        (
            "energy_uplift",
            "of = \"power\"",
            "of = \"powder\"",
            "WB-5111",
            ["components[1].of (line 25)", "[power]"],
        ),
        (
            "energy_uplift",
            "pue = \"1.06\"",
            "pue = \"0.9\"",
            "WB-5109",
            ["components[1].pue (line 27)", "at least 1"],
        ),
        (
            "energy_uplift",
            "pue = \"1.06\"",
            "pue = \"1\"\nloss_percent = \"1\"",
            "WB-5113",
            ["(line 20)", "exactly one"],
        ),
        ("gpu_on_demand", "\"second\"", "\"day\"", "WB-5113", ["rounding (line 20)", "\"minute\""]),
        (
            "gpu_sla_credit",
            "below_percent = \"95\"",
            "below_percent = \"99.9\"",
            "WB-5114",
            ["tiers[1] (line 32)", "go down"],
        ),
        ("profit_share", "percent = \"35\"", "percent = \"34\"", "WB-5115", ["parties (line 30)", "99"]),
        ("profit_share", "\"USD/kWh\"", "\"USD/GWh\"", "WB-5108", ["power_unit (line 22)", "\"USD/kWh\""]),
        ("time_of_use", "\"14:00\"", "\"14:03\"", "WB-5112", ["windows[0].from (line 29)", "five-minute"]),
        ("time_of_use", "2026-07-03", "\"July 3\"", "WB-5112", ["holidays[0] (line 19)", "2026-12-25"]),
        (
            "graduated",
            "up_to = \"2000000\"",
            "up_to = \"1000000\"",
            "WB-5114",
            ["tiers[1] (line 25)", "rise"],
        ),
        ("indexed_energy", "cap = \"95.00\"", "cap = \"-1\"", "WB-5109", ["cap (line 21)", "floor"]),
        ("mig_slice", "\"1/7\"", "\"8/7\"", "WB-5109", ["fraction (line 18)", "1/7"]),
        (
            "tax",
            "of = [\"power\", \"uplift\"]",
            "of = [\"tax\"]",
            "WB-5111",
            ["of[0] (line 31)", "before this one"],
        ),
    ] {
        let text = example(kind);
        assert!(text.contains(from), "{kind} has no {from}");
        let error = Contract::parse_toml(&text.replacen(from, to, 1)).unwrap_err();
        let shown = error.to_string();
        assert_eq!(error.code(), code, "{shown}");
        assert!(shown.starts_with(&format!("[{code}] ")), "{shown}");
        for word in words {
            assert!(shown.contains(word), "{kind} {from}: {shown} lacks {word}");
        }
    }
}

#[test]
fn the_terms_of_billing_are_read_and_left_to_the_operator_where_they_are_not_said() {
    let silent = example("metered_energy").replace("payment_terms_days = 15\n", "");
    let terms = |text: &str| {
        let contract = Contract::parse_toml(text).unwrap();
        (contract.approvals, contract.payment_terms_days, contract.completeness_ppm, contract.late_fee_ppm)
    };
    assert_eq!(terms(&silent), (None, None, None, None));
    let said = "approvals = 9\npayment_terms_days = 366\ncompleteness_ppm = 1000000\nlate_fee_ppm = 0\n";
    assert_eq!(terms(&format!("{said}{silent}")), (Some(9), Some(366), Some(1_000_000), Some(0)));
}

#[test]
fn a_purchase_order_is_read_and_a_change_of_it_is_a_difference() {
    let silent = example("metered_energy");
    let order = |text: &str| Contract::parse_toml(text).unwrap().purchase_order;
    assert_eq!(order(&silent), None);
    let of = |order: &str| format!("purchase_order = \"{order}\"\n{silent}");
    assert_eq!(order(&of("注文書 4711/2026")).as_deref(), Some("注文書 4711/2026"));
    for wrong in ["", &"1".repeat(201)] {
        assert_eq!(Contract::parse_toml(&of(wrong)).unwrap_err().code(), "WB-5113");
    }
    let shown = |left: &str, right: &str| {
        let found = differences((left, Format::Toml), (right, Format::Toml)).unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(shown(&silent, &of("PO-1")), ["+ purchase_order: \"PO-1\""]);
    assert_eq!(shown(&of("PO-1"), &of("PO-2")), ["~ purchase_order: \"PO-1\" -> \"PO-2\""]);
}

#[test]
fn one_look_finds_what_is_wrong_in_every_component() {
    let text = example("tax").replace("\"1.06\"", "\"0.5\"").replace("percent = \"5\"", "percent = \"500\"");
    let errors = Contract::check(&text.replace("version = 1", "version = -1"), Format::Toml).unwrap_err();
    let codes: Vec<_> = errors.iter().map(ContractError::code).collect();
    // The tax refers to the uplift, which could not be read.
    assert_eq!(codes, ["WB-5109", "WB-5109", "WB-5111"]);
}

fn version(number: u64, from: &str, to: &str) -> Contract {
    let text = example("metered_energy")
        .replace("version = 1", &format!("version = {number}"))
        .replace("effective_from = 2026-01-01T00:00:00-06:00", &format!("effective_from = {from}\n{to}"));
    Contract::parse_toml(&text).unwrap()
}

#[test]
fn a_change_at_14_03_takes_effect_at_14_05_and_versions_do_not_overlap() {
    let june = Period::month("2026-06", "America/Chicago").unwrap().interval;
    let first = version(1, "2026-01-01T00:00:00Z", "");
    let second = version(2, "2026-06-10T14:03:00Z", "");
    let at_us = 1_781_100_300_000_000;
    for order in [vec![first.clone(), second.clone()], vec![second.clone(), first.clone()]] {
        let versions = Versions::new(order).unwrap();
        let parts: Vec<_> = versions
            .within(june)
            .unwrap()
            .into_iter()
            .map(|(part, contract)| (part, contract.version))
            .collect();
        let split = |start_us, end_us| Interval { start_us, end_us };
        assert_eq!(parts, [(split(june.start_us, at_us), 1), (split(at_us, june.end_us), 2)]);
    }
    assert_eq!(at_us % 300_000_000, 0);
    // 14:05 of 10 June 2026, UTC.
    assert_eq!((at_us / 1_000_000 - 1_780_272_000) % 86_400, 14 * 3_600 + 5 * 60);
    for (contracts, code) in [
        // Both begin at 14:05.
        (vec![second.clone(), version(3, "2026-06-10T14:04:59Z", "")], "WB-5116"),
        // The first says that it holds until 1 July.
        (
            vec![version(1, "2026-01-01T00:00:00Z", "effective_to = 2026-07-01T00:00:00Z"), second.clone()],
            "WB-5116",
        ),
        // Numbers and times disagree, or are the same.
        (vec![second.clone(), version(3, "2026-06-01T00:00:00Z", "")], "WB-5118"),
        (vec![second.clone(), version(2, "2026-09-01T00:00:00Z", "")], "WB-5118"),
        (vec![first.clone(), Contract { contract_id: "other".to_owned(), ..second.clone() }], "WB-5118"),
        (vec![Contract { effective_from_us: None, ..first.clone() }], "WB-5118"),
    ] {
        assert_eq!(Versions::new(contracts).unwrap_err().code(), code);
    }
    let ends = Versions::new(vec![version(1, "2026-01-01T00:00:00Z", "effective_to = 2026-06-10T14:03:00Z")])
        .unwrap();
    let error = ends.within(june).unwrap_err();
    assert_eq!(error.code(), "WB-5117");
    assert!(error.to_string().contains("2026-06-10T14:05:00Z"), "{error}");
    assert!(Versions::new(vec![second]).unwrap().within(june).is_err());
}
