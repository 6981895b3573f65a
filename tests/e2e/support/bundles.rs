//! Evidence bundles of the demonstration's invoices: made on the stack, verified without it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wb_evidence::Bundle;

use super::END_LIMIT;
use super::demo::Summary;
use super::place::Place;
use super::running::Ended;

/// How long making a bundle may take.
const BUNDLE_LIMIT: Duration = Duration::from_secs(120);

/// Bundles every invoice, drawn and whole, and verifies each where nothing runs.
pub(crate) fn assert_bundles(place: &Place, summary: &Summary) {
    // Nothing was ever started there, and the given configuration does not exist.
    let mut elsewhere = Place::new();
    elsewhere.set("CONFIG", "no-such-file.toml");
    for invoice in &summary.invoices {
        let document =
            place.run("show", &["invoice", "show", &invoice.id], BUNDLE_LIMIT).success("invoice show");
        let held = place.folder().join("invoice.json");
        std::fs::write(&held, &document.stdout).unwrap();
        for events in ["256", "all"] {
            let file = place.folder().join(format!("{}-{events}.evidence", invoice.id));
            let path = file.to_str().unwrap();
            let arguments = ["invoice", "bundle", &invoice.id, "--out", path, "--events", events];
            place.run("bundle", &arguments, BUNDLE_LIMIT).success("invoice bundle");
            let arguments = ["invoice", "verify", path, "--json", "--invoice", held.to_str().unwrap()];
            let ended = elsewhere.run("verify", &arguments, END_LIMIT).success("invoice verify");
            assert_report(
                &serde_json::from_str(&ended.stdout).unwrap(),
                invoice.bill_digest.as_str(),
                events,
            );
        }
    }
    let first = &summary.invoices[0];
    let file = place.folder().join(format!("{}-256.evidence", first.id));
    assert_tampered(&elsewhere, &file);
    let missing = place.run("bundle", &["invoice", "bundle", "inv_none"], BUNDLE_LIMIT);
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    assert!(missing.stderr.contains("WB-5410"), "{}", missing.stderr);
}

fn assert_report(report: &Value, bill_digest: &str, events: &str) {
    assert_eq!(
        (&report["valid"], report["failures"].as_array().map(Vec::len)),
        (&Value::Bool(true), Some(0))
    );
    assert_eq!(report["invoice"]["bill_digest"], bill_digest);
    let step = |name: &str| {
        let steps = report["steps"].as_array().unwrap();
        steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {report}"))
    };
    assert!(step("days")["checked"].as_u64() > Some(0), "the days were sealed before the close: {report}");
    assert!(step("lines")["checked"].as_u64() > Some(0), "{report}");
    assert!(step("events")["checked"].as_u64() > Some(0), "{report}");
    let sums = step("sums");
    let text = sums["text"].as_str().unwrap();
    assert_eq!(text.starts_with("sampled: "), events == "256", "{report}");
    if step("work")["checked"].as_u64() > Some(0) && events == "all" {
        assert!(sums["checked"].as_u64() > Some(0), "all work is added up: {report}");
    }
}

/// A cent more on the first line, in a file that is then written again; and one changed byte of the file.
fn assert_tampered(elsewhere: &Place, file: &Path) {
    let verify = |bytes: &[u8]| -> Ended {
        let tampered = elsewhere.folder().join("tampered.evidence");
        std::fs::write(&tampered, bytes).unwrap();
        let ended = elsewhere.run("verify", &["invoice", "verify", tampered.to_str().unwrap()], END_LIMIT);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        ended
    };
    let mut packed = std::fs::read(file).unwrap();
    let mut bundle = Bundle::read(&packed).unwrap();
    let mut record: Value = serde_json::from_str(&bundle.record).unwrap();
    let line = &mut record["body"]["lines"][0];
    let minor: i128 = line["amount_minor"].as_str().unwrap().parse().unwrap();
    line["amount_minor"] = (minor + 1).to_string().into();
    let id = line["id"].as_str().unwrap().to_owned();
    bundle.record = wb_ledger::canonical::write(&record).unwrap();
    let ended = verify(&bundle.to_bytes().unwrap());
    let told =
        format!("WB-5927 line {id}: amount in minor units {} on the invoice, {minor} by its", minor + 1);
    assert!(ended.stdout.contains(&told), "{told:?} is not in\n{}", ended.stdout);
    let middle = packed.len() / 2;
    packed[middle] ^= 1;
    let ended = verify(&packed);
    assert!(ended.stdout.contains("WB-592"), "{}", ended.stdout);
}
