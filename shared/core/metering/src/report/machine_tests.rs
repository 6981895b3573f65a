use proptest::prelude::*;

use super::*;
use crate::gpu::accounts::Accounts;
use crate::gpu::usage::Device;
use crate::report::site::{SiteFacts, SiteFold, SiteReport};
use crate::report::truth::Quantity;

const MINUTE: i64 = 60_000_000;

fn minutes(start: i64, end: i64) -> Interval {
    Interval { start_us: start * MINUTE, end_us: end * MINUTE }
}

fn stand(start: i64, end: i64) -> Stand {
    Stand {
        interval: minutes(start, end),
        rated_power_mw: 3_600_000,
        rated_hashrate_hs: Some(1_000),
        gpus: None,
    }
}

fn reading(at: i64, register_wh: u64) -> RegisterReading {
    RegisterReading { at_us: at * MINUTE, id: [0; 16], register_wh }
}

fn register(meter: &str, witness: Witness, readings: &[(i64, u64)]) -> Register {
    Register {
        meter_id: meter.to_owned(),
        witness,
        readings: readings.iter().map(|(at, register_wh)| reading(*at, *register_wh)).collect(),
        corrections: Vec::new(),
        appended: BTreeMap::new(),
    }
}

fn sample(at: i64, found: Found) -> Sample {
    let at_us = at * MINUTE;
    Sample { at_us, id: [0; 16], appended_at_us: at_us, uptime_s: None, found, power_mw: Some(3_000_000) }
}

fn miner(stands: Vec<Stand>) -> Record {
    Record { machine_id: "m".to_owned(), stands, ..Record::default() }
}

fn found(record: &Record) -> Figures {
    figures(record, &Windows::default(), &Rules::default(), minutes(0, 120))
}

#[test]
fn two_outlets_are_added_and_the_meter_goes_before_them() {
    let mut record = miner(vec![stand(0, 60)]);
    record.registers = vec![
        register("a", Witness::Pdu, &[(0, 0), (60, 1_000)]),
        register("b", Witness::Pdu, &[(0, 500), (30, 1_100), (60, 1_700)]),
    ];
    let watt_hours = |record: &Record| found(record).sums.miners_nj.map(|nj| nj / 3_600_000_000_000);
    assert_eq!(watt_hours(&record), Some(2_200));
    // The meter has data for half of the hour.
    record.registers.push(register("c", Witness::Meter, &[(30, 0), (60, 1_500)]));
    assert_eq!(watt_hours(&record), Some(1_100 + 1_500));
    let energy = found(&record).truth.energy;
    let (meter, pdu) = energy[&(Witness::Meter, Witness::Pdu)];
    assert_eq!((meter / 3_600_000_000_000, pdu / 3_600_000_000_000), (1_500, 1_100));
}

#[test]
fn a_machine_counts_while_it_stood_there_and_is_somebodys() {
    let mut record = miner(vec![stand(0, 30), stand(60, 90)]);
    record.registers = vec![register("a", Witness::Meter, &[(-30, 0), (120, 1_500)])];
    record.assigned = vec![minutes(-100, 15), minutes(80, 200)];
    let sums = found(&record).sums;
    // 10 Wh a minute: an hour of it, of which 35 minutes were without an assignment.
    assert_eq!(sums.miners_nj, Some(600 * 3_600_000_000_000));
    assert_eq!(sums.suspense_nj, 350 * 3_600_000_000_000);
    assert_eq!(sums.deployed_hs_us, Some(1_000 * 60 * 60_000_000));
    assert_eq!(sums.standing_us, 60 * 60_000_000);
}

fn held_span(allocation: &str, gpus: u32, start: i64, end: Option<i64>, elapsed_s: u64) -> SpanRow {
    SpanRow {
        span: Span {
            allocation_id: allocation.to_owned(),
            account: "a".to_owned(),
            node_id: "m".to_owned(),
            state: "RUNNING".to_owned(),
            gpus,
            start_us: start * MINUTE,
            end_us: end.map(|end| end * MINUTE),
            elapsed_s,
        },
        device: String::new(),
        profile: String::new(),
    }
}

fn gpu_minutes(held: u128) -> u128 {
    held / u128::from(crate::gpu::allocation::WHOLE_GPU) / 60_000_000
}

#[test]
fn a_node_is_billed_by_what_is_held_and_runs_while_it_is() {
    let node = Stand { gpus: Some(8), ..stand(0, 60) };
    let span = held_span;
    let mut record = miner(vec![node]);
    // The first is closed by a later row; the second goes on, and was seen for ten minutes.
    record.spans = vec![
        span("1", 4, 0, None, 60),
        span("1", 4, 0, Some(30), 1_800),
        span("2", 8, 40, None, 600),
        span("3", 5, 10, Some(20), 600),
    ];
    let figures = found(&record);
    assert_eq!(figures.refused.len(), 1, "{:?}", figures.refused);
    assert_eq!(gpu_minutes(figures.sums.gpu_sold), 4 * 30 + 8 * 10);
    assert_eq!(figures.gpu_sold.values().sum::<u128>(), figures.sums.gpu_sold);
    assert_eq!(figures.sums.gpu_available.map(gpu_minutes), Some(8 * 60));
    assert_eq!(figures.sums.gpu_utilised, None);
    // 3.6 kW for the forty minutes in which something is held.
    assert_eq!(figures.sums.gpus_nj, Some(2_400 * 3_600_000_000_000));
    assert_eq!(figures.sums.miners_nj, None);
}

