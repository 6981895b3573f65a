//! The user's own cluster: services in processes of their own, on backends that they did not start.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;

use crate::support::curl::{graphql_data, try_request};
use crate::support::events::{self, Meter, STEP_WH, Source};
use crate::support::place::Place;
use crate::support::running::Running;
use crate::support::{COUNT_LIMIT, END_LIMIT, START_LIMIT, until};
use rustix::process::Signal;

#[test]
fn services_count_on_backends_of_others() {
    let theirs = Place::new();
    let mut up = theirs.start("up", &["up"]);
    up.wait_for("ready; Ctrl-C ends", START_LIMIT);
    // Its own services are stopped from here on; the broker and the engine are processes of their own and go on. So
    // whatever is counted from here on, the second set has counted.
    up.send(Signal::STOP);

    let ours = Place::beside(&theirs);
    let operator = Source::draw(&ours, "operator", "operator");
    let meters = Source::draw(&ours, "meters", "meter");
    let file = events::configure(&ours, &[&operator, &meters]);
    let mut services: Vec<Running> = ["ingest", "aggregator", "billing", "api"]
        .iter()
        .map(|service| ours.start(service, &["--config", file.to_str().unwrap(), "serve", service]))
        .collect();
    for service in &mut services {
        service.wait_for("ready", START_LIMIT);
    }
    for port in [ours.ingest_port, ours.api_port] {
        let health = format!("http://127.0.0.1:{port}/health");
        until("a service answers", START_LIMIT, || match try_request(&health, &[], None)? {
            answer if answer.status == 200 => Ok(()),
            answer => Err(format!("status {}", answer.status)),
        });
    }
    assert!(!ours.data_dir().join("kafka").exists() && !ours.data_dir().join("clickhouse").exists());

    let facts = events::send_good(&ours, &operator.key, &events::facts());
    let mut meter = Meter::new("yard/meter-1");
    meter.send(&ours, &meters.key, 25);
    meter.assert_counted(&theirs);
    let token = ours.run("token", &["token", "--role", "operator"], END_LIMIT).success("token").stdout;
    let energy = "{ energy(from: \"2026-10-01T00:00:00Z\", to: \"2026-10-02T00:00:00Z\", bucketMinutes: 1440) { energyWh } }";
    let data = graphql_data(&ours, token.trim(), energy);
    let energy_wh = data["energy"][0]["energyWh"].as_str().unwrap();
    assert_eq!(energy_wh.split('.').next().unwrap(), (24 * STEP_WH).to_string());

    // The first set wakes up far behind and finds everything committed: it counts nothing again, and goes on beside the other.
    up.send(Signal::CONT);
    meter.send(&ours, &meters.key, 25);
    meter.assert_counted(&theirs);
    let expected = facts + meter.acknowledged;
    until("all is committed once", COUNT_LIMIT, || {
        let committed = events::conserved(&theirs);
        let wanted =
            BTreeMap::from([("events", expected), ("accepted", expected), ("duplicate", 0), ("rejected", 0)]);
        if committed == wanted { Ok(()) } else { Err(format!("{committed:?} is not {wanted:?}")) }
    });

    for service in services {
        service.send(Signal::TERM);
        service.end(END_LIMIT).success("a service told to end");
    }
    ours.assert_nothing_runs(END_LIMIT);
    assert!(up.runs(), "{}", up.stderr());
    up.send(Signal::INT);
    up.end(END_LIMIT).success("weighbridge up, told to end");
    theirs.assert_nothing_runs(END_LIMIT);
}
