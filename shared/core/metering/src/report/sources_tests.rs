use wb_units::Interval;

use super::*;
use crate::energy::RegisterReading;
use crate::energy::witness::Witness;
use crate::report::machine::{Sample, Stand};
use crate::uptime::Found;

const STEP_US: i64 = wb_units::SETTLEMENT_INTERVAL_US;
const EVER: Interval = Interval { start_us: i64::MIN, end_us: i64::MAX };
const PERIOD: Interval = Interval { start_us: 0, end_us: 12 * STEP_US };

fn id(of: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&of.to_be_bytes());
    id
}

fn sample(step: i64, delay_us: i64) -> Sample {
    Sample {
        at_us: step * STEP_US,
        id: id(step),
        appended_at_us: step * STEP_US + delay_us,
        uptime_s: None,
        found: Found::Hashing,
        power_mw: None,
    }
}

fn record(samples: Vec<Sample>, readings: &[(i64, u64)]) -> Record {
    let reading = |(step, register_wh): &(i64, u64)| RegisterReading {
        at_us: step * STEP_US,
        id: id(*step),
        register_wh: *register_wh,
    };
    let register = Register {
        meter_id: "e".to_owned(),
        witness: Witness::Meter,
        readings: readings.iter().map(reading).collect(),
        corrections: Vec::new(),
        appended: BTreeMap::new(),
    };
    Record {
        machine_id: "m".to_owned(),
        stands: vec![Stand { interval: PERIOD, rated_power_mw: 1, rated_hashrate_hs: None, gpus: None }],
        samples,
        registers: if readings.is_empty() { Vec::new() } else { vec![register] },
        ..Record::default()
    }
}

fn policy(of: PolicyOf, steps: (i64, i64)) -> PolicyFact {
    PolicyFact {
        of,
        interval: Interval { start_us: steps.0 * STEP_US, end_us: steps.1 * STEP_US },
        every_us: None,
        late_after_us: None,
        late_max_us: None,
        future_max_us: None,
    }
}

fn judged(mut record: Record, facts: Vec<PolicyFact>) -> Vec<Source> {
    let rules = Rules { policies: Policies { facts }, ..Rules::default() };
    let left_out = leave_out(&mut record, &rules, EVER);
    sources(&record, &left_out, false, &rules, PERIOD)
}

fn shown(source: &Source) -> (u64, u64, u64, u64, u64) {
    let Completeness { expected, received, late, estimated } = source.slots;
    (expected, received, late, estimated, source.left_out)
}

#[test]
fn what_is_expected_follows_the_narrowest_policy_of_the_time() {
    let all = || record((0..12).map(|step| sample(step, 0)).collect(), &[]);
    assert_eq!(shown(&judged(all(), vec![])[0]), (12, 12, 0, 0, 0));
    // Once a minute by the site's policy; in the machine's own half hour, every five minutes again.
    let minute = PolicyFact { every_us: Some(60_000_000), ..policy(PolicyOf::Site, (0, 12)) };
    let found = judged(all(), vec![minute.clone()]);
    assert_eq!(shown(&found[0]), (60, 12, 0, 0, 0));
    let own = PolicyFact { every_us: Some(STEP_US), ..policy(PolicyOf::Machine("m".to_owned()), (6, 12)) };
    let found = judged(all(), vec![minute, own]);
    assert_eq!(shown(&found[0]), (30 + 6, 6 + 6, 0, 0, 0));
    assert_eq!(found[0].missing.len(), 6, "four minutes in each of the first six steps");
}

