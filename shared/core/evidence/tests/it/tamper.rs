//! Bundles that somebody changed and then wrote again with a right last line: each change fails, with the lines it
//! touches.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod days;

use crate::support;
use crate::support::{SECOND_US, drawn, whole, world};
use serde_json::Value;
use wb_evidence::{Bundle, Report, Sampling, StepName, verify, verify_bundle};
use wb_ledger::{Hash, canonical};

/// Writes and reads the file, so that nothing passes that no file can hold.
fn report(bundle: &Bundle) -> Report {
    verify(&bundle.to_bytes().unwrap(), None)
}

fn assert_valid(bundle: &Bundle) -> Report {
    let report = report(bundle);
    assert!(report.valid && report.failures.is_empty(), "{report}");
    report
}

/// Changes the ledger's record.
fn in_record(bundle: &mut Bundle, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_str(&bundle.record).unwrap();
    change(&mut value);
    bundle.record = canonical::write(&value).unwrap();
}

fn line<'a>(record: &'a mut Value, id: &str) -> &'a mut Value {
    let lines = record["body"]["lines"].as_array_mut().unwrap();
    lines.iter_mut().find(|line| line["id"] == id).unwrap()
}

/// The invoice's own digests, as the forger computes them again.
fn with_digest(bundle: &mut Bundle) {
    let value: Value = serde_json::from_str(&bundle.record).unwrap();
    let invoice: wb_ledger::Invoice = serde_json::from_value(value["body"].clone()).unwrap();
    let digest = invoice.compute_bill_digest().unwrap().to_string();
    in_record(bundle, |record| record["body"]["bill_digest"] = digest.clone().into());
}

const POWER: &str = "lab-1/power";

fn second(id: &str) -> String {
    format!("{id}@{SECOND_US}")
}

#[test]
fn what_was_not_tampered_with_is_valid() {
    let report = assert_valid(&drawn());
    let step = |name| report.steps.iter().find(|step| step.step == name).unwrap();
    assert_eq!(step(StepName::Lines).checked, 6);
    assert_eq!(step(StepName::Sample).checked, u64::from(support::DRAWS));
    assert!(step(StepName::Work).checked > 0);
    assert!(step(StepName::Sums).text.starts_with("sampled: "), "{report}");
    let report = assert_valid(&whole());
    let step = |name| report.steps.iter().find(|step| step.step == name).unwrap();
    // 27 of 40 shares are the customer's, and so are 3 of 6 readings and 6 of 8 facts.
    assert_eq!(step(StepName::Work).checked, 27);
    assert_eq!(step(StepName::Events).checked, 27 + 3 + 6);
    assert_eq!(step(StepName::Sums).checked, 1);
}

