//! No field of the API shows a customer another customer's data.
//!
//! For every field of the schema, generated from the schema itself: the answer to customer A over a store with A's
//! and B's rows equals, byte for byte, the answer over a store without B's rows, and the other way round. This also
//! covers sums and counts, where a leak contains no searchable text. The test fails for a field without a value in
//! the fixture and for an unknown argument, so every new field must be covered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod books;
mod exports;
mod fixture;
mod generate;
mod server;

use std::collections::BTreeSet;

use fixture::{Contents, MARKERS_A, MARKERS_B, PAST_OF_A};
use generate::{Covered, all_fields, queries};
use serde_json::Value;
use server::{Api, Reader, World};

#[tokio::test(flavor = "multi_thread")]
async fn no_field_shows_a_customer_what_is_anothers() {
    let world = World::start().await;
    let sdl = wb_api::sdl();
    let both = world.api("both", Contents::Both).await;
    let only_a = world.api("only_a", Contents::OnlyA).await;
    let only_b = world.api("only_b", Contents::OnlyB).await;

    let queries = queries(&sdl);
    assert!(queries.len() > 30, "only {} queries were generated", queries.len());
    let (mut covered_a, mut covered_b, mut covered_operator) =
        (Covered::default(), Covered::default(), Covered::default());
    let (mut all_a, mut all_b, mut all_operator) = (String::new(), String::new(), String::new());
    for query in &queries {
        let a = both.ask(Reader::CustomerA, &query.text).await;
        assert_eq!(
            a,
            only_a.ask(Reader::CustomerA, &query.text).await,
            "B's rows change A's answer to {}",
            query.text
        );
        let b = both.ask(Reader::CustomerB, &query.text).await;
        assert_eq!(
            b,
            only_b.ask(Reader::CustomerB, &query.text).await,
            "A's rows change B's answer to {}",
            query.text
        );
        let operator = both.ask(Reader::Operator, &query.text).await;
        for (answer, covered, all) in [
            (a, &mut covered_a, &mut all_a),
            (b, &mut covered_b, &mut all_b),
            (operator, &mut covered_operator, &mut all_operator),
        ] {
            assert_eq!(answer.get("errors"), None, "{}", query.text);
            covered.note(&query.shape, &answer["data"]);
            all.push_str(&answer.to_string());
        }
    }

    // Each customer sees its own marks and none of the other's; the operator sees all, which finds marks that nothing
    // shows.
    for (mark, own, other) in MARKERS_A
        .iter()
        .map(|mark| (mark, &all_a, &all_b))
        .chain(MARKERS_B.iter().map(|mark| (mark, &all_b, &all_a)))
    {
        assert!(own.contains(mark), "{mark} is not shown to its owner");
        assert!(all_operator.contains(mark), "{mark} is not shown to the operator");
        assert!(!other.contains(mark), "{mark} is shown to another customer");
    }
    assert!(
        all_a.contains(PAST_OF_A) && !all_b.contains(PAST_OF_A),
        "A sees its machine as it was in A's time"
    );
    assert!(all_operator.contains("suspense-machine"), "the operator sees what is nobody's");
    assert!(!(all_a.clone() + &all_b).contains("suspense"), "nobody else does");
    assert!(
        !(all_operator + &all_a + &all_b).contains("ghost"),
        "a block that is not committed counts for nobody"
    );

    // A customer must not see a site's costs, nor their currency.
    let operator_only: BTreeSet<String> = ["Report.currency".to_owned()].into();
    let all = all_fields(&sdl);
    assert!(operator_only.is_subset(&all));
    let wanted: BTreeSet<String> = all.difference(&operator_only).cloned().collect();
    for (who, covered) in [("A", &covered_a), ("B", &covered_b)] {
        let missing: BTreeSet<_> = wanted.difference(&covered.0).collect();
        assert!(
            missing.is_empty(),
            "customer {who} is shown no value of {missing:?}: add rows to the fixture"
        );
        assert_eq!(covered.0, wanted);
    }
    let beyond: BTreeSet<_> = all.difference(&covered_operator.0).cloned().collect();
    let customer_only = ["Viewer.customer".to_owned()].into();
    assert_eq!(beyond, customer_only, "the operator is shown everything but a customer of its own");
    work_adds_up(&both).await;
    gpu_time_is_its_accounts(&both).await;
    reports_are_as_they_were(&both).await;
    exports::keep_to_the_scope(&both, &only_a, &only_b).await;
    books::stand_as_the_ledger_says(&world).await;
    world.stop().await;
}

