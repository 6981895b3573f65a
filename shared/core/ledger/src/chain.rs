//! The chain of winning records.
//!
//! Each record carries the hash of the winning record before it. Of all records with the same predecessor, the one
//! with the lowest offset wins; a record with any other predecessor than the current head loses. All readers of the
//! log find the same winners, so no lock, lease or transaction is needed: a writer appends, reads back, and acts only
//! if it won.

use crate::hash::Hash;
use crate::record::{LedgerRecord, RecordError};

/// The chain as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    head: Hash,
    next_offset: u64,
}

/// What a record of the log is to the chain.
#[derive(Debug)]
pub enum Applied {
    /// It is the new head.
    Won { hash: Hash, record: Box<LedgerRecord> },
    /// Its predecessor is not, or no longer, the head. Nothing of it counts.
    Lost {
        hash: Hash,
        /// Its predecessor.
        predecessor: Hash,
    },
    /// It is no record. Nothing of it counts, for any reader of the log.
    Invalid(RecordError),
}

impl Chain {
    /// The hash of the last winning record, zero where there is none.
    #[must_use]
    pub fn head(&self) -> Hash {
        self.head
    }

    /// The offset from which the log is still to be read.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Takes the next record of the log.
    pub fn apply(&mut self, offset: u64, bytes: &[u8]) -> Applied {
        if offset < self.next_offset {
            return Applied::Invalid(RecordError::OutOfOrder { offset, next: self.next_offset });
        }
        self.next_offset = offset.saturating_add(1);
        let record = match LedgerRecord::from_bytes(bytes) {
            Ok(record) => record,
            Err(error) => return Applied::Invalid(error),
        };
        let hash = Hash::of(bytes);
        if record.predecessor != self.head {
            return Applied::Lost { hash, predecessor: record.predecessor };
        }
        self.head = hash;
        Applied::Won { hash, record: Box::new(record) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn record(predecessor: Hash, name: &str) -> Vec<u8> {
        LedgerRecord::new(predecessor, "test", json!({ "name": name }), "w", "y", 1).to_bytes().unwrap()
    }

    #[test]
    fn the_lowest_offset_of_one_predecessor_wins() {
        let (first, rival) = (record(Hash::ZERO, "first"), record(Hash::ZERO, "rival"));
        let second = record(Hash::of(&first), "second");
        let of_the_rival = record(Hash::of(&rival), "of the rival");
        let mut chain = Chain::default();
        assert!(matches!(chain.apply(0, &first), Applied::Won { .. }));
        assert!(matches!(chain.apply(1, &rival), Applied::Lost { .. }));
        assert!(matches!(chain.apply(2, &of_the_rival), Applied::Lost { .. }));
        assert!(matches!(chain.apply(3, b"{}"), Applied::Invalid(_)));
        // A repeat of the winner, as a retried delivery leaves it, is one more loser.
        assert!(matches!(chain.apply(4, &first), Applied::Lost { .. }));
        // Offsets may have holes.
        assert!(matches!(chain.apply(9, &second), Applied::Won { .. }));
        assert!(matches!(chain.apply(9, &second), Applied::Invalid(RecordError::OutOfOrder { .. })));
        assert_eq!((chain.head(), chain.next_offset()), (Hash::of(&second), 10));
    }

    #[test]
    fn what_is_no_record_is_named() {
        let good = String::from_utf8(record(Hash::ZERO, "x")).unwrap();
        let mut chain = Chain::default();
        for (bytes, code) in [
            (good.replace("\"form\":1", "\"form\":2"), "WB-5312"),
            (good.replace("\"why\"", "\"yhw\""), "WB-5311"),
            (good.replace("\"why\"", "\"a\""), "WB-5310"),
            (good.replace("{\"at_us\"", "{ \"at_us\""), "WB-5310"),
            (good.replace("000", "00A"), "WB-5311"),
            ("x".repeat(crate::RECORD_BYTES_MAX + 1), "WB-5313"),
        ] {
            let Applied::Invalid(error) = chain.apply(chain.next_offset(), bytes.as_bytes()) else {
                panic!("{} was taken", &bytes[..80.min(bytes.len())])
            };
            assert_eq!(error.code(), code, "{error}");
        }
        assert_eq!(chain.head(), Hash::ZERO);
    }

    proptest! {
        /// Writers that append after heads of any age: the winners form one chain, and each link is
        /// the lowest offset of its predecessor.
        #[test]
        fn stale_writers_never_fork(ages in prop::collection::vec(0_usize..4, 1..40)) {
            let mut log: Vec<Vec<u8>> = Vec::new();
            let mut heads = vec![Hash::ZERO];
            let mut writer = Chain::default();
            for (index, age) in ages.iter().enumerate() {
                let seen = heads[heads.len() - 1 - (*age).min(heads.len() - 1)];
                let bytes = record(seen, &index.to_string());
                if matches!(writer.apply(u64::try_from(index).unwrap(), &bytes), Applied::Won { .. }) {
                    heads.push(writer.head());
                }
                log.push(bytes);
            }
            let mut expected = vec![Hash::ZERO];
            while let Some(next) = log.iter().find(|bytes| LedgerRecord::from_bytes(bytes).unwrap().predecessor == expected[expected.len() - 1]) {
                expected.push(Hash::of(next));
            }
            prop_assert_eq!(heads, expected);
        }
    }
}
