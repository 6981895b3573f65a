//! Sealed days: their seals, and the blocks that lie in them.

use std::collections::BTreeMap;

use wb_events::commits::{ALL_DAYS, COMMITS_VERSION, commit_hash, encode_seal, sealed};
use wb_events::wire::Seal;
use wb_fold::merkle;
use wb_ledger::EvidenceDay;

use super::events::Commits;
use super::{Context, Fault};
use crate::build::day_leaf;
use crate::bundle::{Bundle, CommitRecord, DayBlock, Place, place_of, words};
use crate::report::{Findings, StepName};

const STEP: StepName = StepName::Days;

/// Blocks of sealed days by where they lie; a block may lie in more than one day.
pub(super) type DayBlocks<'a> = BTreeMap<Place<'a>, Vec<&'a DayBlock>>;

pub(super) fn by_place(bundle: &Bundle) -> DayBlocks<'_> {
    let mut by_place = DayBlocks::new();
    for block in &bundle.day_blocks {
        by_place.entry(place_of(&block.block)).or_default().push(block);
    }
    by_place
}

/// The days on the invoice.
type Days<'a> = BTreeMap<i32, &'a EvidenceDay>;

/// Compares seals and blocks of sealed days with the invoice's days and the commits. An invoice without days gets no
/// such step.
pub(super) fn check(context: &Context<'_>, commits: &Commits, findings: &mut Findings) {
    let (bundle, days) = (context.bundle, &context.invoice.evidence.days);
    if days.is_empty() && bundle.seals.is_empty() && bundle.day_blocks.is_empty() {
        return;
    }
    let mut by_day = Days::new();
    for day in days {
        by_day.entry(day.day).or_insert(day);
    }
    let seals = seals(context, &by_day, findings);
    blocks(context, (&by_day, &seals), commits, findings);
    let of_days = days.iter().fold(0_u64, |sum, day| sum.saturating_add(day.blocks_count));
    let text = format!(
        "their seals are those on the invoice; {} of their {of_days} blocks are here, each by its Merkle path",
        bundle.day_blocks.len()
    );
    findings.end(STEP, days.len(), text);
}

/// The seals by their days.
fn seals(context: &Context<'_>, days: &Days<'_>, findings: &mut Findings) -> BTreeMap<i32, Seal> {
    // A seal covers all topics, so a failure touches all lines.
    let lines = context.index.all();
    let mut fail = |text: String| findings.fail(STEP, Fault::Commit.code(), lines.iter().cloned(), text);
    let mut seals: BTreeMap<i32, Seal> = BTreeMap::new();
    for record in &context.bundle.seals {
        let Some(seal) = sealed(&record.record.0) else {
            fail(format!("record {} of commits is no seal", record.commit_offset));
            continue;
        };
        if seals.last_key_value().is_some_and(|(before, _)| *before >= seal.day) {
            fail(format!("the seal of day {} stands there twice, or out of order", seal.day));
        }
        match days.get(&seal.day) {
            None => {
                fail(format!("the seal of day {} is here, and the invoice does not rest on it", seal.day))
            }
            Some(day) => {
                for text in differences(day, record, &seal, context.invoice.evidence.cut) {
                    fail(text);
                }
            }
        }
        seals.entry(seal.day).or_insert(seal);
    }
    for day in days.keys().filter(|day| !seals.contains_key(day)) {
        fail(format!("the invoice rests on sealed day {day}, and its seal is missing"));
    }
    seals
}

