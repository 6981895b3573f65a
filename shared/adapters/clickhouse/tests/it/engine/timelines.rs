//! The SQL rule for which fact holds when, against the rule of the core, on random histories.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use wb_auth::TenantScope;
use wb_clickhouse::read::Selection;
use wb_testkit::Random;
use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;
use wb_units::timeline::Timeline;

use super::{DAY_US, MINUTE_US, commit, customer, insert, ready, total};

const MACHINES: u64 = 8;
const CUSTOMERS: [&str; 3] = ["a", "b", "c"];
/// Settlement intervals that every machine works in.
const STEPS: u32 = 24;

/// An instant of two hours, on a boundary or a quarter of an interval from it.
fn instant(random: &mut Random) -> i64 {
    DAY_US + i64::try_from(random.draw() % (4 * u64::from(STEPS))).unwrap() * STEP_US / 4
}

pub(super) async fn hold_as_the_rule_says(address: SocketAddr) {
    let seed = RandomState::new().hash_one("timelines");
    let mut random = Random::of(seed, "assignments");
    let store = ready(address, "timelines").await;
    commit(&store, 0, 1).await;
    let (mut facts, mut work) = (Vec::new(), Vec::new());
    let mut expected = Vec::new();
    for machine in 0..MACHINES {
        let mut timeline = Timeline::default();
        for _ in 0..random.draw() % 9 {
            let whose = CUSTOMERS[usize::try_from(random.draw() % 3).unwrap()];
            let valid_from_us = instant(&mut random);
            // Some end, some of them before they begin.
            let valid_to_us = random.draw().is_multiple_of(2).then(|| instant(&mut random));
            timeline.record(valid_from_us, valid_to_us, whose);
            let to = valid_to_us.map_or("NULL".to_owned(), |to_us| to_us.to_string());
            let idx = facts.len();
            facts.push(format!(
                "(1, 'reference', 0, 1, {idx}, 'assignment', 'm{machine}', {valid_from_us}, {to}, \
                 '{{\"machine_id\":\"m{machine}\",\"customer_id\":\"{whose}\",\"contract_id\":\"k\"}}')"
            ));
        }
        let held: Vec<_> = timeline.settled().held().collect();
        for step in 0..STEPS {
            let at_us = DAY_US + i64::from(step) * STEP_US;
            // Powers of two, so that a sum shows its intervals.
            work.push(format!(
                "(1, 'reference', 0, 1, {step}, 's', 'm{machine}', {at_us}, 'main', 'accepted', 1, {}, 0)",
                1_u64 << step
            ));
        }
        for whose in CUSTOMERS {
            let of_step = |step: u32| {
                let at_us = DAY_US + i64::from(step) * STEP_US;
                let is_held = held.iter().any(|held| held.body == whose && held.interval.contains(at_us));
                u64::from(is_held) << step
            };
            expected.push((machine, whose, (0..STEPS).map(of_step).sum::<u64>()));
        }
    }
    assert_eq!(i64::from(STEPS) * STEP_US, 120 * MINUTE_US);
    // In another order than that of recording, which is given by the place in the log.
    facts.reverse();
    let columns = "attempt, topic, partition, block, idx, kind, entity, valid_from_us, valid_to_us, body";
    insert_all(&store, "facts", columns, &facts).await;
    let columns = "attempt, topic, partition, block, idx, site_id, machine_id, interval_start_us, chain, verdict, \
                   shares, credited_q32, credited_q32_squared";
    insert_all(&store, "work_5m", columns, &work).await;
    for (machine, whose, steps) in expected {
        let selection = Selection::Machine(format!("m{machine}"));
        let found = total(&store, customer(whose), 1, &selection).await;
        assert_eq!(found, steps.to_string(), "seed {seed}: machine m{machine} of customer {whose}");
    }
    let all = total(&store, TenantScope::Operator, 1, &Selection::Machine("m0".to_owned())).await;
    assert_eq!(all, ((1_u64 << STEPS) - 1).to_string(), "whose it is or not, the operator sees it work");
}

async fn insert_all(store: &wb_clickhouse::Store, table: &str, columns: &str, rows: &[String]) {
    if !rows.is_empty() {
        insert(store, table, columns, &format!("untuple(arrayJoin([{}]))", rows.join(", "))).await;
    }
}
