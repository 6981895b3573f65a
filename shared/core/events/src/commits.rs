//! The `commits` topic: one chain of commits per event partition. A commit carries the hash of the winning commit
//! before it; of all commits with one predecessor the one with the lowest offset wins. The seals of a day are one
//! more chain by the same rule. An alarm stands from its record until a later record clears it; it changes nothing
//! that was committed.

use std::collections::BTreeMap;

use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::wire::commits_record::Record;
use crate::wire::{Alarm, Commit, CommitsRecord, Pin, Seal};

/// The form of records that this code writes.
pub const COMMITS_VERSION: u32 = 1;

/// The predecessor of a chain's first commit.
pub const CHAIN_START: [u8; 32] = [0; 32];

/// The day of a seal that stands for all days. Everything committed before its cut lies in the seals of its days.
/// Each of these has the same cut, or a lower one with no block of the day between the two. This seal has no rows. A
/// reader below its cut need not look for later blocks of a day.
pub const ALL_DAYS: i32 = i32::MIN;

/// A partition of an event topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
}

impl TopicPartition {
    /// Makes one.
    #[must_use]
    pub fn new(topic: &str, partition: u32) -> Self {
        Self { topic: topic.to_owned(), partition }
    }
}

/// Encodes a commit as a record of the topic.
#[must_use]
pub fn encode_commit(commit: &Commit) -> Vec<u8> {
    CommitsRecord { record: Some(Record::Commit(commit.clone())) }.encode_to_vec()
}

/// Encodes the pin as a record of the topic.
#[must_use]
pub fn encode_pin(pin: &Pin) -> Vec<u8> {
    CommitsRecord { record: Some(Record::Pin(pin.clone())) }.encode_to_vec()
}

/// Encodes a seal as a record of the topic.
#[must_use]
pub fn encode_seal(seal: &Seal) -> Vec<u8> {
    CommitsRecord { record: Some(Record::Seal(seal.clone())) }.encode_to_vec()
}

/// The seal in a record of the topic, if it is one.
#[must_use]
pub fn sealed(record: &[u8]) -> Option<Seal> {
    match CommitsRecord::decode(record).ok()?.record? {
        Record::Seal(seal) => Some(seal),
        _ => None,
    }
}

/// Encodes an alarm, or the record that clears it.
#[must_use]
pub fn encode_alarm(alarm: &Alarm) -> Vec<u8> {
    CommitsRecord { record: Some(Record::Alarm(alarm.clone())) }.encode_to_vec()
}

/// The hash of a record of the topic, as its successor carries it.
#[must_use]
pub fn commit_hash(record: &[u8]) -> [u8; 32] {
    Sha256::digest(record).into()
}

/// A commit that won.
#[derive(Debug, Clone, PartialEq)]
pub struct WonCommit {
    /// Its offset in `commits`.
    pub commit_offset: u64,
    /// The hash its successor must carry.
    pub commit_hash: [u8; 32],
    /// What it says.
    pub commit: Commit,
}

/// A seal that won: its rows stand for all blocks of its day that were committed before its cut.
#[derive(Debug, Clone, PartialEq)]
pub struct WonSeal {
    /// Its offset in `commits`.
    pub commit_offset: u64,
    /// The hash that the day's next seal must carry.
    pub seal_hash: [u8; 32],
    /// What it says.
    pub seal: Seal,
}

/// What counts from a record on.
#[derive(Debug, Clone, PartialEq)]
pub enum Won {
    /// A commit: it is now the head of its chain.
    Commit(WonCommit),
    /// A seal: it is now the one of its day.
    Seal(WonSeal),
}

impl Won {
    /// Its offset in `commits`.
    #[must_use]
    pub fn commit_offset(&self) -> u64 {
        match self {
            Self::Commit(commit) => commit.commit_offset,
            Self::Seal(seal) => seal.commit_offset,
        }
    }
}

/// What a record of the topic turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// The pin that counts: the first one.
    Pinned,
    /// A commit or seal that won.
    Won(Box<Won>),
    /// A commit, seal or pin that came too late; it changes nothing.
    Lost,
    /// An alarm that was raised or cleared, or one beside the alarm that stands.
    Alarm,
}

