//! The demonstration: what it must show, what its customers can ask, and that it ends when it is asked to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::curl::{graphql, graphql_data, request};
use crate::support::demo::{DONE, Summary};
use crate::support::place::Place;
use crate::support::running::Running;
use crate::support::{DEMO_LIMIT, END_LIMIT, bundles, papers, reports, root, tables, usage};
use rustix::process::Signal;
use serde_json::Value;

/// Difficulty 1 in units of 2^-32.
const ONE_Q32: u128 = 1 << 32;
/// What 400 blocks paid in 2009: 50 BTC each.
const GENESIS_EARNINGS_SAT: i128 = 2_000_000_000_000;
/// The customers of the machines that replay 2009.
const GENESIS_CUSTOMERS: [&str; 2] = ["hal-desk", "satoshi-lab"];

#[test]
fn the_demonstration_shows_what_it_must() {
    let place = Place::new();
    let elsewhere = Place::new();
    let mut demo = place.start("demo", &["demo"]);
    demo.wait_for(DONE, DEMO_LIMIT);
    let summary = Summary::read(&place);
    assert_totals(&summary);
    customers_see_their_own(&place, &summary);
    the_biller_answers(&place, &summary);
    usage::assert_conserved(&place);
    bundles::assert_bundles(&place, &summary);
    papers::assert_papers(&place, &summary);
    reports::assert_golden(&summary);
    reports::assert_commands(&place, &summary);
    assert!(tables::refuses_strangers(&place), "the engine answers without its password");
    interrupt(&place, demo);

    // Again on the same folders, which is a restart, and at the same time from empty ones.
    let again = place.start("again", &["demo", "--exit"]);
    let mut from_nothing = elsewhere.command(&["demo"]);
    from_nothing.env("DEMO_EXIT", "1");
    let from_nothing = Running::start("from-nothing", from_nothing, elsewhere.folder());
    let ended = again.end(DEMO_LIMIT).success("a second demonstration on the same folders");
    assert_text(&ended.stdout);
    let second = Summary::read(&place);
    second.assert_same_totals_and_bills(&summary, "after a restart");
    assert_eq!(second.sorted_invoices(), summary.sorted_invoices(), "both digests, numbers and lines");
    let weighed = summary.first.shares("accepted") + summary.first.shares("rejected");
    assert_eq!(second.second.shares("duplicate"), 3 * weighed, "everything was sent four times");
    place.assert_nothing_runs(END_LIMIT);

    let ended = from_nothing.end(DEMO_LIMIT).success("a demonstration from empty folders");
    assert_text(&ended.stdout);
    Summary::read(&elsewhere).assert_same_totals_and_bills(&summary, "from empty folders");
    elsewhere.assert_nothing_runs(END_LIMIT);
}

