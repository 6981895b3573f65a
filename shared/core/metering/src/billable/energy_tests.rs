use super::*;
use crate::energy::energy_in;
use crate::energy::sources::{MeterFacts, of_register};
use proptest::prelude::*;
use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

fn readings(points: &[(i64, u64)]) -> Vec<RegisterReading> {
    let reading = |(at_us, register_wh): &(i64, u64)| RegisterReading {
        at_us: *at_us,
        id: [0; 16],
        register_wh: *register_wh,
    };
    points.iter().map(reading).collect()
}

fn meter(witness: Witness, meter_id: &str, points: &[(i64, u64)]) -> Meter {
    let readings = readings(points);
    let facts = MeterFacts {
        rollover_wh: None,
        power_max_mw: 0,
        longest_us: 2 * STEP_US,
        replacements: Vec::new(),
        corrections: Vec::new(),
    };
    Meter::new(meter_id.to_owned(), witness, of_register(&readings, &facts), &readings)
}

fn shown(heard: &MachineEnergy) -> Vec<(&'static str, &str, u128, u64)> {
    let one = |meter: &MeterEnergy| (meter.witness.as_str(), meter.energy_mwh, meter.unknown_us);
    heard.meters.iter().map(|m| (one(m).0, m.meter_id.as_str(), one(m).1, one(m).2)).collect()
}

fn stretch(end_us: i64) -> Interval {
    Interval { start_us: 0, end_us }
}

#[test]
fn each_instant_is_billed_by_the_best_witness_that_speaks_of_it() {
    use Witness::{FirmwareCounter, Meter as Revenue, Pdu};
    let order = [Revenue, Pdu, FirmwareCounter];
    let mut meters = vec![
        meter(FirmwareCounter, "f", &[(0, 0), (100, 99)]),
        meter(Pdu, "p1", &[(0, 0), (100, 40)]),
        meter(Pdu, "p2", &[(0, 0), (50, 25)]),
        // One reading alone gives no energy.
        meter(Revenue, "a", &[(10, 5)]),
    ];
    let heard = hear(&meters, &order, stretch(100));
    assert_eq!(shown(&heard), [("pdu", "p1", 40_000, 0), ("pdu", "p2", 25_000, 50)]);
    // The meter covers 10 to 20, the outlets the rest.
    meters[3] = meter(Revenue, "a", &[(10, 5), (20, 8)]);
    let heard = hear(&meters, &order, stretch(100));
    assert_eq!(
        shown(&heard),
        [("meter", "a", 3_000, 0), ("pdu", "p1", 36_000, 0), ("pdu", "p2", 20_000, 50)]
    );
    // A contract that accepts the meter alone is billed by the meter alone, and the rest is reported as missing.
    let heard = hear(&meters, &[Revenue], stretch(100));
    assert_eq!(shown(&heard), [("meter", "a", 3_000, 90)]);
    assert_eq!(heard.unknown.len(), 2);
    assert!(hear(&[], &order, stretch(100)).meters.is_empty());
}

#[test]
fn a_register_that_goes_on_through_a_gap_is_exact_and_its_timing_an_estimate() {
    let hourly = meter(Witness::Meter, "a", &[(0, 0), (12 * STEP_US, 100), (13 * STEP_US, 108)]);
    let heard = hear(&[hourly], &[Witness::Meter], stretch(14 * STEP_US));
    let coverage = heard.coverage(stretch(14 * STEP_US));
    assert_eq!((coverage.expected, coverage.received, coverage.estimated), (14, 1, 12));
    assert_eq!((coverage.energy_mwh, coverage.estimated_mwh), (108_000, 100_000));
    assert_eq!(coverage.unknown_us, STEP_US.unsigned_abs());
    // 100 Wh over twelve intervals: thirds are cut so that they add up.
    let slices: Vec<u128> = heard.slices().map(|(_, energy_mwh)| energy_mwh).collect();
    assert_eq!(&slices[..3], [8_333, 8_333, 8_334]);
    assert_eq!(slices.iter().sum::<u128>(), 108_000);
}

#[test]
fn power_is_rounded_once_a_piece_half_to_even() {
    for (energy_nj, mwh) in
        [(0, 0), (1_800_000_000, 0), (1_800_000_001, 1), (5_400_000_000, 2), (9_000_000_000, 2)]
    {
        assert_eq!(to_mwh(energy_nj), mwh, "{energy_nj}");
    }
}

fn some_meter() -> impl Strategy<Value = Vec<(i64, u64)>> {
    prop::collection::vec((0_i64..20 * STEP_US, 0_u64..500), 0..12)
}

proptest! {
    #[test]
    fn a_stretch_split_at_any_boundary_adds_up(
        first in some_meter(), second in some_meter(), third in some_meter(),
        mut cuts in prop::collection::vec(0_i64..=20, 2..6),
    ) {
        let meters = [
            meter(Witness::Meter, "a", &first),
            meter(Witness::Pdu, "b", &second),
            meter(Witness::Pdu, "c", &third),
        ];
        let order = [Witness::Meter, Witness::Pdu];
        cuts.sort_unstable();
        let of = |start: i64, end: i64| {
            hear(&meters, &order, Interval { start_us: start * STEP_US, end_us: end * STEP_US })
        };
        let whole = of(cuts[0], cuts[cuts.len() - 1]);
        let mut parts = Vec::new();
        let mut by_meter: BTreeMap<String, u128> = BTreeMap::new();
        for cut in cuts.windows(2) {
            let part = of(cut[0], cut[1]);
            parts.extend(part.slices());
            for meter in part.meters {
                *by_meter.entry(meter.meter_id).or_default() += meter.energy_mwh;
            }
        }
        let sums = |slices: Vec<(i64, u128)>| {
            let mut sums: BTreeMap<i64, u128> = BTreeMap::new();
            for (slot_us, energy_mwh) in slices {
                *sums.entry(slot_us).or_default() += energy_mwh;
            }
            sums
        };
        prop_assert_eq!(sums(parts), sums(whole.slices().collect()));
        for meter in &whole.meters {
            prop_assert_eq!(by_meter.get(&meter.meter_id).copied().unwrap_or(0), meter.energy_mwh);
        }
        let slices: u128 = whole.slices().map(|(_, energy_mwh)| energy_mwh).sum();
        prop_assert_eq!(slices, whole.meters.iter().map(|meter| meter.energy_mwh).sum::<u128>());
    }

    #[test]
    fn one_meter_alone_is_billed_as_its_register_says(points in some_meter(), end in 1_i64..=20) {
        let period = stretch(end * STEP_US);
        let heard = hear(&[meter(Witness::Meter, "a", &points)], &[Witness::Meter], period);
        let fold = energy_in(&readings(&points), period);
        let billed = heard.meters.first();
        prop_assert_eq!(billed.map_or(0, |meter| meter.energy_mwh), fold.energy_mwh);
        if let Some(meter) = billed {
            prop_assert_eq!(meter.resets, u64::from(fold.resets));
            let unknown: u64 = fold.gaps.iter().map(|gap| gap.interval.duration_us().unsigned_abs()).sum();
            prop_assert_eq!(meter.unknown_us, unknown);
        }
    }
}
