use super::*;
use proptest::prelude::*;

fn held(id: &str, device: &str, share: Share, start_us: i64, end_us: Option<i64>) -> Allocation {
    Allocation {
        start_us,
        end_us,
        allocation_id: id.to_owned(),
        account: "acme".to_owned(),
        node_id: "n1".to_owned(),
        device: device.to_owned(),
        share,
    }
}

fn whole(gpus: u32) -> Share {
    Share::Whole { gpus }
}

fn slice(profile: &str, instance: &str) -> Share {
    Share::Mig { profile: MigProfile::parse(profile).unwrap(), instance: instance.to_owned() }
}

/// The codes of what is refused, by allocation.
fn codes(allocations: Vec<Allocation>, node_gpus: Option<u32>) -> Vec<(String, &'static str)> {
    let nodes = node_gpus.map(|gpus| ("n1".to_owned(), gpus)).into_iter().collect();
    let refused = accept(allocations, &nodes).refused;
    refused.into_iter().map(|(allocation, error)| (allocation.allocation_id, error.code())).collect()
}

#[test]
fn profiles_are_read_by_their_name() {
    for (name, expected) in [
        ("1g.5gb", Some((1, 5))),
        ("2g.10gb", Some((2, 10))),
        ("1g.10gb+me", Some((1, 10))),
        ("7g.80gb", Some((7, 80))),
        ("8g.80gb", None),
        ("0g.5gb", None),
        ("1g", None),
        ("1c.2g.10gb", None),
        ("", None),
    ] {
        let read = MigProfile::parse(name).ok().map(|profile| (profile.compute_slices, profile.memory_gb));
        assert_eq!(read, expected, "{name}");
    }
    assert_eq!(MigProfile::parse("x").unwrap_err().code(), "WB-3124");
}

#[test]
fn a_gpu_is_held_once() {
    for (name, first, second, expected) in [
        (
            "twice whole",
            held("a", "g0", whole(1), 0, Some(10)),
            held("b", "g0", whole(1), 9, None),
            "WB-3121",
        ),
        (
            "one after the other",
            held("a", "g0", whole(1), 0, Some(10)),
            held("b", "g0", whole(1), 10, None),
            "",
        ),
        ("two GPUs", held("a", "g0", whole(1), 0, None), held("b", "g1", whole(1), 0, None), ""),
        (
            "parent, then slice",
            held("a", "g0", whole(1), 0, None),
            held("b", "g0", slice("1g.5gb", "7"), 5, None),
            "WB-3122",
        ),
        (
            "slice, then parent",
            held("a", "g0", slice("1g.5gb", "7"), 0, None),
            held("b", "g0", whole(1), 5, None),
            "WB-3122",
        ),
        (
            "same slice",
            held("a", "g0", slice("1g.5gb", "7"), 0, Some(9)),
            held("b", "g0", slice("1g.5gb", "7"), 5, None),
            "WB-3121",
        ),
        (
            "other slice",
            held("a", "g0", slice("3g.20gb", "1"), 0, None),
            held("b", "g0", slice("4g.20gb", "2"), 5, None),
            "",
        ),
        (
            "more slices than seven",
            held("a", "g0", slice("4g.20gb", "1"), 0, None),
            held("b", "g0", slice("4g.20gb", "2"), 5, None),
            "WB-3123",
        ),
        (
            "fractions",
            held("a", "g0", Share::Fraction { ppm: 500_000 }, 0, None),
            held("b", "g0", Share::Fraction { ppm: 500_000 }, 0, None),
            "",
        ),
        (
            "fractions over one",
            held("a", "g0", Share::Fraction { ppm: 500_000 }, 0, None),
            held("b", "g0", Share::Fraction { ppm: 500_001 }, 0, None),
            "WB-3123",
        ),
    ] {
        let expected: Vec<_> = Some(expected)
            .filter(|code| !code.is_empty())
            .map(|code| ("b".to_owned(), code))
            .into_iter()
            .collect();
        assert_eq!(codes(vec![second.clone(), first.clone(), first.clone()], None), expected, "{name}");
    }
    // Without devices, the node's number is the limit.
    let (a, b) = (held("a", "", whole(6), 0, Some(10)), held("b", "", whole(3), 5, None));
    assert_eq!(codes(vec![a.clone(), b.clone()], Some(8)), [("b".to_owned(), "WB-3123")]);
    assert_eq!(codes(vec![a.clone(), b.clone()], Some(9)), []);
    assert_eq!(codes(vec![a, b], None), []);
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let accepted = accept(
        vec![held("a", "g0", whole(1), 0, None), held("b", "g0", whole(1), 5, None)],
        &BTreeMap::new(),
    );
    let text = accepted.refused[0].1.to_string();
    assert!(text.contains("g0 on n1") && text.contains("held by a"), "{text}");
}

proptest! {
    #[test]
    fn held_time_splits_exactly(
        parts in 0_u32..=1_000_000, start_us in 0_i64..10_000, length in prop::option::of(0_i64..50_000),
        mut cuts in prop::collection::vec(0_i64..80_000, 2..8), g in 1_u8..=7,
    ) {
        let end_us = length.map(|length| start_us + length);
        cuts.sort_unstable();
        for share in [
            Share::Fraction { ppm: parts },
            Share::Mig { profile: MigProfile { compute_slices: g, memory_gb: 5 }, instance: String::new() },
            whole(3),
        ] {
            let allocation = held("a", "g0", share, start_us, end_us);
            let inside = |start_us, end_us| allocation.held(Interval { start_us, end_us });
            let sum: u128 = cuts.windows(2).map(|cut| inside(cut[0], cut[1])).sum();
            prop_assert_eq!(sum, inside(cuts[0], cuts[cuts.len() - 1]));
        }
    }

    #[test]
    fn nothing_is_held_twice_and_order_changes_nothing(
        spans in prop::collection::vec((0_i64..50, 1_i64..20, 0_u8..2, 0_u8..4), 1..25), turn in 0_usize..25,
    ) {
        let all: Vec<_> = spans
            .iter()
            .enumerate()
            .map(|(id, (start, length, device, kind))| {
                let share = match kind {
                    0 => whole(1),
                    1 => slice("1g.5gb", "1"),
                    2 => slice("3g.20gb", "2"),
                    _ => Share::Fraction { ppm: 400_000 },
                };
                held(&id.to_string(), &format!("g{device}"), share, *start, Some(start + length))
            })
            .collect();
        let accepted = accept(all.clone(), &BTreeMap::new());
        let mut turned: Vec<_> = all.iter().chain(&all).cloned().collect();
        turned.rotate_left(turn % all.len());
        prop_assert_eq!(&accepted, &accept(turned, &BTreeMap::new()));
        prop_assert_eq!(accepted.allocations.len() + accepted.refused.len(), all.len());
        for at in 0..80 {
            let instant = Interval { start_us: at, end_us: at + 1 };
            for device in ["g0", "g1"] {
                let on = accepted.allocations.iter().filter(|allocation| allocation.device == device);
                let parts: u128 = on.map(|allocation| allocation.held(instant)).sum();
                prop_assert!(parts <= u128::from(WHOLE_GPU), "{device} at {at}");
            }
        }
    }
}
