//! The truth, computed from the generated events alone, and its difference from what readers see.
//!
//! Architecture invariant: nothing here shares code with the fold or the aggregator; the truth follows from the
//! generator, never from the product.

use std::collections::{BTreeMap, BTreeSet};

/// The settlement interval, in microseconds.
const INTERVAL_US: i64 = 300_000_000;
/// The most differences that are listed.
const TOLD_MAX: usize = 40;

/// The identity of an event: source, key, source epoch and sequence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub source: String,
    /// The key of its sequence.
    pub key: String,
    /// The epoch of its sequence.
    pub epoch: u64,
    /// The sequence.
    pub sequence: u64,
}

/// The tables that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Shares that count.
    Shares,
    /// Shares that were refused, with the reason.
    Refused,
    /// Register readings.
    Energy,
    /// Miner samples.
    Samples,
    /// GPU spans.
    Spans,
    Facts,
}

/// Every table.
pub const TABLES: [Table; 6] =
    [Table::Shares, Table::Refused, Table::Energy, Table::Samples, Table::Spans, Table::Facts];

/// A record that no ingest of the stack wrote.
#[derive(Debug, Clone)]
pub struct Stray {
    /// The code under which it must be quarantined.
    pub code: &'static str,
    /// Whether the broker acknowledged it; otherwise it may be there or not.
    pub acknowledged: bool,
}

/// Everything that must come out.
#[derive(Debug, Default)]
pub struct Truth {
    rows: BTreeMap<Table, BTreeMap<Identity, String>>,
    work: BTreeMap<(String, i64), (u64, u128)>,
    conflicts: BTreeSet<Identity>,
    strays: BTreeMap<String, Stray>,
}

impl Truth {
    /// An event of a table, with the content that its row must have.
    pub fn expect(&mut self, table: Table, identity: Identity, content: String) {
        self.rows.entry(table).or_default().insert(identity, content);
    }

    /// A share that counts.
    pub fn expect_share(
        &mut self,
        identity: Identity,
        machine: &str,
        event_time_us: i64,
        credited_q32: u128,
    ) {
        let interval_us = event_time_us.div_euclid(INTERVAL_US).saturating_mul(INTERVAL_US);
        let sum = self.work.entry((machine.to_owned(), interval_us)).or_default();
        sum.0 = sum.0.saturating_add(1);
        sum.1 = sum.1.saturating_add(credited_q32);
        self.expect(Table::Shares, identity, format!("{machine} {interval_us} {credited_q32}"));
    }

    /// An event whose identity came before with other content.
    pub fn expect_conflict(&mut self, identity: Identity) {
        self.conflicts.insert(identity);
    }

    /// Such a record, by its bytes in upper-case hex.
    pub fn expect_stray(&mut self, hex: String, stray: Stray) {
        self.strays.insert(hex, stray);
    }

    /// Events that must count.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        let counted = self.rows.iter().filter(|(table, _)| **table != Table::Refused);
        counted.map(|(_, rows)| length(rows.len())).sum()
    }

    /// All events that must be found somewhere.
    #[must_use]
    pub fn events(&self) -> u64 {
        let refused = self.rows.get(&Table::Refused).map_or(0, |rows| length(rows.len()));
        self.accepted() + refused + length(self.conflicts.len()) + length(self.strays.len())
    }
}

fn length(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// A quarantined row.
#[derive(Debug, Clone)]
pub struct Quarantined {
    pub code: String,
    /// The original bytes, in upper-case hex.
    pub original: String,
}

/// What readers see: rows of committed attempts alone.
#[derive(Debug, Default)]
pub struct Seen {
    /// Rows with their content.
    pub rows: BTreeMap<Table, Vec<(Identity, String)>>,
    /// Accepted shares and work by machine and interval.
    pub work: BTreeMap<(String, i64), (u64, u128)>,
    pub quarantine: Vec<Quarantined>,
    /// Sums over the manifest: events, accepted, duplicate, rejected.
    pub manifest: [u64; 4],
    /// The same sums over the counts of the blocks.
    pub counts: [u64; 4],
    /// Committed blocks.
    pub blocks: u64,
    /// Events in the log, counted from the frames themselves.
    pub log_events: u64,
}

/// The difference of what is seen from the truth.
#[derive(Debug, Default, Clone)]
pub struct Difference {
    /// Events that must be there and are not.
    pub lost: u64,
    /// Rows too many.
    pub doubled: u64,
    /// The first differences, as text.
    pub told: Vec<String>,
}

impl Difference {
    fn lose(&mut self, number: u64, what: String) {
        self.lost = self.lost.saturating_add(number);
        self.tell(what);
    }

    fn double(&mut self, number: u64, what: String) {
        self.doubled = self.doubled.saturating_add(number);
        self.tell(what);
    }

    fn tell(&mut self, what: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }

    /// Whether there is no difference.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.told.is_empty()
    }
}