/// How a seal differs from the invoice, or from a valid seal.
fn differences(day: &EvidenceDay, record: &CommitRecord, seal: &Seal, cut: u64) -> Vec<String> {
    let mut found = Vec::new();
    let mut fail = |is_wrong: bool, text: String| {
        if is_wrong {
            found.push(format!("the seal of day {} {text}", day.day));
        }
    };
    fail(
        record.commit_offset != day.commit_offset,
        format!("lies at offset {} here, and at {} on the invoice", record.commit_offset, day.commit_offset),
    );
    fail(
        commit_hash(&record.record.0) != *day.seal_hash.as_bytes(),
        format!("does not hash to {}, the hash on the invoice", day.seal_hash),
    );
    fail(
        record.commit_offset >= cut,
        format!(
            "lies at offset {}, and only what lies before {cut} counts for the invoice",
            record.commit_offset
        ),
    );
    fail(
        seal.blocks != day.blocks_count,
        format!("is of {} blocks, and the invoice says {}", seal.blocks, day.blocks_count),
    );
    fail(
        seal.blocks_root.as_slice() != day.blocks_root.as_bytes(),
        format!("has another root over its blocks than {}, which the invoice says", day.blocks_root),
    );
    fail(
        seal.version != COMMITS_VERSION,
        format!("is of version {}, and this program knows {COMMITS_VERSION}", seal.version),
    );
    fail(seal.day == ALL_DAYS, "is of no day".to_owned());
    fail(
        seal.cut > record.commit_offset,
        format!("holds commits below {}, and lies itself at {}", seal.cut, record.commit_offset),
    );
    // Decoders skip unknown fields; a record of this form has none.
    fail(encode_seal(seal) != record.record.0, "holds more than a seal".to_owned());
    found
}

/// Every block lies in its day, and was committed before the day was sealed.
fn blocks(
    context: &Context<'_>,
    (days, seals): (&Days<'_>, &BTreeMap<i32, Seal>),
    commits: &Commits,
    findings: &mut Findings,
) {
    let mut before: Option<&DayBlock> = None;
    for held in &context.bundle.day_blocks {
        let place = place_of(&held.block);
        let mut fail =
            |text: String| findings.fail(STEP, Fault::Commit.code(), context.index.of_topic(place.0), text);
        let what = format!("{}, at {} of sealed day {}", words(place), held.index, held.day);
        match days.get(&held.day) {
            None => fail(format!("{what}: the invoice does not rest on that day")),
            Some(day) => {
                let path: Vec<[u8; 32]> = held.path.iter().map(|hash| *hash.as_bytes()).collect();
                let root = merkle::root_of_path(&day_leaf(&held.block), held.index, day.blocks_count, &path);
                if root.as_ref() != Some(day.blocks_root.as_bytes()) {
                    fail(format!("{what}: block and path do not lead to the root over the day's blocks"));
                }
            }
        }
        if before.is_some_and(|before| before.day == held.day && place_of(&before.block) >= place) {
            fail(format!("{what}: the day's blocks are not sorted"));
        }
        before = Some(held);
        let Some(committed) = commits.get(&(place.0.to_owned(), place.1, place.2)) else {
            fail(format!("{what}: the bundle holds no commit of that block"));
            continue;
        };
        if let Some(seal) = seals.get(&held.day).filter(|seal| committed.commit_offset >= seal.cut) {
            fail(format!(
                "{what}: it is committed at offset {}, and the seal is of what was committed before {}",
                committed.commit_offset, seal.cut
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Bytes;
    use wb_ledger::Hash;

    /// A seal that agrees with the invoice in everything.
    fn told(seal: &Seal) -> (EvidenceDay, CommitRecord) {
        let record = encode_seal(seal);
        let day = EvidenceDay {
            day: seal.day,
            commit_offset: 40,
            seal_hash: Hash::from_bytes(commit_hash(&record)),
            blocks_count: seal.blocks,
            blocks_root: Hash::ZERO,
        };
        (day, CommitRecord { commit_offset: 40, record: Bytes(record) })
    }

    #[test]
    fn only_a_day_has_blocks() {
        let blocks_root = Hash::ZERO.as_bytes().to_vec();
        let seal = Seal {
            version: COMMITS_VERSION,
            day: 14_253,
            cut: 40,
            blocks: 3,
            blocks_root,
            ..Seal::default()
        };
        let found = |seal: &Seal, cut| {
            let (day, record) = told(seal);
            differences(&day, &record, seal, cut)
        };
        assert_eq!(found(&seal, 41), [""; 0]);
        let of_all = Seal { day: ALL_DAYS, ..seal.clone() };
        assert_eq!(found(&of_all, 41), [format!("the seal of day {ALL_DAYS} is of no day")]);
        // The bounds: a seal lies below the invoice's cut, and not below its own.
        assert_eq!(found(&seal, 40).len(), 1);
        assert_eq!(found(&Seal { cut: 41, ..seal.clone() }, 41).len(), 1);
        assert_eq!(found(&Seal { blocks_root: vec![0; 31], ..seal }, 41).len(), 1);
    }
}
