use proptest::prelude::*;
use wb_units::Interval;

use super::*;
use crate::energy::sources::{MeterFacts, of_register};
use crate::energy::witness::NJ_PER_WH;
use crate::energy::{RegisterReading, corrected_energy_in, energy_in};

const NEVER: u32 = 0;

fn recorded(block: u64) -> Recorded {
    Recorded { partition: 0, block, idx: 0 }
}

fn id(of: u8) -> EventId {
    [of; 16]
}

fn void(block: u64, own: u8, voids: u8) -> VoidFact {
    VoidFact { recorded: recorded(block), id: id(own), voids: id(voids) }
}

fn ratio(num: u32, den: u32) -> TransformerRatio {
    TransformerRatio { num, den }
}

fn ratio_fact(block: u64, own: u8, span: (i64, i64), used: u32, right: u32) -> RatioFact {
    RatioFact {
        recorded: recorded(block),
        id: id(own),
        meter_id: "e".to_owned(),
        interval: Interval { start_us: span.0, end_us: span.1 },
        used: ratio(used, 5),
        right: ratio(right, 5),
    }
}

fn reading(at_us: i64, own: u8, register_wh: u64) -> RegisterReading {
    RegisterReading { at_us, id: id(own), register_wh }
}

fn shown(corrections: &Corrections) -> Vec<(i64, i64, u64, u64)> {
    let of = |one: &RatioCorrection| (one.interval.start_us, one.interval.end_us, one.right, one.used);
    corrections.of_meter("e").iter().map(of).collect()
}

#[test]
fn a_void_takes_an_event_out_and_a_void_of_it_puts_it_back() {
    let of = |voids: &[VoidFact]| Corrections::new(voids, &[]).is_voided(&id(1));
    assert!(!of(&[]));
    assert!(of(&[void(5, 10, 1)]));
    assert!(!of(&[void(5, 10, 1), void(6, 11, 10)]), "taken back");
    assert!(of(&[void(5, 10, 1), void(6, 11, 10), void(7, 12, 11)]), "taking back is taken back");
    assert!(of(&[void(5, 10, 1), void(6, 11, 10), void(7, 12, 1)]), "voided anew");
    assert!(of(&[void(5, 10, 1), void(6, 11, 1), void(7, 12, 10)]), "another void of it stands");
}

#[test]
fn only_what_is_recorded_later_acts_on_a_correction() {
    // Each voids the other: the later stands.
    let both = Corrections::new(&[void(5, 10, 11), void(6, 11, 10)], &[]);
    assert!(both.is_voided(&id(10)) && !both.is_voided(&id(11)));
    // A void of itself takes nothing back.
    let own = Corrections::new(&[void(5, 10, 1), void(6, 11, 11)], &[]);
    assert!(own.is_voided(&id(1)));
}

#[test]
fn of_two_ratios_the_later_recorded_holds() {
    let facts = [ratio_fact(5, 20, (0, 100), 200, 400), ratio_fact(6, 21, (40, 60), 200, 100)];
    let both = Corrections::new(&[], &facts);
    assert_eq!(shown(&both), [(0, 40, 2, 1), (40, 60, 1, 2), (60, 100, 2, 1)]);
    let undone = Corrections::new(&[void(7, 30, 21)], &facts);
    assert_eq!(shown(&undone), [(0, 100, 2, 1)]);
    let as_it_was = Corrections::new(&[], &[facts[0].clone(), ratio_fact(6, 21, (0, 100), 200, 200)]);
    assert!(as_it_was.is_empty());
    assert!(Corrections::new(&[], &[ratio_fact(5, 20, (0, 100), NEVER, 400)]).is_empty());
}

#[test]
fn a_month_of_readings_is_rounded_once() {
    // 7/3 of one Wh a minute: rounded each time it would lose a third of each.
    let used_right =
        RatioFact { used: ratio(3, 1), right: ratio(7, 1), ..ratio_fact(1, 2, (0, 1_000), 1, 1) };
    let corrections = Corrections::new(&[], &[used_right]);
    let readings: Vec<_> = (0..=1_000).map(|at| reading(at, 0, u64::try_from(at).unwrap())).collect();
    let month = Interval { start_us: 0, end_us: 1_000 };
    let fold = corrected_energy_in(&readings, month, corrections.of_meter("e"));
    assert_eq!(fold.energy_mwh, 1_000 * 1_000 * 7 / 3);
    let facts = MeterFacts {
        rollover_wh: None,
        power_max_mw: 0,
        longest_us: 10,
        replacements: Vec::new(),
        corrections: corrections.of_meter("e").to_vec(),
    };
    let pieces_nj: u128 = of_register(&readings, &facts).iter().map(|piece| piece.energy_nj).sum();
    // A report's pieces come to the same thousandth of a watt-hour.
    assert_eq!(pieces_nj, fold.energy_mwh * (NJ_PER_WH / 1_000));
}