/// Reasons with their number, counted in the file itself.
fn reasons() -> BTreeMap<String, u64> {
    let file = root().join("tests/data/bitcoin/stratum_v1_rejects.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut reasons = BTreeMap::new();
    for case in cases {
        *reasons.entry(case["reason"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    reasons
}

fn assert_totals(summary: &Summary) {
    assert_eq!(summary.events_refused_at_the_door, 0, "of {}", summary.events_sent);
    // Real shares: every one solved its block.
    assert_eq!(summary.genesis.accepted(), BTreeMap::from([("main", 400)]));
    assert_eq!(summary.historic.accepted(), BTreeMap::from([("main", 6), ("testnet3", 2)]));
    assert_eq!((summary.genesis.blocks, summary.historic.blocks), (400, 8));
    // Mutated ones: each for its own reason, and none else.
    let reasons = reasons();
    assert_eq!(reasons.values().sum::<u64>(), 33);
    assert_eq!(summary.second.rejected(), reasons);
    assert_eq!(summary.historic.rejected(), reasons);
    // Work, exactly.
    let work_q32: u128 = summary.genesis.verdicts.iter().map(|count| count.work_q32()).sum();
    assert_eq!(work_q32, 400 * ONE_Q32);
    // Earnings, exactly; no other customer earned anything, so testnet earned nothing.
    assert_eq!(summary.earned_sat(&GENESIS_CUSTOMERS), GENESIS_EARNINGS_SAT);
    let customers: BTreeSet<&str> =
        summary.invoices.iter().map(|invoice| invoice.customer_id.as_str()).collect();
    let customers: Vec<&str> = customers.into_iter().collect();
    assert_eq!(customers, ["acme", "birch", "hal-desk", "satoshi-lab"]);
    assert_eq!(summary.earned_sat(&customers), GENESIS_EARNINGS_SAT);
    // Sent twice, counted once.
    assert_eq!(summary.first.but_repeats(), summary.second.but_repeats());
    let weighed = summary.first.shares("accepted") + summary.first.shares("rejected");
    assert_eq!((summary.first.shares("duplicate"), summary.second.shares("duplicate")), (0, weighed));
    assert!(summary.recomputed);
}

/// What a person reads.
fn assert_text(stdout: &str) {
    let reasons: Vec<String> =
        reasons().iter().map(|(reason, shares)| format!("{shares} {reason}")).collect();
    let refused = format!("mutated shares refused 33 ({})", reasons.join(", "));
    for line in [
        "real shares accepted   408 (408 of them block solutions, 2 on testnet, which earn nothing)",
        &refused,
        "work of the 2009 replay: 400 x 2^48/65535 hashes",
        "expected earnings of the genesis customers together: 20000.00000000 BTC",
        "BEYOND no1-m03: hashrate claimed against proven: off by 70.5649 %, 35.2874 % expected, z 7.665",
        "within tx1-m01: own hashrate claimed against shares: off by 7.1153 %, 8.9378 % expected, z 5.944",
    ] {
        assert!(stdout.contains(line), "{line:?} is not in\n{stdout}");
    }
    assert!(!stdout.contains("FAIL"), "{stdout}");
}

fn token_of(place: &Place, customer: &str) -> String {
    std::fs::read_to_string(place.data_dir().join(format!("demo-token-{customer}"))).unwrap()
}

fn ids(nodes: &Value) -> BTreeSet<String> {
    nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

fn customers_see_their_own(place: &Place, summary: &Summary) {
    let of = |customer: &str| -> BTreeSet<String> {
        let theirs = summary.invoices.iter().filter(|invoice| invoice.customer_id == customer);
        theirs.map(|invoice| invoice.id.clone()).collect()
    };
    let all = "{ me { role customer { id } } invoices { nodes { id customerId } } machines { nodes { id customerId } }
                 customers { nodes { id } } }";
    for customer in GENESIS_CUSTOMERS {
        let data = graphql_data(place, &token_of(place, customer), all);
        assert_eq!(data["me"]["customer"]["id"], customer);
        assert!(!of(customer).is_empty());
        assert_eq!(
            ids(&data["invoices"]["nodes"]),
            of(customer),
            "{customer}: its own invoices and no other"
        );
        let machines = data["machines"]["nodes"].as_array().unwrap();
        assert!(
            !machines.is_empty() && machines.iter().all(|machine| machine["customerId"] == customer),
            "{machines:?}"
        );
        assert_eq!(ids(&data["customers"]["nodes"]), BTreeSet::from([customer.to_owned()]));
    }
    // By its id, too: an invoice of another customer does not exist.
    let [first, second] = GENESIS_CUSTOMERS;
    let id = of(first).into_iter().next().unwrap();
    let one = format!("{{ invoice(id: \"{id}\") {{ id customerId billDigest }} }}");
    let digest = graphql_data(place, &token_of(place, first), &one)["invoice"]["billDigest"].clone();
    assert_eq!(Some(&digest.as_str().unwrap()), summary.bills().get(id.as_str()));
    assert_eq!(graphql_data(place, &token_of(place, second), &one)["invoice"], Value::Null);
    // A query for another customer's series shows nothing of it.
    let series = |customer: &str| {
        format!(
            "{{ hashrate(from: \"2009-01-01T00:00:00Z\", to: \"2009-02-01T00:00:00Z\", bucketMinutes: 1440,
                 customerId: \"{customer}\") {{ shares }} }}"
        )
    };
    let own = graphql_data(place, &token_of(place, first), &series(first));
    assert!(!own["hashrate"].as_array().unwrap().is_empty());
    let other = graphql(place, Some(&token_of(place, second)), &series(first)).json();
    assert!(other["data"]["hashrate"].as_array().is_none_or(Vec::is_empty), "{other}");
    // A token made by hand, as the documentation describes.
    let made = |role: &[&str]| {
        let arguments: Vec<&str> = ["token", "--role"].into_iter().chain(role.iter().copied()).collect();
        let ended = place.run("token", &arguments, END_LIMIT).success("weighbridge token");
        ended.stdout.trim().to_owned()
    };
    let data = graphql_data(place, &made(&["customer", "--customer", first]), all);
    assert_eq!(ids(&data["invoices"]["nodes"]), of(first));
    let data = graphql_data(place, &made(&["operator"]), all);
    let everything: BTreeSet<String> = summary.invoices.iter().map(|invoice| invoice.id.clone()).collect();
    assert_eq!(ids(&data["invoices"]["nodes"]), everything);
    // Without a token, and with an invalid one.
    for (token, code) in [(None, "WB-3001"), (Some("not-a-token"), "WB-3010")] {
        let answer = graphql(place, token, all);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some(code)), "{}", answer.body);
        assert!(answer.json().get("data").is_none());
    }
    let mut forged = token_of(place, first);
    let at = forged.len() - 10;
    let other = if forged[at..].starts_with('A') { "B" } else { "A" };
    forged.replace_range(at..=at, other);
    assert_eq!(graphql(place, Some(&forged), all).status, 401);
    let health = format!("http://127.0.0.1:{}/health", place.api_port);
    assert_eq!(request(&health, &[], None).status, 200);
}

/// The command line against the running stack: the same invoices, computed again.
fn the_biller_answers(place: &Place, summary: &Summary) {
    let list = place.run("list", &["invoice", "list"], END_LIMIT).success("invoice list").stdout;
    let mut listed: Vec<&str> = list.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    listed.sort_unstable();
    let ids: Vec<&str> = summary.bills().into_keys().collect();
    assert_eq!(listed, ids);
    let shown = place.run("show", &["invoice", "show", ids[0], "--recompute"], Duration::from_secs(60));
    let shown = shown.success("invoice show");
    assert!(shown.stderr.contains(summary.bills()[ids[0]]), "{}", shown.stderr);
    assert!(shown.stdout.contains(ids[0]), "{}", shown.stdout);
    let missing = place.run("missing", &["invoice", "show", "inv_none"], END_LIMIT);
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    assert!(missing.stderr.contains("inv_none"), "{}", missing.stderr);
    // A month that is closed stays as it is.
    let closed = place
        .run("close", &["close", "--period", "2009-01", "--yes"], Duration::from_secs(60))
        .success("close");
    let existed = closed.stdout.lines().filter(|line| line.starts_with("existed ")).count();
    assert_eq!((closed.stdout.lines().count(), existed), (2, 2), "{}", closed.stdout);
}

fn interrupt(place: &Place, mut demo: Running) {
    assert!(demo.runs(), "{}", demo.stderr());
    let children = place.processes();
    assert!(children.len() >= 3, "the demonstration, its broker and its engine: {children:?}");
    demo.send(Signal::INT);
    let ended = demo.end(END_LIMIT).success("an interrupted demonstration that was right");
    assert_text(&ended.stdout);
    assert!(!ended.stderr.contains("did not end in time"), "{}", ended.stderr);
    place.assert_nothing_runs(Duration::from_secs(2));
}