#[must_use]
pub fn compare(truth: &Truth, seen: &Seen) -> Difference {
    let mut difference = Difference::default();
    for table in TABLES {
        compare_rows(truth, seen, table, &mut difference);
    }
    compare_work(truth, seen, &mut difference);
    let quarantined = compare_quarantine(truth, seen, &mut difference);
    let refused = seen.rows.get(&Table::Refused).map_or(0, |rows| length(rows.len()));
    for (name, [events, accepted, duplicate, rejected]) in
        [("manifest", seen.manifest), ("block_counts", seen.counts)]
    {
        if accepted + duplicate + rejected != events {
            difference.tell(format!("{name}: {accepted} + {duplicate} + {rejected} is not {events}"));
        }
        if events != seen.log_events {
            difference.tell(format!("{name} has {events} events, the log holds {}", seen.log_events));
        }
        let expected = truth.accepted();
        if accepted < expected {
            difference.lose(expected - accepted, format!("{name}: {accepted} accepted, not {expected}"));
        }
        if accepted > expected {
            difference.double(accepted - expected, format!("{name}: {accepted} accepted, not {expected}"));
        }
        if rejected != refused + quarantined {
            difference.tell(format!(
                "{name}: {rejected} rejected, but {refused} refused shares and {quarantined} in the quarantine"
            ));
        }
    }
    difference
}

fn compare_rows(truth: &Truth, seen: &Seen, table: Table, difference: &mut Difference) {
    let empty = BTreeMap::new();
    let expected = truth.rows.get(&table).unwrap_or(&empty);
    let mut found: BTreeMap<&Identity, u64> = BTreeMap::new();
    for (identity, content) in seen.rows.get(&table).map(Vec::as_slice).unwrap_or_default() {
        match expected.get(identity) {
            Some(wanted) if wanted == content => *found.entry(identity).or_default() += 1,
            Some(wanted) => {
                difference.double(1, format!("{table:?} {identity:?} says {content:?}, not {wanted:?}"));
            }
            None => difference.double(1, format!("{table:?} {identity:?} {content:?} was never sent")),
        }
    }
    for identity in expected.keys() {
        match found.get(identity).copied().unwrap_or(0) {
            1 => {}
            0 => difference.lose(1, format!("{table:?} {identity:?} is lost")),
            rows => difference.double(rows - 1, format!("{table:?} {identity:?} is there {rows} times")),
        }
    }
}

fn compare_work(truth: &Truth, seen: &Seen, difference: &mut Difference) {
    let places: BTreeSet<&(String, i64)> = truth.work.keys().chain(seen.work.keys()).collect();
    for place in places {
        let expected = truth.work.get(place).copied().unwrap_or_default();
        let found = seen.work.get(place).copied().unwrap_or_default();
        if expected == found {
            continue;
        }
        let what = format!("work of {place:?} is {found:?}, not {expected:?}");
        if found.1 < expected.1 {
            difference.lose(expected.0.saturating_sub(found.0).max(1), what);
        } else {
            difference.double(found.0.saturating_sub(expected.0).max(1), what);
        }
    }
}