/// Why the aggregator must stop committing.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitsError {
    /// The record is not of this topic.
    #[code("WB-4101")]
    #[error("record {offset} of commits is not a record of that topic: {detail}")]
    Undecodable {
        /// Its offset.
        offset: u64,
        /// What the decoder said.
        detail: String,
    },
    /// The record has a form that this program does not know.
    #[code("WB-4103")]
    #[error(
        "record {offset} of commits has version {version}, this program knows versions up to \
         {COMMITS_VERSION}: start a program that is at least as new as the one that wrote it"
    )]
    UnknownVersion {
        /// Its offset.
        offset: u64,
        /// Its version.
        version: u32,
    },
    /// Two attempts of one block folded to different content.
    #[code("WB-4102")]
    #[error(
        "block {block} of {topic}/{partition} was committed with two different content hashes, \
         at offsets {first} and {second}: the fold was not the same; committing stops until this is explained"
    )]
    Contradiction {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The block.
        block: u64,
        /// The offset of the winner.
        first: u64,
        /// The offset of the other.
        second: u64,
    },
}

/// The state of all chains, folded from the topic in offset order.
#[derive(Debug, Clone, Default)]
pub struct Chains {
    pin: Option<Pin>,
    heads: BTreeMap<TopicPartition, WonCommit>,
    seals: BTreeMap<i32, WonSeal>,
    alarm: Option<(u64, Alarm)>,
    next_offset: u64,
}

impl Chains {
    /// The pin, once the first record was read.
    #[must_use]
    pub fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// The latest winning commit of a partition.
    #[must_use]
    pub fn head(&self, partition: &TopicPartition) -> Option<&WonCommit> {
        self.heads.get(partition)
    }

    /// All heads, in the order of topic and partition.
    pub fn heads(&self) -> impl Iterator<Item = (&TopicPartition, &WonCommit)> {
        self.heads.iter()
    }

    /// The seal that counts for a day, counted since 1970-01-01 UTC.
    #[must_use]
    pub fn seal(&self, day: i32) -> Option<&WonSeal> {
        self.seals.get(&day)
    }

    /// The seals that count, in the order of their days.
    pub fn seals(&self) -> impl Iterator<Item = &WonSeal> {
        self.seals.values()
    }

    /// The alarm that stands, with its offset: the first one that was not cleared.
    #[must_use]
    pub fn alarm(&self) -> Option<&(u64, Alarm)> {
        self.alarm.as_ref()
    }

    /// One past the last offset that was applied.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// The hash that the next commit of a partition must carry as its predecessor.
    #[must_use]
    pub fn predecessor(&self, partition: &TopicPartition) -> [u8; 32] {
        self.heads.get(partition).map_or(CHAIN_START, |head| head.commit_hash)
    }

    /// Applies the record at an offset.
    ///
    /// # Errors
    /// [`CommitsError::Undecodable`] for what is no such record, [`CommitsError::UnknownVersion`],
    /// [`CommitsError::Contradiction`] where a loser of the head's own block has another content hash.
    pub fn apply(&mut self, offset: u64, record: &[u8]) -> Result<Applied, CommitsError> {
        let decoded = CommitsRecord::decode(record)
            .map_err(|error| CommitsError::Undecodable { offset, detail: error.to_string() })?;
        let Some(decoded) = decoded.record else {
            return Err(CommitsError::Undecodable { offset, detail: "it is empty".to_owned() });
        };
        let version = match &decoded {
            Record::Pin(pin) => pin.version,
            Record::Commit(commit) => commit.version,
            Record::Seal(seal) => seal.version,
            Record::Alarm(alarm) => alarm.version,
        };
        if version > COMMITS_VERSION {
            return Err(CommitsError::UnknownVersion { offset, version });
        }
        let applied = match decoded {
            Record::Pin(pin) => {
                if self.pin.is_none() {
                    self.pin = Some(pin);
                    Applied::Pinned
                } else {
                    Applied::Lost
                }
            }
            Record::Commit(commit) => self.apply_commit(offset, record, commit)?,
            Record::Seal(seal) => self.apply_seal(offset, record, seal),
            Record::Alarm(alarm) => {
                if alarm.cleared {
                    self.alarm = None;
                } else if self.alarm.is_none() {
                    self.alarm = Some((offset, alarm));
                }
                Applied::Alarm
            }
        };
        self.next_offset = offset.saturating_add(1);
        Ok(applied)
    }

    /// Whether a commit continues its chain: the next block, from the next offset.
    fn continues(&self, chain: &TopicPartition, commit: &Commit) -> bool {
        let next = self
            .heads
            .get(chain)
            .map_or((0, 0), |head| (head.commit.block.saturating_add(1), head.commit.end_offset));
        (commit.block, commit.first_offset) == next && commit.end_offset > commit.first_offset
    }