fn by_account(account: &str, row: SpanRow) -> SpanRow {
    SpanRow { span: Span { account: account.to_owned(), ..row.span }, ..row }
}

#[test]
fn a_customer_is_shown_its_accounts_allocations_and_no_neighbours() {
    let said =
        [("ann", 0, Some(30)), ("bob", 0, None)].map(|(customer, from, to): (&str, i64, Option<i64>)| {
            let to_us = to.map(|to| to * MINUTE);
            (format!("s:c/{customer}"), from * MINUTE, to_us, customer.to_owned())
        });
    let rules_of = |customer: Option<&str>| Rules {
        whose: Whose { accounts: Accounts::new(said.clone()), customer: customer.map(str::to_owned) },
        ..Rules::default()
    };
    let of = |record: &Record, customer: Option<&str>| {
        figures(record, &Windows::default(), &rules_of(customer), minutes(0, 120))
    };
    let mut record = miner(vec![Stand { gpus: Some(8), ..stand(0, 60) }]);
    record.assigned = vec![minutes(0, 60)];
    record.spans = vec![
        by_account("s:c/ann", held_span("1", 1, 0, Some(40), 2_400)),
        by_account("s:c/bob", held_span("2", 2, 0, Some(60), 3_600)),
        by_account("s:c/ops", held_span("3", 4, 50, Some(60), 600)),
        by_account("s:c/bob", held_span("4", 64, 0, Some(60), 3_600)),
        // The node runs all the time for its holder, whatever others do.
        by_account("s:c/ops", held_span("5", 1, 0, Some(60), 3_600)),
    ];
    // The operator sees all of it, and nothing is in suspense.
    let all = of(&record, None);
    assert_eq!((gpu_minutes(all.sums.gpu_sold), all.sums.suspense_gpu), (40 + 120 + 40 + 60, 0));
    assert_eq!(all.refused.len(), 1);
    // The node's holder has its own, and what ann has no more.
    let host = of(&record, Some("host"));
    assert_eq!((gpu_minutes(host.sums.gpu_sold), host.refused.len()), (10 + 40 + 60, 0));
    assert_eq!(host.sums.gpu_available.map(gpu_minutes), Some(8 * 60));
    assert_eq!(host.truth.gpu.map(|time| gpu_minutes(time.allocated)), Some(10 + 40 + 60));
    let mut alone = record.clone();
    alone.spans.retain(|row| row.span.account != "s:c/bob");
    assert_eq!(of(&alone, Some("host")), host, "bob changes nothing");
    // bob has no machine: only what it held of another's.
    let lent = record.stands.clone();
    let lent = Record { stands: Vec::new(), assigned: Vec::new(), lent, ..record.clone() };
    let bob = of(&lent, Some("bob"));
    assert_eq!((gpu_minutes(bob.sums.gpu_sold), bob.sums.machines, bob.is_gpu_node), (120, 0, false));
    assert_eq!(bob.gpu_sold.values().sum::<u128>(), bob.sums.gpu_sold);
    assert_eq!((bob.sources.len(), bob.sums.gpu_available), (0, Some(0)));
    // Nobody has the node: what is not mapped is in suspense.
    record.assigned.clear();
    let sums = of(&record, None).sums;
    assert_eq!((gpu_minutes(sums.gpu_sold), gpu_minutes(sums.suspense_gpu)), (260, 10 + 40 + 60));
}

