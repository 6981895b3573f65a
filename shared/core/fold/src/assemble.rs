//! Where blocks begin and end. It follows from the log alone.

use wb_events::frame::{self, FrameError, FrameKey};

/// A block closes at the frame that reaches this many events.
pub const BLOCK_EVENTS_MAX: usize = 65_536;
/// A block closes at the frame that reaches this many bytes, decoded.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A record as it was read from a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    pub offset: u64,
    /// When the broker appended it, UTC microseconds.
    pub append_time_us: i64,
    pub payload: Vec<u8>,
}

/// A record of a block: its events, or its error and bytes where it is not a frame.
#[derive(Debug, Clone)]
pub struct BlockRecord {
    pub offset: u64,
    /// When the broker appended it, UTC microseconds.
    pub append_time_us: i64,
    /// The encoded events, or the error and the whole payload.
    pub events: Result<Vec<Vec<u8>>, (FrameError, Vec<u8>)>,
}

/// The records of one block.
#[derive(Debug, Clone)]
pub struct ClosedBlock {
    /// Offset of its first record.
    pub first_offset: u64,
    /// One past its last record.
    pub end_offset: u64,
    /// The records that hold events; punctuations are left out.
    pub records: Vec<BlockRecord>,
    /// All its records as they stand in the log, for the archive.
    pub log: Vec<LogRecord>,
    /// The version of the rules that holds from the next block on, where a record of this block
    /// switches it.
    pub fold_switch: Option<u32>,
    /// SHA-256 of its last record.
    pub last_frame_hash: [u8; 32],
}

impl ClosedBlock {
    /// The append time of its first record with events, `None` where it has none.
    #[must_use]
    pub fn first_append_time_us(&self) -> Option<i64> {
        self.records.first().map(|record| record.append_time_us)
    }

    /// The stored bytes of everything that counts as one event, in log order: exactly the leaves of the block's
    /// Merkle tree. A record that is not a frame counts as one event, whole.
    pub fn stored(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().flat_map(|record| match &record.events {
            Ok(events) => events.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            Err((_, original)) => vec![original.as_slice()],
        })
    }
}

/// Collects records until a block is closed.
#[derive(Debug)]
pub struct Assembler {
    key: FrameKey,
    first_offset: u64,
    next_offset: u64,
    records: Vec<BlockRecord>,
    log: Vec<LogRecord>,
    fold_switch: Option<u32>,
    events: usize,
    bytes: usize,
}

impl Assembler {
    /// Starts with an empty block at an offset.
    #[must_use]
    pub fn new(first_offset: u64, key: FrameKey) -> Self {
        Self {
            key,
            first_offset,
            next_offset: first_offset,
            records: Vec::new(),
            log: Vec::new(),
            fold_switch: None,
            events: 0,
            bytes: 0,
        }
    }

    /// Offset of the open block's first record.
    #[must_use]
    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// Whether any record waits in the open block, be it an ignored punctuation.
    #[must_use]
    pub fn something_waits(&self) -> bool {
        self.next_offset > self.first_offset
    }

    /// Whether only punctuations wait, which came too late to close a block.
    #[must_use]
    pub fn only_punctuations_wait(&self) -> bool {
        self.something_waits() && self.records.is_empty() && self.fold_switch.is_none()
    }

    /// The offset of the record to take next.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Takes the next record; gives the block that it closes, if it does.
    pub fn push(&mut self, record: LogRecord) -> Option<ClosedBlock> {
        self.next_offset = record.offset.saturating_add(1);
        let decoded = frame::decode(&record.payload, &self.key);
        let closes = match decoded {
            Ok(wb_events::wire::Frame { punctuation: Some(punctuation), .. }) => {
                punctuation.first_offset == self.first_offset
            }
            Ok(wb_events::wire::Frame { fold_switch: Some(switch), .. }) => {
                self.fold_switch = Some(switch.fold_version);
                false
            }
            Ok(frame) => {
                self.events = self.events.saturating_add(frame.events.len());
                let bytes: usize = frame.events.iter().map(Vec::len).sum();
                self.bytes = self.bytes.saturating_add(bytes);
                self.keep(&record, Ok(frame.events));
                self.full()
            }
            Err(error) => {
                self.events = self.events.saturating_add(1);
                self.bytes = self.bytes.saturating_add(record.payload.len());
                self.keep(&record, Err((error, record.payload.clone())));
                self.full()
            }
        };
        self.log.push(record);
        closes.then(|| self.close())
    }