/// (what, change, codes that must be there, lines that must be there)
type Case = (&'static str, fn(&mut Bundle), &'static [&'static str], Vec<String>);

fn cases() -> Vec<Case> {
    let power = || vec![POWER.to_owned()];
    let of_work = || vec!["lab-1/earnings".to_owned()];
    let of_energy = || vec![POWER.to_owned(), "lab-1/spot".to_owned()];
    vec![
        (
            "a changed cent",
            |bundle| {
                in_record(bundle, |record| {
                    line(record, POWER)["amount"] = "174753.08".into();
                    line(record, POWER)["amount_minor"] = "17475308".into();
                });
            },
            &["WB-5925", "WB-5927", "WB-5928"],
            power(),
        ),
        (
            "a changed cent, with its total and digest",
            |bundle| {
                in_record(bundle, |record| {
                    line(record, POWER)["amount"] = "174753.08".into();
                    line(record, POWER)["amount_minor"] = "17475308".into();
                    let minor: i128 =
                        record["body"]["totals"][1]["amount_minor"].as_str().unwrap().parse().unwrap();
                    let money = wb_units::Money {
                        minor: minor + 1,
                        currency: wb_units::Currency::from_code("USD").unwrap(),
                    };
                    record["body"]["totals"][1]["amount_minor"] = money.minor.to_string().into();
                    record["body"]["totals"][1]["amount"] = money.decimal_text().into();
                });
                with_digest(bundle);
            },
            &["WB-5927"],
            power(),
        ),
        (
            "a total",
            |bundle| {
                in_record(bundle, |record| record["body"]["totals"][1]["amount"] = "1.00".into());
                with_digest(bundle);
            },
            &["WB-5928"],
            power(),
        ),
        (
            "days until it is due that the contract in effect last does not say",
            |bundle| in_record(bundle, |record| record["body"]["terms"]["payment_terms_days"] = 15.into()),
            &["WB-5926"],
            Vec::new(),
        ),
        (
            "what a line taxes",
            |bundle| {
                in_record(bundle, |record| {
                    line(record, POWER)["tax"] =
                        serde_json::json!({"jurisdiction": "GB", "percent": "5", "of": ["lab-1/earnings"]});
                });
                with_digest(bundle);
            },
            &["WB-5927"],
            power(),
        ),
        (
            "a listed input",
            |bundle| {
                in_record(bundle, |record| {
                    let input = line(record, POWER)["inputs"][1].as_object_mut().unwrap();
                    input.insert("meter_id".to_owned(), "another".into());
                });
                with_digest(bundle);
            },
            &["WB-5927"],
            power(),
        ),
        (
            "a byte of an event",
            |bundle| {
                let event = bundle.events.iter_mut().find(|event| event.topic == "energy").unwrap();
                *event.event.0.last_mut().unwrap() ^= 1;
            },
            &["WB-5931"],
            of_energy(),
        ),
        (
            "a byte of a share's header",
            |bundle| {
                let event = bundle.events.iter_mut().find(|event| event.topic == "shares").unwrap();
                let bytes = &mut event.event.0;
                let version = bytes.windows(4).position(|window| window == [0x01, 0, 0, 0]).unwrap();
                bytes[version + 60] ^= 1;
            },
            &["WB-5931", "WB-5933"],
            of_work(),
        ),
        (
            "a Merkle path",
            |bundle| {
                let event = bundle.events.iter_mut().find(|event| event.topic == "shares").unwrap();
                event.path[0] = Hash::of(b"another");
            },
            &["WB-5931"],
            of_work(),
        ),
        (
            "another place in the block",
            |bundle| {
                let event = bundle.events.iter_mut().rfind(|event| event.topic == "shares").unwrap();
                event.index += 100;
            },
            &["WB-5931"],
            of_work(),
        ),
        (
            "a price",
            |bundle| bundle.stretches[0].prices[0].value = "31.6".to_owned(),
            &["WB-5927"],
            vec!["lab-1/spot".to_owned()],
        ),
        (
            "who published a price",
            |bundle| bundle.stretches[1].prices[0].source = "somebody".to_owned(),
            &["WB-5927"],
            vec![second("lab-1/spot")],
        ),
        (
            "a word of the contract",
            |bundle| bundle.stretches[0].contract = bundle.stretches[0].contract.replace("0.0725", "0.0724"),
            &["WB-5926", "WB-5927"],
            power(),
        ),
        (
            "a word of the contract, with its digest",
            |bundle| {
                let stretch = &mut bundle.stretches[1];
                stretch.contract = stretch.contract.replace("0.0800", "0.0900");
                stretch.contract_digest = Hash::of(stretch.contract.as_bytes()).to_string();
            },
            &["WB-5926", "WB-5927"],
            vec![second(POWER)],
        ),
        (
            "white space in the contract",
            |bundle| bundle.stretches[1].contract = bundle.stretches[1].contract.replacen(':', ": ", 1),
            &["WB-5926"],
            vec![second(POWER)],
        ),
        (
            "a quantity of energy",
            |bundle| {
                bundle.stretches[0].usage.energy[0].energy_mwh += 1;
                bundle.stretches[0].usage.energy_slices[0].energy_mwh += 1;
            },
            &["WB-5927"],
            of_energy(),
        ),
        (
            "energy by interval alone",
            |bundle| bundle.stretches[0].usage.energy_slices[0].energy_mwh += 1,
            &["WB-5155"],
            of_energy(),
        ),
        (
            "a quantity of work",
            |bundle| bundle.stretches[0].usage.work[0].credited_q32 -= 1,
            &["WB-5927"],
            of_work(),
        ),
        (
            "a block's root",
            |bundle| {
                bundle.blocks.iter_mut().find(|block| block.topic == "energy").unwrap().merkle_root =
                    Hash::of(b"x");
            },
            &["WB-5929", "WB-5930"],
            of_energy(),
        ),
        (
            "a block that is left out",
            |bundle| {
                bundle.blocks.pop();
            },
            &["WB-5929"],
            Vec::new(),
        ),
        (
            "a commit with another root",
            |bundle| {
                let commit = bundle.commits.iter_mut().last().unwrap();
                let root = bundle.blocks.last().unwrap().merkle_root;
                let bytes = &mut commit.record.0;
                let at = bytes.windows(32).position(|window| window == root.as_bytes()).unwrap();
                bytes[at] ^= 1;
            },
            &["WB-5930", "WB-5931"],
            of_work(),
        ),
        (
            "a commit's link to the one before",
            |bundle| {
                let first = bundle.commits[2].record.0.clone();
                let hash = wb_events::commits::commit_hash(&first);
                let bytes = &mut bundle.commits[3].record.0;
                let at = bytes.windows(32).position(|window| window == hash).unwrap();
                bytes[at] ^= 1;
            },
            &["WB-5930"],
            of_work(),
        ),
        (
            "a stretch that is left out",
            |bundle| {
                bundle.stretches.pop();
            },
            &["WB-5926", "WB-5927"],
            vec![second(POWER)],
        ),
        (
            "a sample that is left out",
            |bundle| {
                bundle.events.retain(|event| event.topic != "energy");
            },
            &["WB-5932"],
            of_energy(),
        ),
        (
            "a sample that was chosen",
            |bundle| {
                let whole = whole();
                let other = whole
                    .events
                    .into_iter()
                    .find(|event| event.topic == "shares" && !bundle.events.contains(event));
                let at = bundle.events.iter().position(|event| event.topic == "shares").unwrap();
                bundle.events[at] = other.unwrap();
                bundle
                    .events
                    .sort_by_key(|event| (event.topic.clone(), event.partition, event.block, event.index));
            },
            &["WB-5932"],
            of_work(),
        ),
        (
            "the record of another invoice",
            |bundle| {
                let mut other = world(Sampling::Drawn(support::DRAWS));
                for stretch in &mut other.material.stretches {
                    stretch.usage.energy[0].energy_mwh += 100_000_000;
                    stretch.usage.energy_slices[0].energy_mwh += 100_000_000;
                }
                let invoice: Value = serde_json::from_str(&bundle.record).unwrap();
                let invoice: wb_ledger::Invoice = serde_json::from_value(invoice["body"].clone()).unwrap();
                let (record, _) = support::record_of(wb_ledger::Billed {
                    legal_entity: invoice.legal_entity,
                    customer_id: "hal-desk".to_owned(),
                    contract_id: "other-1".to_owned(),
                    contract_versions: invoice.contract_versions,
                    period: invoice.period,
                    terms: invoice.terms,
                    lines: wb_rating::rate_stretches(&other.material.stretches).unwrap(),
                    cut: invoice.evidence.cut,
                    blocks: bundle.blocks.clone(),
                    days: Vec::new(),
                    chain_heads: invoice.evidence.chain_heads,
                });
                bundle.record = record;
            },
            &["WB-5927", "WB-5935"],
            of_energy(),
        ),
        (
            "another period",
            |bundle| {
                in_record(bundle, |record| {
                    record["body"]["period"]["end_us"] = (1_233_446_400_000_000_i64 + 300_000_000).into()
                });
                with_digest(bundle);
            },
            &["WB-5926"],
            power(),
        ),
        (
            "the cut",
            |bundle| in_record(bundle, |record| record["body"]["evidence"]["cut"] = 3.into()),
            &["WB-5929", "WB-5930"],
            of_work(),
        ),
        (
            "a record that is not canonical",
            |bundle| bundle.record = bundle.record.replacen(':', ": ", 1),
            &["WB-5925"],
            Vec::new(),
        ),
    ]
}

#[test]
fn what_was_tampered_with_fails_with_its_code_and_its_line() {
    for (what, change, codes, lines) in cases() {
        let mut bundle = drawn();
        change(&mut bundle);
        let report = report(&bundle);
        assert!(!report.valid, "{what}: {report}");
        for code in codes {
            assert!(
                report.failures.iter().any(|failure| failure.code == *code),
                "{what}: no {code} in\n{report}"
            );
        }
        for line in &lines {
            assert!(report.lines().contains(&line.as_str()), "{what}: {line} is not in\n{report}");
        }
    }
}

#[test]
fn a_changed_cent_is_told_in_words() {
    let mut bundle = drawn();
    in_record(&mut bundle, |record| line(record, POWER)["amount"] = "174753.08".into());
    let report = report(&bundle);
    let text =
        "line lab-1/power: amount 174753.08 on the invoice, 174753.07 by its price, contract and usage";
    assert!(report.to_string().contains(text), "{report}");
    // No other line of that component fails.
    assert!(!report.lines().contains(&second(POWER).as_str()), "{report}");
}

#[test]
fn work_that_the_events_do_not_add_up_to_is_found_where_all_are_there() {
    let mut bundle = whole();
    let at = bundle.events.iter().position(|event| event.topic == "shares").unwrap();
    bundle.events.remove(at);
    let found = report(&bundle);
    assert!(found.failures.iter().any(|failure| failure.code == "WB-5934"), "{found}");
    assert_eq!(found.lines(), ["lab-1/earnings", second("lab-1/earnings").as_str()]);
    let mut bundle = whole();
    bundle.commits.remove(0);
    bundle.events.retain(|event| event.topic != "energy");
    let found = report(&bundle);
    assert!(found.failures.iter().any(|failure| failure.code == "WB-5932"), "{found}");
}

#[test]
fn voided_shares_are_told_and_left_out_of_the_sums() {
    // The third is another customer's: nothing of it is in the bundle.
    let bundle = support::world_without(Sampling::All, &[1, 2, 3]).bundle();
    assert_eq!(bundle.subject.voided.len(), 2);
    let fine = report(&bundle);
    assert!(fine.valid && fine.to_string().contains("2 voided by corrections"), "{fine}");
    // A missing voided id makes the events more than what was billed; one too many makes them less.
    let mut untold = bundle.clone();
    untold.subject.voided.remove(0);
    let mut invented = whole();
    invented.subject.voided = bundle.subject.voided;
    for wrong in [untold, invented] {
        let found = report(&wrong);
        assert!(found.failures.iter().any(|failure| failure.code == "WB-5934"), "{found}");
    }
}

#[test]
fn the_document_that_somebody_holds_must_be_the_bundles_own() {
    let bundle = drawn();
    let record: Value = serde_json::from_str(&bundle.record).unwrap();
    let mut held = record["body"].clone();
    let pretty = serde_json::to_string_pretty(&held).unwrap();
    assert!(verify_bundle(&bundle, Some(&pretty)).valid);
    held["number"] = "WEI-000002".into();
    for other in [held.to_string(), "{}".to_owned(), "nothing".to_owned()] {
        let report = verify_bundle(&bundle, Some(&other));
        assert_eq!(
            report.failures.iter().map(|failure| failure.code).collect::<Vec<_>>(),
            ["WB-5936"],
            "{other}"
        );
    }
}
