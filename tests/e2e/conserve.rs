//! The conservation law: one row that is deleted behind the product's back stops the next invoice and all committing,
//! with a message that gives the block.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use crate::support::curl::try_request;
use crate::support::events::{self, Meter, Source};
use crate::support::place::Place;
use crate::support::tables;
use crate::support::{COUNT_LIMIT, DEMO_LIMIT, END_LIMIT, START_LIMIT, until};

/// Rows that are hidden while a bill is tried: table, and which one of its rows.
const DAMAGES: [(&str, &str); 3] =
    [("energy_readings", "energy/"), ("facts", "reference/"), ("block_counts", "energy/")];

/// Deletes one row of the table and gives the statement that puts it back.
fn delete_one(place: &Place, table: &str) -> String {
    let ask = |sql: &str| tables::ask(place, sql).unwrap_or_else(|error| panic!("{error}"));
    ask(&format!("CREATE TABLE IF NOT EXISTS kept_{table} AS {table}"));
    ask(&format!("TRUNCATE TABLE kept_{table}"));
    let key = "(topic, partition, block, attempt, idx)";
    ask(&format!(
        "INSERT INTO kept_{table} SELECT * FROM {table} ORDER BY topic, partition, block, idx LIMIT 1"
    ));
    ask(&format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM kept_{table})"));
    format!("INSERT INTO {table} SELECT * FROM kept_{table}")
}

/// Waits until the figures have a line.
fn shows(port: u16, line: &str) {
    let url = format!("http://127.0.0.1:{port}/metrics");
    until(&format!("the figures show {line}"), COUNT_LIMIT, || {
        let answer = try_request(&url, &[], None)?;
        if answer.body.lines().any(|shown| shown == line) { Ok(()) } else { Err(answer.body) }
    });
}

#[test]
fn one_deleted_row_stops_the_next_invoice_and_the_block_is_given() {
    let mut place = Place::new();
    let [figures_port] = wb_stack::free_ports().unwrap();
    place.set("METRICS_LISTEN", &format!("127.0.0.1:{figures_port}"));
    let place = place;
    let operator = Source::draw(&place, "operator", "operator");
    let meters = Source::draw(&place, "meters", "meter");
    let file = events::configure(&place, &[&operator, &meters]);
    let config = ["--config", file.to_str().unwrap()];
    let run = |name: &str, arguments: &[&str]| {
        let all: Vec<&str> = config.iter().chain(arguments).copied().collect();
        place.run(name, &all, DEMO_LIMIT)
    };
    let mut up = place.start("up", &[config[0], config[1], "up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    events::send_good(&place, &operator.key, &events::facts());
    events::send_good(&place, &operator.key, &events::hosting_facts());
    let mut meter = Meter::new("yard/meter-1");
    meter.send(&place, &meters.key, 40);
    meter.assert_counted(&place);
    shows(figures_port, "weighbridge_alarm 0");
    shows(figures_port, "weighbridge_events_total{topic=\"energy\",verdict=\"accepted\"} 40");
    shows(figures_port, "weighbridge_ingest_events_total{answer=\"accepted\"} 48");
    run("alarm-none", &["alarm", "show"]).success("no alarm at first");

    for (table, committed) in DAMAGES {
        let restore = delete_one(&place, table);
        // The close itself finds it, or the watch before it: either way nothing is issued.
        let closed = run(&format!("close-{table}"), &["close", "--period", "2026-10", "--yes"]);
        assert_ne!(closed.code, Some(0), "{table}: {}", closed.stdout);
        let said = closed.stderr.clone() + &closed.stdout;
        assert!(said.contains("WB-3221") && said.contains(committed), "{table}: {said}");
        assert!(!closed.stdout.contains("issued"), "{table}: {}", closed.stdout);
        let listed = run(&format!("list-{table}"), &["invoice", "list"]).success("invoice list");
        assert_eq!(listed.stdout, "", "{table}: nothing is issued");
        // The watch raises the alarm by itself, and committing stops: events that are sent wait.
        until("the alarm stands", COUNT_LIMIT, || {
            let shown = run(&format!("alarm-{table}"), &["alarm", "show"]);
            if shown.code == Some(1) && shown.stdout.contains("WB-3221") {
                Ok(())
            } else {
                Err(format!("{:?} {}", shown.code, shown.stdout))
            }
        });
        shows(figures_port, "weighbridge_alarm 1");
        let before = tables::count(&place, "SELECT uniqExact(commit_offset) FROM manifest").unwrap();
        meter.send(&place, &meters.key, 5);
        let refused = run(&format!("again-{table}"), &["close", "--period", "2026-10", "--yes"]);
        assert!(refused.code != Some(0) && refused.stderr.contains("WB-5013"), "{}", refused.stderr);
        let after = tables::count(&place, "SELECT uniqExact(commit_offset) FROM manifest").unwrap();
        assert_eq!(before, after, "{table}: nothing is committed while the alarm stands");

        tables::ask(&place, &restore).unwrap_or_else(|error| panic!("{error}"));
        let why = format!("the row of {table} is back");
        run(&format!("clear-{table}"), &["alarm", "clear", "--why", &why]).success("alarm clear");
        meter.assert_counted(&place);
    }
    let closed =
        run("close", &["close", "--period", "2026-10", "--yes"]).success("the close once all is whole");
    assert!(closed.stdout.contains("issued"), "{}", closed.stdout);
    up.send(rustix::process::Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    place.assert_nothing_runs(END_LIMIT);
}