    fn keep(&mut self, record: &LogRecord, events: Result<Vec<Vec<u8>>, (FrameError, Vec<u8>)>) {
        let (offset, append_time_us) = (record.offset, record.append_time_us);
        self.records.push(BlockRecord { offset, append_time_us, events });
    }

    fn full(&self) -> bool {
        self.events >= BLOCK_EVENTS_MAX || self.bytes >= BLOCK_BYTES_MAX
    }

    fn close(&mut self) -> ClosedBlock {
        let log = std::mem::take(&mut self.log);
        let block = ClosedBlock {
            first_offset: self.first_offset,
            end_offset: self.next_offset,
            records: std::mem::take(&mut self.records),
            last_frame_hash: frame::record_hash(log.last().map_or(&[], |record| record.payload.as_slice())),
            log,
            fold_switch: self.fold_switch.take(),
        };
        self.first_offset = self.next_offset;
        self.events = 0;
        self.bytes = 0;
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> FrameKey {
        FrameKey::new([3; 32])
    }

    fn record(offset: u64, payload: Vec<u8>) -> LogRecord {
        LogRecord { offset, append_time_us: 0, payload }
    }

    #[test]
    fn a_punctuation_closes_only_the_block_with_its_first_offset() {
        let mut assembler = Assembler::new(10, key());
        assert!(!assembler.something_waits());
        let frame = frame::encode_events("i", vec![vec![1]], &key());
        assert!(assembler.push(record(10, frame.clone())).is_none());
        let other = frame::encode_punctuation("a", 9, &key());
        assert!(assembler.push(record(11, other)).is_none());
        let block = assembler.push(record(12, frame::encode_punctuation("a", 10, &key()))).unwrap();
        assert_eq!((block.first_offset, block.end_offset, block.records.len()), (10, 13, 1));
        let repeated = frame::encode_punctuation("zombie", 10, &key());
        assert!(assembler.push(record(13, repeated)).is_none());
        assert!(assembler.something_waits() && assembler.only_punctuations_wait());
        let block = assembler.push(record(14, frame::encode_punctuation("a", 13, &key()))).unwrap();
        assert!(block.records.is_empty());
    }

    #[test]
    fn a_switch_of_the_rules_belongs_to_the_block_that_holds_it() {
        let mut assembler = Assembler::new(0, key());
        assert!(assembler.push(record(0, frame::encode_fold_switch("a", 2, &key()))).is_none());
        let block = assembler.push(record(1, frame::encode_punctuation("a", 0, &key()))).unwrap();
        assert_eq!((block.fold_switch, block.records.len(), block.log.len()), (Some(2), 0, 2));
        let block = assembler.push(record(2, frame::encode_punctuation("a", 2, &key()))).unwrap();
        assert_eq!(block.fold_switch, None);
    }

    #[test]
    fn a_full_block_closes_by_itself() {
        let mut assembler = Assembler::new(0, key());
        let frame = frame::encode_events("i", vec![Vec::new(); BLOCK_EVENTS_MAX - 1], &key());
        assert!(assembler.push(record(0, frame)).is_none());
        let broken = b"not a frame".to_vec();
        let block = assembler.push(record(1, broken)).unwrap();
        assert_eq!(block.end_offset, 2);
        assert!(block.records[1].events.is_err());
    }
}
