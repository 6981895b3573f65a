//! Whose an allocation is, instant by instant.
//!
//! While a dated fact maps the allocation's account to a party, the allocation is that party's, whoever has the node.
//! While no fact maps it, it is that of the party that has the node. Where nobody has the node either, it is nobody's:
//! it is in suspense. A change in the middle of an allocation splits it at that microsecond, so every microsecond of it
//! is one party's, or nobody's.

use std::collections::BTreeMap;

use wb_units::timeline::{Held, Timeline};
use wb_units::{Interval, Micros};

use super::allocation::Allocation;

/// Accounts with those that they are mapped to: `T` is what a fact says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts<T> {
    mapped: BTreeMap<String, Vec<Held<T>>>,
}

impl<T> Default for Accounts<T> {
    fn default() -> Self {
        Self { mapped: BTreeMap::new() }
    }
}

impl<T> Accounts<T> {
    /// From facts in the order in which they were recorded: the account, from when, until when, and what it says.
    #[must_use]
    pub fn new(facts: impl IntoIterator<Item = (String, Micros, Option<Micros>, T)>) -> Self {
        let mut timelines: BTreeMap<String, Timeline<T>> = BTreeMap::new();
        for (account, valid_from_us, valid_to_us, said) in facts {
            timelines.entry(account).or_default().record(valid_from_us, valid_to_us, said);
        }
        let mapped = timelines.into_iter().map(|(account, timeline)| (account, timeline.held().collect()));
        Self { mapped: mapped.collect() }
    }

    /// When an account is mapped and to what, in order of time.
    #[must_use]
    pub fn of(&self, account: &str) -> &[Held<T>] {
        self.mapped.get(account).map(Vec::as_slice).unwrap_or_default()
    }

    /// All accounts with the times for which they are mapped, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Held<T>)> {
        self.mapped.iter().flat_map(|(account, held)| held.iter().map(move |held| (account.as_str(), held)))
    }

    /// The times in which allocations of an account on a node are a party's, in order and not touching. `node_held` are
    /// the times for which the party has the node.
    pub fn times_of(
        &self,
        account: &str,
        node_held: &[Interval],
        is_party: impl Fn(&T) -> bool,
    ) -> Vec<Interval> {
        let mapped = self.of(account);
        let mut times: Vec<Interval> =
            mapped.iter().filter(|held| is_party(&held.body)).map(|held| held.interval).collect();
        for node in node_held {
            let mut from_us = node.start_us;
            for held in mapped {
                times.push(Interval { start_us: from_us, end_us: held.interval.start_us.min(node.end_us) });
                from_us = from_us.max(held.interval.end_us);
            }
            times.push(Interval { start_us: from_us, end_us: node.end_us });
        }
        Interval::union(times)
    }

    /// The parts of an allocation that are a party's, in order.
    pub fn parts_of(
        &self,
        allocation: &Allocation,
        node_held: &[Interval],
        is_party: impl Fn(&T) -> bool,
    ) -> Vec<Allocation> {
        let times = self.times_of(&allocation.account, node_held, is_party);
        times.into_iter().filter_map(|time| allocation.within(time)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::allocation::Share;
    use proptest::prelude::*;

    fn allocation(account: &str, start_us: i64, end_us: Option<i64>) -> Allocation {
        Allocation {
            start_us,
            end_us,
            allocation_id: "c/7".to_owned(),
            account: account.to_owned(),
            node_id: "n".to_owned(),
            device: String::new(),
            share: Share::Whole { gpus: 2 },
        }
    }

    fn held(start_us: i64, end_us: i64) -> Interval {
        Interval { start_us, end_us }
    }

    fn times(parts: &[Allocation]) -> Vec<(i64, Option<i64>)> {
        parts.iter().map(|part| (part.start_us, part.end_us)).collect()
    }

    #[test]
    fn a_mapped_account_pays_and_otherwise_the_nodes_holder() {
        let accounts = Accounts::new([
            ("s:c/ann".to_owned(), 10, Some(20), "ann"),
            ("s:c/ann".to_owned(), 33, None, "bob"),
            ("s:c/eve".to_owned(), 0, None, "eve"),
        ]);
        let node = [held(0, 40)];
        let whole = allocation("s:c/ann", 5, Some(50));
        let of = |party: &str, node: &[Interval]| {
            times(&accounts.parts_of(&whole, node, |mapped| *mapped == party))
        };
        assert_eq!(of("ann", &[]), [(10, Some(20))]);
        assert_eq!(of("bob", &[]), [(33, Some(50))]);
        // The node's holder has what is not mapped of its time.
        assert_eq!(of("host", &node), [(5, Some(10)), (20, Some(33))]);
        // To one party the change is none.
        assert_eq!(of("ann", &node), [(5, Some(33))]);
        let open = allocation("s:c/ann", 25, None);
        assert_eq!(times(&accounts.parts_of(&open, &[], |mapped| *mapped == "bob")), [(33, None)]);
        assert_eq!(times(&accounts.parts_of(&open, &node, |_| false)), [(25, Some(33))]);
        let unknown = allocation("s:c/nobody", 5, Some(50));
        assert_eq!(times(&accounts.parts_of(&unknown, &node, |_| true)), [(5, Some(40))]);
        assert_eq!(times(&accounts.parts_of(&unknown, &[], |_| true)), []);
    }

    type Fact = (i64, Option<i64>, u8);

    fn facts() -> impl Strategy<Value = Vec<Fact>> {
        let fact = (0_i64..60, prop::option::of(0_i64..80), 0_u8..3);
        prop::collection::vec(fact, 0..6)
    }

    proptest! {
        #[test]
        fn every_microsecond_is_one_partys_or_nobodys(
            facts in facts(), mut edges in prop::collection::vec(0_i64..70, 6), start_us in 0_i64..50, length_us in 1_i64..40,
        ) {
            edges.sort_unstable();
            // Each party has the node for a time; between these nobody has it.
            let nodes: Vec<Interval> = edges.chunks(2).map(|pair| held(pair[0], pair[1])).collect();
            let said = facts.iter().map(|(from, to, party)| ("a".to_owned(), *from, *to, *party));
            let accounts = Accounts::new(said);
            let whole = allocation("a", start_us, Some(start_us + length_us));
            let parts: Vec<Vec<Allocation>> = (0_u8..3)
                .map(|party| accounts.parts_of(&whole, &nodes[usize::from(party)..=usize::from(party)], |of| *of == party))
                .collect();
            for at_us in start_us..start_us + length_us {
                let owners: Vec<usize> = (0..3)
                    .filter(|party| parts[*party].iter().any(|part| part.start_us <= at_us && at_us < part.end_us.unwrap()))
                    .collect();
                let mapped = accounts.of("a").iter().find(|held| held.interval.contains(at_us));
                let expected = match mapped {
                    Some(held) => vec![usize::from(held.body)],
                    None => (0..3).filter(|party| nodes[*party].contains(at_us)).collect(),
                };
                prop_assert_eq!(owners, expected, "at {}", at_us);
            }
            let all = accounts.times_of("a", &Interval::union(nodes), |_| true);
            let held_us = |interval: Interval| whole.held(interval);
            let sum: u128 = parts.iter().flatten().map(|part| part.held(held(0, 1_000))).sum();
            prop_assert_eq!(sum, all.into_iter().map(held_us).sum::<u128>());
        }
    }
}