#[test]
fn a_nodes_use_stands_beside_what_is_held_and_faults_end_with_it() {
    let node = Stand { gpus: Some(2), ..stand(0, 60) };
    let device = |name: &str| Device { device: name.to_owned(), ..Device::default() };
    let in_slot = |name: &str, slot: i64, used_ppm| Use {
        device: device(name),
        interval: minutes(5 * slot, 5 * slot + 5),
        used_ppm,
    };
    let xid = |at: i64, xid| LastXid { device: device("a"), at_us: at * MINUTE, id: [0; 16], xid };
    let mut record = miner(vec![node]);
    record.spans = vec![
        held_span("1", 1, 0, Some(30), 1_800),
        // Three of two GPUs: refused, and yet scheduled.
        held_span("2", 3, 10, Some(20), 600),
    ];
    // A quarter of an hour at half, of one GPU of two; then half an hour where nothing is held.
    record.gpu_uses = (0..3).map(|slot| in_slot("a", slot, 500_000)).collect();
    record.gpu_xids = vec![xid(0, 0), xid(12, 79), xid(50, 79), xid(55, 0), xid(119, 31)];
    let figures = found(&record);
    let sums = &figures.sums;
    assert_eq!(sums.gpu_utilised.map(gpu_minutes), Some(7));
    assert_eq!((gpu_minutes(sums.gpu_sampled), sums.gpu_available.map(gpu_minutes)), (15, Some(120)));
    assert_eq!((sums.gpu_faults, figures.faults.len()), (Some(1), 1), "{:?}", figures.faults);
    // Its holder's job ended before the value changed.
    assert_eq!(figures.faults[0].end_us, Some(30 * MINUTE));
    let pairs: Vec<_> = figures
        .truth
        .comparisons()
        .into_iter()
        .filter(|one| one.quantity == Quantity::GpuTime)
        .map(|one| {
            let pair = one.pair;
            (pair.left_name, gpu_minutes(pair.left), pair.right_name, gpu_minutes(pair.right), pair.is_beyond)
        })
        .collect();
    let expected = [
        ("scheduled", 60, "allocated", 30, true),
        ("utilised", 7, "allocated", 15, false),
        ("utilised", 7, "scheduled", 30, false),
    ];
    assert_eq!(pairs, expected);
    record.gpu_uses.extend((6..12).map(|slot| in_slot("b", slot, 1_000_000)));
    let found = found(&record).truth.gpu.unwrap().sampled.unwrap();
    assert_eq!((gpu_minutes(found.utilised), gpu_minutes(found.allocated)), (37, 15));
    // A node with samples alone is a node, too.
    record.stands[0].gpus = None;
    record.spans.clear();
    assert!(figures.is_gpu_node && self::found(&record).is_gpu_node);
}

#[test]
fn what_was_not_said_is_not_known() {
    let silent = miner(vec![Stand { rated_hashrate_hs: None, ..stand(0, 60) }]);
    let mut fold = SiteFold::new(SiteFacts::default(), Rules::default(), minutes(0, 60));
    fold.add(&silent);
    let report = fold.finish();
    let sums = &report.sums;
    assert_eq!((sums.deployed_hs_us, sums.energised_hs_us, sums.miners_nj), (None, None, None));
    assert_eq!((sums.produced_sat, sums.curtailed_nj, sums.power_cost_minor), (None, None, None));
    assert_eq!((sums.samples_expected, sums.samples_received), (12, 0));
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    // A scrypt machine is in no hashrate, and does not make it unknown.
    let mut fold = SiteFold::new(SiteFacts::default(), Rules::default(), minutes(0, 60));
    fold.add(&Record { is_other_algorithm: true, ..silent });
    assert_eq!(fold.finish().sums.deployed_hs_us, Some(0));
}

#[test]
fn sums_of_shares_are_scaled_into_range() {
    let shares = share_sums(1 << 100, U256::from(1) << 190);
    // sqrt(2^190) / 2^100 = 2^-5, rounded up.
    assert_eq!(shares.sigma_ppm(), 31_251);
    assert_eq!(share_sums(0, U256::ZERO), ShareSums::default());
    assert_eq!(hashes_of(65_535 << 32), 65_536 << 32);
}

proptest! {
    #[test]
    fn periods_that_meet_add_up_and_order_changes_nothing(
        polls in prop::collection::vec((0_i64..120, 0_u8..4), 0..30),
        registers in prop::collection::vec((0_i64..120, 0_u64..9_000), 0..20),
        cut in 1_i64..24, turn in 0_usize..30,
    ) {
        let found_of = |place: u8| {
            [Found::Hashing, Found::Reachable, Found::Asleep, Found::Silent][usize::from(place)]
        };
        let mut samples: Vec<Sample> = polls.iter().map(|(at, place)| sample(*at, found_of(*place))).collect();
        samples.sort_by_key(|sample| sample.at_us);
        samples.dedup_by_key(|sample| sample.at_us);
        let mut readings: Vec<(i64, u64)> = registers;
        readings.sort_unstable();
        readings.dedup_by_key(|reading| reading.0);
        let whole = |start: i64, end: i64, turn: usize| -> SiteReport {
            let mut record = miner(vec![stand(start, end)]);
            record.samples = samples.iter().chain(&samples).copied().collect();
            let mut register = register("a", Witness::Meter, &readings);
            if !samples.is_empty() {
                let at = turn % record.samples.len();
                record.samples.rotate_left(at);
            }
            register.readings.reverse();
            record.registers = vec![register];
            let mut fold = SiteFold::new(SiteFacts::default(), Rules::default(), minutes(start, end));
            fold.add(&record);
            fold.finish()
        };
        prop_assert_eq!(whole(0, 120, 0), whole(0, 120, turn));
        let all = whole(0, 120, 0).sums;
        let mut sum = whole(0, cut * 5, turn).sums;
        sum.add(&whole(cut * 5, 120, 0).sums);
        prop_assert_eq!(sum.miners_nj.unwrap_or(0), all.miners_nj.unwrap_or(0));
        prop_assert_eq!(sum.suspense_nj, all.suspense_nj);
        prop_assert_eq!(sum.uptime, all.uptime);
        prop_assert_eq!((sum.samples_expected, sum.samples_received), (all.samples_expected, all.samples_received));
        prop_assert_eq!((sum.covered_us, sum.deployed_hs_us), (all.covered_us, all.deployed_hs_us));
    }
}
