//! Exports for finance: files from the command and over HTTP are the same bytes and add up to their control totals,
//! and a webhook reports the invoice behind them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::events::{self, Meter, Source};
use crate::support::place::Place;
use crate::support::{COUNT_LIMIT, DEMO_LIMIT, END_LIMIT, START_LIMIT, root, until};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that checks signatures by itself, ended with the test.
struct Receiver {
    process: Child,
    port: u16,
}

impl Receiver {
    fn start(folder: &Path) -> Self {
        std::fs::write(folder.join("plan"), "500\n200").unwrap();
        let mut process = Command::new("python3")
            .arg(root().join("services/webhooks/tests/support/receiver.py"))
            .args([SECRET.into(), folder.join("plan"), folder.join("log")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The file of an export over HTTP; `curl` writes it, as it may be no text.
fn download(place: &Place, token: &str, rest: &str) -> Vec<u8> {
    let path = place.folder().join("downloaded");
    let url = place.graphql_url().replace("/graphql", &format!("/v1/exports/{rest}"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "60", "--output"]).arg(&path);
    curl.args(["--header", &support::curl::bearer(token), &url]);
    let output = curl.output().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(output.status.success(), "{rest}: {}", String::from_utf8_lossy(&bytes));
    bytes
}

#[test]
fn the_command_and_the_interface_give_the_same_files() {
    let place = Place::new();
    let hook = place.folder().join("hook");
    std::fs::create_dir_all(&hook).unwrap();
    let receiver = Receiver::start(&hook);
    let operator = Source::draw(&place, "operator", "operator");
    let meters = Source::draw(&place, "meters", "meter");
    let file = events::configure(&place, &[&operator, &meters]);
    let mut text = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    write!(
        text,
        "\n[[webhooks.endpoints]]\nid = \"books\"\nurl = \"http://127.0.0.1:{}/hook\"\nsecret = \"{SECRET}\"\n",
        receiver.port
    )
    .unwrap();
    let run = |name: &str, arguments: &[&str]| {
        let all: Vec<&str> = ["--config", file.to_str().unwrap()].iter().chain(arguments).copied().collect();
        place.run(name, &all, DEMO_LIMIT).success(name)
    };
    let mut up = place.start("up", &["--config", file.to_str().unwrap(), "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    until("the endpoint is served", COUNT_LIMIT, || {
        let listed = run("list", &["webhooks", "list"]).stdout;
        if listed.contains("in order") { Ok(()) } else { Err(listed) }
    });
    events::send_good(&place, &operator.key, &events::facts());
    events::send_good(&place, &operator.key, &events::hosting_facts());
    let mut meter = Meter::new("yard/meter-1");
    meter.send(&place, &meters.key, 40);
    meter.assert_counted(&place);
    let closed = run("close", &["close", "--period", "2026-10", "--yes"]);
    assert!(closed.stdout.contains("issued"), "{}", closed.stdout);

    let out = place.folder().join("out");
    std::fs::create_dir_all(&out).unwrap();
    let token = |name: &str, arguments: &[&str]| run(name, arguments).stdout.trim().to_owned();
    let ops = token("operator-token", &["token", "--role", "operator"]);
    let acme = token("customer-token", &["token", "--role", "customer", "--customer", "acme"]);
    for table in ["invoices", "lines", "usage", "focus"] {
        for format in ["csv", "jsonl", "parquet"] {
            same_files(&run, &place, &out, (table, format), None, &ops);
            same_files(&run, &place, &out, (table, format), Some("acme"), &acme);
        }
    }
    journal(&run, &place, &out, &ops);
    webhook_is_told(&hook);
    up.send(rustix::process::Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}

/// One export by the command and by the interface, once the projection has the invoice.
fn same_files(
    run: &dyn Fn(&str, &[&str]) -> support::running::Ended,
    place: &Place,
    out: &Path,
    (table, format): (&str, &str),
    customer: Option<&str>,
    token: &str,
) {
    let mut arguments = vec!["export", table, "--period", "2026-10", "--format", format];
    arguments.extend(["--out", out.to_str().unwrap()]);
    if let Some(customer) = customer {
        arguments.extend(["--customer", customer]);
    }
    run("export", &arguments);
    let whose = customer.map(|customer| format!("-{customer}")).unwrap_or_default();
    let path = out.join(format!("weighbridge-{table}-2026-10{whose}.{format}"));
    let bytes = std::fs::read(&path).unwrap();
    let totals = std::fs::read(format!("{}.control.json", path.display())).unwrap();
    let control: Value = serde_json::from_slice(&totals).unwrap();
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(control["file"]["sha256"], sha256);
    // One line, with two inputs: the contract's version, and what it is charged by.
    let rows = if table == "usage" { 2 } else { 1 };
    assert_eq!((control["records"].as_u64(), control["rows"].as_u64()), (Some(1), Some(rows)), "{control}");
    let end = control["ledger_end"].as_u64().unwrap();
    let rest = format!("period=2026-10&format={format}&ledger_end={end}");
    until("the projection has what the ledger has", COUNT_LIMIT, || {
        let path = place.folder().join("known");
        let url = place.graphql_url().replace("/graphql", &format!("/v1/exports/{table}?{rest}"));
        let curl = Command::new("curl")
            .args(["--silent", "--output"])
            .arg(&path)
            .args(["--write-out", "%{http_code}", "--header", &support::curl::bearer(token), &url])
            .output()
            .unwrap();
        if curl.stdout == b"200" { Ok(()) } else { Err(String::from_utf8_lossy(&curl.stdout).into_owned()) }
    });
    assert_eq!(download(place, token, &format!("{table}?{rest}")), bytes, "{table} {format} {customer:?}");
    let over_http = download(place, token, &format!("{table}.control.json?{rest}"));
    assert_eq!(over_http, totals, "{table} {format} {customer:?}");
    // Again it is the same file.
    run("export-again", &arguments);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

/// The journal of the month that the invoice is dated in: by the clock of this machine.
fn journal(run: &dyn Fn(&str, &[&str]) -> support::running::Ended, place: &Place, out: &Path, token: &str) {
    let invoices = std::fs::read_to_string(out.join("weighbridge-invoices-2026-10.jsonl")).unwrap();
    let invoice: Value = serde_json::from_str(invoices.trim()).unwrap();
    let month = &invoice["issued_at"].as_str().unwrap()[..7];
    let to = out.to_str().unwrap();
    run("journal", &["export", "journal", "--period", month, "--format", "jsonl", "--out", to]);
    let path = out.join(format!("weighbridge-journal-{month}.jsonl"));
    let rows = std::fs::read_to_string(&path).unwrap();
    let totals = std::fs::read(format!("{}.control.json", path.display())).unwrap();
    let end = serde_json::from_slice::<Value>(&totals).unwrap()["ledger_end"].as_u64().unwrap();
    let asked = format!("period={month}&format=jsonl&ledger_end={end}");
    assert_eq!(download(place, token, &format!("journal?{asked}")), rows.as_bytes());
    assert_eq!(download(place, token, &format!("journal.control.json?{asked}")), totals);
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let sum = |side: &str| {
        rows.iter().map(|row| row[side].as_str().unwrap().parse::<i128>().unwrap()).sum::<i128>()
    };
    let total: i128 = invoice["total_minor"].as_str().unwrap().parse().unwrap();
    assert_eq!((sum("debit_minor"), sum("credit_minor")), (total, total), "{rows:?}");
    let accounts = ["accounts_receivable=1100", "revenue=4000"];
    let entity = "yard-hosting";
    let mut arguments = vec!["export", "journal", "--period", month, "--profile", "xero", "--out", to];
    arguments.extend(["--legal-entity", entity, "--currency", "USD"]);
    arguments.extend(accounts.iter().flat_map(|account| ["--account", account]));
    run("journal-xero", &arguments);
    let name = format!("weighbridge-journal-xero-{month}-{entity}-USD.csv");
    let xero = std::fs::read_to_string(out.join(name)).unwrap();
    let accounts = accounts.map(|account| format!("&account={account}")).concat();
    let asked =
        format!("period={month}&profile=xero&legal_entity={entity}&currency=USD{accounts}&ledger_end={end}");
    assert_eq!(download(place, token, &format!("journal?{asked}")), xero.as_bytes());
    assert!(xero.starts_with("*Narration,*Date,") && xero.contains(",1100,Tax Exempt,"), "{xero}");
}

/// The close and the invoice were sent, the first of them twice because its first answer was 500.
fn webhook_is_told(hook: &Path) {
    let told = until("the webhook is told", COUNT_LIMIT, || {
        let log = std::fs::read_to_string(hook.join("log")).unwrap_or_default();
        let told: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let is_issued = |entry: &Value| entry["body"]["type"] == "invoice.issued";
        if told.iter().any(is_issued) { Ok(told) } else { Err(log) }
    });
    assert!(told.iter().all(|entry| entry["good"] == true), "{told:?}");
    assert_eq!(told[0]["id"], told[1]["id"], "the same message again");
    let types: Vec<&str> = told[1..].iter().map(|entry| entry["body"]["type"].as_str().unwrap()).collect();
    assert_eq!((types.first(), types.last()), (Some(&"period.closed"), Some(&"invoice.issued")), "{types:?}");
}