    /// A seal wins if it follows its day's seal, holds more than that one, and holds only what is committed before
    /// it.
    fn apply_seal(&mut self, offset: u64, record: &[u8], seal: Seal) -> Applied {
        let before = self.seals.get(&seal.day);
        let predecessor = before.map_or(CHAIN_START, |won| won.seal_hash);
        let grows = before.is_none_or(|won| won.seal.cut < seal.cut);
        if seal.predecessor != predecessor || !grows || seal.cut > offset {
            return Applied::Lost;
        }
        let won = WonSeal { commit_offset: offset, seal_hash: commit_hash(record), seal };
        self.seals.insert(won.seal.day, won.clone());
        Applied::Won(Box::new(Won::Seal(won)))
    }

    fn apply_commit(&mut self, offset: u64, record: &[u8], commit: Commit) -> Result<Applied, CommitsError> {
        let chain = TopicPartition::new(&commit.topic, commit.partition);
        if commit.predecessor == self.predecessor(&chain) && self.continues(&chain, &commit) {
            let won = WonCommit { commit_offset: offset, commit_hash: commit_hash(record), commit };
            self.heads.insert(chain, won.clone());
            return Ok(Applied::Won(Box::new(Won::Commit(won))));
        }
        match self.heads.get(&chain) {
            Some(head)
                if head.commit.block == commit.block && head.commit.content_hash != commit.content_hash =>
            {
                Err(CommitsError::Contradiction {
                    topic: chain.topic.clone(),
                    partition: chain.partition,
                    block: commit.block,
                    first: head.commit_offset,
                    second: offset,
                })
            }
            _ => Ok(Applied::Lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(block: u64, attempt: u64, predecessor: [u8; 32], content: u8) -> Commit {
        Commit {
            version: COMMITS_VERSION,
            topic: "shares".into(),
            block,
            attempt,
            predecessor: predecessor.to_vec(),
            content_hash: vec![content; 32],
            first_offset: block * 10,
            end_offset: block * 10 + 10,
            ..Commit::default()
        }
    }

    #[test]
    fn the_earliest_commit_of_a_predecessor_wins() {
        let mut chains = Chains::default();
        let first = encode_commit(&commit(0, 1, CHAIN_START, 9));
        assert!(matches!(chains.apply(0, &first).unwrap(), Applied::Won(_)));
        let zombie = encode_commit(&commit(0, 2, CHAIN_START, 9));
        assert_eq!(chains.apply(1, &zombie).unwrap(), Applied::Lost);
        let second = encode_commit(&commit(1, 3, commit_hash(&first), 4));
        assert!(matches!(chains.apply(2, &second).unwrap(), Applied::Won(_)));
        let stale = encode_commit(&commit(1, 4, commit_hash(&zombie), 4));
        assert_eq!(chains.apply(3, &stale).unwrap(), Applied::Lost, "it follows a loser");
        let head = chains.head(&TopicPartition::new("shares", 0)).unwrap();
        assert_eq!((head.commit_offset, head.commit.attempt), (2, 3));
        assert_eq!(chains.next_offset(), 4);
    }

    #[test]
    fn a_commit_that_leaves_a_gap_changes_nothing() {
        let mut chains = Chains::default();
        let first = encode_commit(&commit(0, 1, CHAIN_START, 9));
        chains.apply(0, &first).unwrap();
        let skips = commit(2, 1, commit_hash(&first), 9);
        assert_eq!(chains.apply(1, &encode_commit(&skips)).unwrap(), Applied::Lost);
        let mut torn = commit(1, 1, commit_hash(&first), 9);
        torn.first_offset = 11;
        assert_eq!(chains.apply(2, &encode_commit(&torn)).unwrap(), Applied::Lost);
        let next = commit(1, 1, commit_hash(&first), 9);
        assert!(matches!(chains.apply(3, &encode_commit(&next)).unwrap(), Applied::Won(_)));
    }

    #[test]
    fn two_contents_of_one_block_stop_committing() {
        let mut chains = Chains::default();
        chains.apply(0, &encode_commit(&commit(0, 1, CHAIN_START, 9))).unwrap();
        let other = encode_commit(&commit(0, 2, CHAIN_START, 8));
        assert!(matches!(chains.apply(1, &other), Err(CommitsError::Contradiction { .. })));
    }

    #[test]
    fn of_two_seals_of_a_day_the_earlier_counts_and_the_next_must_hold_more() {
        let mut chains = Chains::default();
        let seal = |day, tag, cut, predecessor: [u8; 32]| {
            encode_seal(&Seal {
                version: COMMITS_VERSION,
                day,
                seal: tag,
                cut,
                predecessor: predecessor.to_vec(),
                ..Seal::default()
            })
        };
        let first = seal(20_000, 1, 5, CHAIN_START);
        assert!(matches!(chains.apply(10, &first).unwrap(), Applied::Won(_)));
        for (why, record) in [
            ("a rival of the first", seal(20_000, 2, 6, CHAIN_START)),
            ("no more than the first", seal(20_000, 3, 5, commit_hash(&first))),
            ("a cut after itself", seal(20_000, 4, 99, commit_hash(&first))),
            ("another day's predecessor", seal(20_001, 5, 6, commit_hash(&first))),
        ] {
            assert_eq!(chains.apply(11, &record).unwrap(), Applied::Lost, "{why}");
        }
        let second = seal(20_000, 6, 11, commit_hash(&first));
        assert!(matches!(chains.apply(12, &second).unwrap(), Applied::Won(_)));
        assert!(matches!(chains.apply(13, &seal(20_001, 7, 11, CHAIN_START)).unwrap(), Applied::Won(_)));
        assert_eq!(chains.seal(20_000).unwrap().seal.seal, 6);
        assert_eq!(chains.seals().count(), 2);
    }

    #[test]
    fn the_first_alarm_stands_until_it_is_cleared() {
        let mut chains = Chains::default();
        let alarm = |detail: &str, cleared| {
            encode_alarm(&Alarm { detail: detail.into(), cleared, ..Alarm::default() })
        };
        assert!(chains.alarm().is_none());
        for (offset, record) in (0..).zip([alarm("first", false), alarm("second", false)]) {
            assert_eq!(chains.apply(offset, &record).unwrap(), Applied::Alarm);
        }
        let standing = chains.alarm().unwrap();
        assert_eq!((standing.0, standing.1.detail.as_str()), (0, "first"));
        chains.apply(2, &alarm("", true)).unwrap();
        assert!(chains.alarm().is_none());
        chains.apply(3, &alarm("third", false)).unwrap();
        assert_eq!(chains.alarm().unwrap().1.detail, "third");
    }

    #[test]
    fn only_the_first_pin_counts() {
        let mut chains = Chains::default();
        let pin = |byte| Pin { version: 1, log_id: vec![byte; 16], ..Pin::default() };
        assert_eq!(chains.apply(0, &encode_pin(&pin(1))).unwrap(), Applied::Pinned);
        assert_eq!(chains.apply(1, &encode_pin(&pin(2))).unwrap(), Applied::Lost);
        assert_eq!(chains.pin().unwrap().log_id, vec![1; 16]);
        assert!(chains.apply(2, b"").is_err());
    }

    #[test]
    fn a_pin_is_written_and_read_as_it_always_is() {
        let bytes =
            b"\x0a\x14\x08\x01\x12\x02\x07\x07\x1a\x0a\x0a\x03gpu\x10\x04\x1a\x01\x09\x20\x01".as_slice();
        let mut chains = Chains::default();
        assert_eq!(chains.apply(0, bytes).unwrap(), Applied::Pinned);
        let topic = crate::wire::TopicPin { topic: "gpu".into(), partitions: 4, topic_id: vec![9] };
        let pin = Pin { version: 1, log_id: vec![7, 7], topics: vec![topic], first_fold_version: 1 };
        assert_eq!(chains.pin(), Some(&pin));
        assert_eq!(encode_pin(&pin), bytes);
    }

    #[test]
    fn a_record_of_a_newer_version_stops_committing() {
        let newer = COMMITS_VERSION + 1;
        for record in [
            encode_pin(&Pin { version: newer, ..Pin::default() }),
            encode_commit(&Commit { version: newer, ..commit(0, 1, CHAIN_START, 9) }),
            encode_seal(&Seal { version: newer, ..Seal::default() }),
            encode_alarm(&Alarm { version: newer, ..Alarm::default() }),
        ] {
            let mut chains = Chains::default();
            let error = chains.apply(7, &record).unwrap_err();
            assert_eq!(error, CommitsError::UnknownVersion { offset: 7, version: newer });
            assert!(error.to_string().contains("WB-4103"), "{error}");
            assert_eq!((chains.next_offset(), chains.pin()), (0, None), "nothing of it is applied");
        }
    }
}
