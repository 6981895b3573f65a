//! A month's close on the real stack: a dry run writes nothing; a period that lacks usage is closed only if somebody
//! answers for it; closes at once and killed half-way leave each invoice once; late data becomes one note.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support::events::{self, Meter, Source, fact};
use crate::support::place::Place;
use crate::support::tables;
use crate::support::{COUNT_LIMIT, DEMO_LIMIT, END_LIMIT, START_LIMIT, until};
use serde_json::json;

const MONTH: &str = "2026-10";
/// Contracts that charge a fee, beside the one that bills energy.
const FEES: u64 = 12;
const WHY: &str = "the meter was lost in the flood";

/// Waits until a query over the table of the ledger gives an answer.
fn ledger_says(place: &Place, what: &str, sql: &str, expected: &str) {
    until(what, COUNT_LIMIT, || {
        let found = tables::ask(place, sql)?;
        if found == expected { Ok(()) } else { Err(found) }
    });
}

fn all_of<'a>(config: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    config.iter().chain(arguments).copied().collect()
}

#[test]
fn a_month_is_closed_once_whatever_is_killed_and_late_data_makes_one_note() {
    let place = Place::new();
    let operator = Source::draw(&place, "operator", "operator");
    let meters = Source::draw(&place, "meters", "meter");
    let file = events::configure(&place, &[&operator, &meters]);
    let config = ["--config", file.to_str().unwrap()];
    let all = |arguments: &[&'static str]| -> Vec<&str> { config.iter().chain(arguments).copied().collect() };
    let run = |name: &str, arguments: &[&'static str]| place.run(name, &all(arguments), DEMO_LIMIT);
    let mut up = place.start("up", &all(&["up"]));
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    events::send_good(&place, &operator.key, &events::facts());
    let mut hosting = events::hosting_facts();
    for body in hosting.iter_mut().map(|fact| &mut fact["body"]["body"]) {
        if body["contract_id"] == "hosting-yard" && body["components"].is_array() {
            body["completeness_ppm"] = 900_000.into();
        }
    }
    events::send_good(&place, &operator.key, &hosting);
    let fees: Vec<_> = (0..FEES)
        .flat_map(|number| {
            let contract = format!("fee-{number}");
            let customer = format!("customer-{number}");
            let components =
                json!([{"id": "fee", "kind": "fixed_fee", "currency": "USD", "amount": "310.00"}]);
            let body = json!({"contract_id": contract, "customer_id": customer,
                "legal_entity": "yard-hosting", "time_zone": "UTC", "components": components});
            [fact("customer", &customer, json!({"name": customer})), fact("contract", &contract, body)]
        })
        .collect();
    events::send_good(&place, &operator.key, &fees);
    let mut meter = Meter::new("yard/meter-1");
    meter.send(&place, &meters.key, 40);
    meter.assert_counted(&place);

    // The running bills: every contract has a bill of the open month.
    until("all contracts have running bills", COUNT_LIMIT, || {
        let listed = run("running", &["bill", "running"]).success("bill running").stdout;
        let contracts: std::collections::BTreeSet<&str> =
            listed.lines().filter_map(|line| line.split(' ').next()).collect();
        if contracts.len() == usize::try_from(FEES).unwrap() + 1 { Ok(()) } else { Err(listed) }
    });

    let records = "SELECT count() FROM (SELECT 1 FROM ledger LIMIT 1 BY ledger_offset)";
    let dry = run("dry", &["close", "--period", MONTH, "--dry-run", "--customer", "customer-3"]);
    let dry = dry.success("a dry run");
    assert!(dry.stdout.starts_with("would-issue - "), "{}", dry.stdout);
    assert!(dry.stdout.contains("310.00 USD"), "{}", dry.stdout);
    let refused = run("refused", &["close", "--period", MONTH, "--customer", "acme"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("WB-5413") && refused.stderr.contains("900000"), "{}", refused.stderr);
    assert_eq!(run("none", &["invoice", "list"]).success("invoice list").stdout, "");
    assert_eq!(tables::ask(&place, records).unwrap(), "0");

    let sealed = run("seal", &["seal"]).success("seal").stdout;
    assert!(sealed.contains("days are sealed"), "{sealed}");

    // Two at once, both by name; one is killed as soon as it has closed something.
    let closing =
        ["close", "--yes", "--period", MONTH, "--allow-incomplete", "--reason", WHY, "--who", "ana"];
    let mut dying = place.start("dying", &all(&closing));
    let other = place.start("other", &all(&closing));
    dying.wait_for("1/13 ", COUNT_LIMIT);
    dying.kill();
    other.end(DEMO_LIMIT).success("the close that lived");
    let again = run("again", &closing).success("a close of what is closed");
    assert_eq!(again.stdout.lines().count(), 13, "{}", again.stdout);
    assert!(again.stdout.lines().all(|line| line.starts_with("existed ")), "{}", again.stdout);
    let issued = "SELECT count(), uniqExact(invoice_id), uniqExact(JSONExtractString(body, 'number')), \
                  max(JSONExtractString(body, 'number')) FROM (SELECT invoice_id, body FROM ledger \
                  WHERE kind = 'invoice_issued' LIMIT 1 BY ledger_offset)";
    ledger_says(&place, "each invoice is in the ledger once", issued, "13\t13\t13\tYAR-000013");
    let answered = format!(
        "SELECT count() FROM (SELECT body FROM ledger WHERE kind = 'period_closed' LIMIT 1 BY ledger_offset) \
         WHERE JSONExtractString(body, 'incomplete', 'by') = 'ana' \
         AND JSONExtractString(body, 'incomplete', 'reason') = '{WHY}'"
    );
    assert_eq!(tables::ask(&place, &answered).unwrap(), "1", "who answers is in the record, of one contract");

    // The energy's invoice lists the seals of its days, which hold every reading.
    let of_energy = "SELECT any(invoice_id), any(length(JSONExtractArrayRaw(body, 'evidence', 'days'))) > 0 FROM ledger \
                     WHERE kind = 'invoice_issued' AND position(body, 'hosting-yard') > 0";
    let found = tables::ask(&place, of_energy).unwrap();
    let (invoice_id, days) = found.split_once('\t').unwrap();
    assert_eq!(days, "1", "{found}");
    let arguments = ["invoice", "show", invoice_id, "--recompute"];
    place.run("show", &all_of(&config, &arguments), DEMO_LIMIT).success("invoice show --recompute");
    let bundle = place.folder().join("energy.evidence");
    let bundle = bundle.to_str().unwrap();
    let arguments = ["invoice", "bundle", invoice_id, "--out", bundle, "--events", "all"];
    place.run("bundle", &all_of(&config, &arguments), DEMO_LIMIT).success("invoice bundle");
    let verified = place.run("verify", &["invoice", "verify", bundle], DEMO_LIMIT).success("invoice verify");
    assert!(verified.stdout.contains("sealed days"), "{}", verified.stdout);

    // Five readings more: 39 kWh become 44, at 0.0725 USD.
    meter.send(&place, &meters.key, 5);
    meter.assert_counted(&place);
    let adjusting = ["adjust", "--yes", "--period", MONTH, "--who", "ana", "--why", "late readings"];
    let adjusted = run("adjust", &adjusting).success("an adjustment");
    let lines: Vec<&str> = adjusted.stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{}", adjusted.stdout);
    assert!(lines[0].starts_with("debit_note_issued ") && lines[0].ends_with(" 0.36 USD"), "{}", lines[0]);
    let again = run("adjust-again", &adjusting).success("an adjustment of what is adjusted");
    assert_eq!(again.stdout, "");

    up.send(rustix::process::Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}