/// Voids among few ids, so that they often meet.
fn some_voids() -> impl Strategy<Value = Vec<VoidFact>> {
    prop::collection::vec((0_u64..40, 10_u8..20, 0_u8..20), 0..12)
        .prop_map(|facts| facts.into_iter().map(|(block, own, voids)| void(block, own, voids)).collect())
}

fn some_ratios() -> impl Strategy<Value = Vec<RatioFact>> {
    let one = (0_u64..40, 20_u8..26, 0_i64..900, 1_i64..500, 1_u32..50, 1_u32..50);
    prop::collection::vec(one, 0..6).prop_map(|facts| {
        let fact = |(block, own, start, length, used, right)| {
            ratio_fact(block, own, (start, start + length), used, right)
        };
        facts.into_iter().map(fact).collect()
    })
}

fn some_readings() -> impl Strategy<Value = Vec<RegisterReading>> {
    prop::collection::vec((0_i64..1_000, 0_u8..10, 0_u64..5_000), 0..20)
        .prop_map(|all| all.into_iter().map(|(at, own, wh)| reading(at, own, wh)).collect())
}

/// What is left of readings, and the energy of a time by it.
fn energy(corrections: &Corrections, readings: &[RegisterReading], span: (i64, i64)) -> u128 {
    let mut kept = readings.to_vec();
    corrections.keep(&mut kept, |reading| reading.id);
    let period = Interval { start_us: span.0, end_us: span.1 };
    corrected_energy_in(&kept, period, corrections.of_meter("e")).energy_mwh
}

proptest! {
    #[test]
    fn order_and_repeats_of_facts_change_nothing(
        voids in some_voids(), ratios in some_ratios(), turn in 0_usize..12,
    ) {
        let straight = Corrections::new(&voids, &ratios);
        let (mut voids, mut ratios) = (voids.repeat(2), [ratios.clone(), ratios].concat());
        voids.reverse();
        ratios.reverse();
        if !voids.is_empty() {
            let middle = turn % voids.len();
            voids.rotate_left(middle);
        }
        prop_assert_eq!(straight, Corrections::new(&voids, &ratios));
    }

    #[test]
    fn a_void_and_its_void_leave_everything_as_it_was(
        voids in some_voids(), ratios in some_ratios(), readings in some_readings(), target in 0_u8..26,
    ) {
        let before = Corrections::new(&voids, &ratios);
        let mut more = voids;
        more.extend([void(100, 100, target), void(101, 101, 100)]);
        let after = Corrections::new(&more, &ratios);
        prop_assert_eq!(energy(&before, &readings, (0, 1_000)), energy(&after, &readings, (0, 1_000)));
        for event in 0..26 {
            prop_assert_eq!(before.is_voided(&id(event)), after.is_voided(&id(event)));
        }
        for (meter, ratios) in before.meters() {
            prop_assert_eq!(ratios, after.of_meter(meter));
        }
    }

    #[test]
    fn corrected_energy_is_conserved_however_it_is_split(
        ratios in some_ratios(), readings in some_readings(), mut cuts in prop::collection::vec(0_i64..1_100, 2..8),
    ) {
        let corrections = Corrections::new(&[], &ratios);
        cuts.sort_unstable();
        let whole = energy(&corrections, &readings, (cuts[0], cuts[cuts.len() - 1]));
        let parts: u128 = cuts.windows(2).map(|cut| energy(&corrections, &readings, (cut[0], cut[1]))).sum();
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn a_ratio_over_all_time_is_the_difference_of_first_and_last_register(
        steps in prop::collection::vec(0_u64..9_999, 1..50), used in 1_u32..99, right in 1_u32..99,
    ) {
        let mut register = 17;
        let mut readings = vec![reading(0, 0, register)];
        for (place, step) in steps.iter().enumerate() {
            register += step;
            readings.push(reading(i64::try_from(place).unwrap() + 1, 0, register));
        }
        let fact = ratio_fact(1, 20, (-10, 1_000), used, right);
        let corrections = Corrections::new(&[], &[fact]);
        let exact = |register: u64| u128::from(register) * 1_000 * u128::from(right) / u128::from(used);
        prop_assert_eq!(energy(&corrections, &readings, (-5, 900)), exact(register) - exact(17));
        let plain = energy_in(&readings, Interval { start_us: -5, end_us: 900 }).energy_mwh;
        prop_assert_eq!(plain, u128::from(register - 17) * 1_000);
    }
}