/// Returns how many rows the quarantine has.
fn compare_quarantine(truth: &Truth, seen: &Seen, difference: &mut Difference) -> u64 {
    let mut strays: BTreeMap<&str, u64> = BTreeMap::new();
    let mut conflicts: BTreeSet<&str> = BTreeSet::new();
    for row in &seen.quarantine {
        match truth.strays.get(&row.original) {
            Some(stray) if stray.code == row.code => *strays.entry(&row.original).or_default() += 1,
            None if row.code == "WB-4011" => {
                conflicts.insert(&row.original);
            }
            _ => difference.double(1, format!("in the quarantine without a reason: {row:?}")),
        }
    }
    for (original, stray) in &truth.strays {
        match strays.get(original.as_str()).copied().unwrap_or(0) {
            1 => {}
            0 if !stray.acknowledged => {}
            0 => difference.lose(1, format!("a stranger's record {original} is lost")),
            rows => {
                difference.double(rows - 1, format!("a stranger's record {original} is there {rows} times"))
            }
        }
    }
    let (found, expected) = (length(conflicts.len()), length(truth.conflicts.len()));
    if found < expected {
        difference.lose(expected - found, format!("{found} conflicts, not {expected}"));
    }
    if found > expected {
        difference.double(found - expected, format!("{found} conflicts, not {expected}"));
    }
    length(seen.quarantine.len())
}

/// The rows of an arm against the log: rows by place (topic, partition, offset, index in the frame).
#[must_use]
pub fn compare_arm(
    log: &BTreeSet<(String, u32, u64, u32)>,
    rows: &BTreeMap<(String, u32, u64, u32), u64>,
) -> Difference {
    let mut difference = Difference::default();
    for place in log {
        match rows.get(place).copied().unwrap_or(0) {
            1 => {}
            0 => difference.lose(1, format!("{place:?} is lost")),
            count => difference.double(count - 1, format!("{place:?} is there {count} times")),
        }
    }
    for (place, count) in rows.iter().filter(|(place, _)| !log.contains(*place)) {
        difference.double(*count, format!("{place:?} is in no log"));
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(sequence: u64) -> Identity {
        Identity { source: "s".to_owned(), key: "k".to_owned(), epoch: 1, sequence }
    }

    /// One share and what must be seen of it.
    fn one_share() -> (Truth, Seen) {
        let mut truth = Truth::default();
        truth.expect_share(identity(1), "m", 300_000_001, 16);
        let sums = [2, 1, 1, 0];
        let seen = Seen {
            rows: BTreeMap::from([(Table::Shares, vec![(identity(1), "m 300000000 16".to_owned())])]),
            work: BTreeMap::from([(("m".to_owned(), 300_000_000), (1, 16))]),
            manifest: sums,
            counts: sums,
            log_events: 2,
            ..Seen::default()
        };
        (truth, seen)
    }

    #[test]
    fn the_truth_differs_from_nothing_but_itself() {
        let (truth, seen) = one_share();
        let difference = compare(&truth, &seen);
        assert!(difference.is_none(), "{difference:?}");
    }

    #[test]
    fn every_difference_is_found() {
        let changes: [fn(&mut Seen); 8] = [
            |seen| seen.rows.clear(),
            |seen| {
                let rows = seen.rows.entry(Table::Shares).or_default();
                let again = rows.clone();
                rows.extend(again);
            },
            |seen| seen.rows.entry(Table::Energy).or_default().push((identity(9), String::new())),
            |seen| {
                seen.work.insert(("m".to_owned(), 300_000_000), (1, 17));
            },
            |seen| seen.manifest = [2, 2, 0, 0],
            |seen| seen.counts = [3, 1, 1, 0],
            |seen| seen.log_events = 3,
            |seen| {
                let (code, original) = ("WB-4002".to_owned(), "00".to_owned());
                seen.quarantine.push(Quarantined { code, original });
            },
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let (truth, mut seen) = one_share();
            change(&mut seen);
            assert!(!compare(&truth, &seen).is_none(), "change {index}");
        }
    }

    #[test]
    fn an_arm_is_compared_place_by_place() {
        let place = |offset| ("shares".to_owned(), 0, offset, 0);
        let log = BTreeSet::from([place(1), place(2)]);
        let rows = BTreeMap::from([(place(2), 3), (place(7), 1)]);
        let difference = compare_arm(&log, &rows);
        assert_eq!((difference.lost, difference.doubled), (1, 3));
    }
}