#[test]
fn late_events_are_shown_and_too_late_ones_are_estimated() {
    let minutes = |of: i64| of * 60_000_000;
    // A register read each step, one reading an hour and one two hours after its time.
    let readings: Vec<(i64, u64)> = (0..=12).map(|step| (step, 100 * u64::try_from(step).unwrap())).collect();
    let spooled = || {
        let mut record = record(Vec::new(), &readings);
        record.registers[0].appended =
            BTreeMap::from([(id(4), 4 * STEP_US + minutes(60)), (id(5), 5 * STEP_US + minutes(120))]);
        record
    };
    let by_default = judged(spooled(), vec![]);
    assert_eq!(shown(&by_default[1]), (12, 12, 2, 0, 0));
    let lenient = PolicyFact { late_after_us: Some(minutes(90)), ..policy(PolicyOf::Site, (0, 12)) };
    assert_eq!(shown(&judged(spooled(), vec![lenient.clone()])[1]), (12, 12, 1, 0, 0));
    // The meter's own policy takes nothing after 90 minutes: that slot is known by the register going on.
    let strict = PolicyFact {
        late_after_us: Some(0),
        late_max_us: Some(minutes(90)),
        ..policy(PolicyOf::Meter("e".to_owned()), (0, 12))
    };
    let facts = vec![lenient, strict];
    let rules =
        Rules { policies: Policies { facts: facts.clone() }, longest_us: STEP_US, ..Rules::default() };
    let mut left = spooled();
    let left_out = leave_out(&mut left, &rules, EVER);
    let found = sources(&left, &left_out, false, &rules, PERIOD);
    assert_eq!(shown(&found[1]), (12, 11, 1, 1, 1));
    let hidden = Interval { start_us: 5 * STEP_US, end_us: 6 * STEP_US };
    assert_eq!(found[1].missing, [hidden]);
    // The energy is what it was: the register went on.
    let energy = |record: &Record| -> u128 {
        let register = &record.registers[0];
        of_register(&register.readings, &register.facts(&rules)).iter().map(|piece| piece.energy_nj).sum()
    };
    assert_eq!(energy(&left), energy(&spooled()));
}

#[test]
fn what_lies_in_the_future_is_left_out() {
    let ahead = record(vec![sample(1, 0), sample(2, -50), sample(3, -51)], &[]);
    let bound = PolicyFact { future_max_us: Some(50), ..policy(PolicyOf::Site, (0, 12)) };
    assert_eq!(shown(&judged(ahead, vec![bound])[0]), (12, 2, 0, 0, 1));
}

#[test]
fn a_site_is_heard_of_up_to_its_slowest_source() {
    let mut all = Sources::default();
    all.add(judged(record(vec![sample(1, 0), sample(9, 0)], &[(0, 1), (7, 2)]), vec![]));
    let silent = Record { machine_id: "n".to_owned(), ..record(Vec::new(), &[]) };
    all.add(judged(silent, vec![]));
    let mark = all.watermark();
    assert_eq!(
        (mark.at_us, mark.slowest, mark.idle),
        (Some(7 * STEP_US), vec!["e".to_owned()], vec!["n".to_owned()])
    );
    assert_eq!((all.slots.expected, all.slots.received), (36, 4));
    assert_eq!(all.each[0].name(), "n", "the least complete first");
    assert_eq!(Sources::default().watermark().at_us, None);
}

#[test]
fn a_policy_on_the_future_alone_asks_when_events_came() {
    let future = PolicyFact { future_max_us: Some(0), ..policy(PolicyOf::Site, (0, 12)) };
    assert!(Policies { facts: vec![future] }.judge_arrival());
    let cadence = PolicyFact { every_us: Some(1), ..policy(PolicyOf::Site, (0, 12)) };
    assert!(!Policies { facts: vec![cadence] }.judge_arrival());
}

#[test]
fn a_time_is_bounded_by_what_is_taken_or_has_nothing_beyond() {
    let reading = |at_us: i64| RegisterReading { at_us, id: [0; 16], register_wh: 0 };
    let (time, window) = (Interval { start_us: 10, end_us: 20 }, Interval { start_us: 5, end_us: 25 });
    let all = [3, 9, 12, 20, 30].map(reading);
    for (taken, expected) in
        [(vec![3, 20], true), (vec![10, 30], true), (vec![12, 30], false), (vec![9, 12], false)]
    {
        let taken: Vec<RegisterReading> = taken.into_iter().map(reading).collect();
        assert_eq!(is_bounded(&all, &taken, time, window), expected, "{taken:?}");
    }
    // Nothing lies outside of the window: there is nothing more to read.
    assert!(is_bounded(&[6, 24].map(reading), &[], time, window));
    assert_eq!(times_read([]), None);
}