/// The customers' data and the unassigned data together are what the operator sees.
async fn work_adds_up(both: &Api) {
    let query = format!("{{ hashrate({}, bucketMinutes: 1440) {{ shares workQ32 }} }}", generate::RANGE);
    let mut sums = Vec::new();
    for reader in [Reader::CustomerA, Reader::CustomerB, Reader::Operator] {
        let answer = both.ask(reader, &query).await;
        let points = answer["data"]["hashrate"].as_array().unwrap().clone();
        sums.push(points.iter().map(|point| number(&point["workQ32"])).sum::<u128>());
    }
    // The operator also sees the unassigned machine.
    assert_eq!(sums[0], fixture::WORK_A);
    assert_eq!(sums[1], fixture::WORK_B);
    assert_eq!(sums[2], fixture::WORK_A + fixture::WORK_B + fixture::WORK_SUSPENSE);
}

/// A report as of an instant is read at the cut of that instant, and at none where there is none.
async fn reports_are_as_they_were(both: &Api) {
    let ask = |as_of: &str| {
        format!("{{ report(period: \"2026-10\", asOf: \"{as_of}\") {{ terms {{ name value }} }} }}")
    };
    let sold = |answer: &Value| {
        let terms = answer["data"]["report"]["terms"].as_array().unwrap();
        terms.iter().find(|term| term["name"] == "gpu_hours_sold").unwrap()["value"].clone()
    };
    let now = both.ask(Reader::Operator, "{ report(period: \"2026-10\") { terms { name value } } }").await;
    let facts_alone = both.ask(Reader::Operator, &ask("2026-10-01T00:00:01Z")).await;
    let all = both.ask(Reader::Operator, &ask("2026-10-01T00:00:02Z")).await;
    assert_eq!(sold(&all), sold(&now));
    assert_eq!(sold(&facts_alone), "0");
    for nothing in ["2026-10-01T00:00:00Z", "2009-01-03T18:15:05Z", "2999-01-01T00:00:00Z"] {
        let answer = both.ask(Reader::CustomerA, &ask(nothing)).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "WB-5417", "{nothing}: {answer}");
    }
}

/// Each customer is shown the GPU time of its accounts and of its nodes; the operator all, also what is nobody's.
async fn gpu_time_is_its_accounts(both: &Api) {
    let query = "{ report(period: \"2026-10\") { siteIds terms { name value } } }";
    let mut sold = Vec::new();
    for reader in [Reader::CustomerA, Reader::CustomerB, Reader::Operator] {
        let answer = both.ask(reader, query).await;
        let terms = answer["data"]["report"]["terms"].as_array().unwrap();
        let term = terms.iter().find(|term| term["name"] == "gpu_hours_sold").unwrap();
        sold.push(number(&term["value"]));
        let sites = answer["data"]["report"]["siteIds"].to_string();
        assert!(sites.contains("site-p"), "{sites}");
    }
    // In thousandths of an hour, rounded: 2 x 40, 2 x 30 and 1 x 40 minutes; 3 x 45, 4 x 60 and 5 x 30; of nobody 1 x 70.
    let (a, b) = (80 + 60 + 40, 135 + 240 + 150);
    let minutes = [a, b, a + b + 70];
    assert_eq!(sold, minutes.map(|minutes: u128| (minutes * 1_000 + 30) / 60));
}

fn number(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}
