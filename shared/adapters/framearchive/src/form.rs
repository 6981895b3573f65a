//! The archived form of a block: a header and all of its records. It follows from the log alone, so every writer
//! makes the same bytes, and the block's commit can hold their hash.
//!
//! All numbers are little endian: `WBFRAMES`, form (u32), topic (u32 length, bytes), partition
//! (u32), block (u64), first offset (u64), end offset (u64), and then for each record its offset
//! (u64), append time in UTC microseconds (i64) and payload (u32 length, bytes).

use sha2::{Digest, Sha256};
use wb_fold::snapshot::Reader;
use wb_fold::{BlockId, LogRecord};

use crate::{FORM_BYTES_MAX, FrameArchiveError};

const MAGIC: &[u8; 8] = b"WBFRAMES";
/// The version of the form that is written.
const FORM: u32 = 1;
/// Bytes of a record besides its payload.
const RECORD_BYTES: usize = 8 + 8 + 4;

/// An archived block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedBlock {
    pub id: BlockId,
    /// Offset of its first record.
    pub first_offset: u64,
    /// One past its last record.
    pub end_offset: u64,
    /// All of its records, without gaps.
    pub records: Vec<LogRecord>,
}

/// The hash of an archived form, as in the block's commit.
#[must_use]
pub fn hash(form: &[u8]) -> [u8; 32] {
    Sha256::digest(form).into()
}

/// The archived form of a block.
///
/// # Errors
/// [`FrameArchiveError::NoBlock`] for records with gaps, no records, or too many.
pub fn encode(id: &BlockId, records: &[LogRecord]) -> Result<Vec<u8>, FrameArchiveError> {
    let refused = |problem: String| FrameArchiveError::NoBlock { id: id.clone(), problem };
    let Some(first_offset) = records.first().map(|record| record.offset) else {
        return Err(refused("it has no records".to_owned()));
    };
    let mut next_offset = first_offset;
    let payloads: usize =
        records.iter().map(|record| RECORD_BYTES.saturating_add(record.payload.len())).sum();
    if payloads > FORM_BYTES_MAX {
        return Err(refused(format!(
            "its records have {payloads} bytes, at most {FORM_BYTES_MAX} can be archived"
        )));
    }
    let mut form = Vec::with_capacity(payloads + 64 + id.topic.len());
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    form.extend_from_slice(MAGIC);
    form.extend_from_slice(&FORM.to_le_bytes());
    form.extend_from_slice(&length(id.topic.len()));
    form.extend_from_slice(id.topic.as_bytes());
    form.extend_from_slice(&id.partition.to_le_bytes());
    form.extend_from_slice(&id.block.to_le_bytes());
    form.extend_from_slice(&first_offset.to_le_bytes());
    let last = records.last().map_or(first_offset, |record| record.offset);
    form.extend_from_slice(&last.saturating_add(1).to_le_bytes());
    for record in records {
        if record.offset != next_offset {
            return Err(refused(format!("offset {} follows where {next_offset} is expected", record.offset)));
        }
        next_offset = next_offset.saturating_add(1);
        form.extend_from_slice(&record.offset.to_le_bytes());
        form.extend_from_slice(&record.append_time_us.to_le_bytes());
        form.extend_from_slice(&length(record.payload.len()));
        form.extend_from_slice(&record.payload);
    }
    Ok(form)
}

/// Parses an archived form.
///
/// # Errors
/// A description of what is wrong.
pub fn decode(form: &[u8]) -> Result<ArchivedBlock, String> {
    let ended = |_| "it ends too early".to_owned();
    let mut reader = Reader::new(form);
    if reader.array::<8>().map_err(ended)? != *MAGIC {
        return Err("it is not an archived block".to_owned());
    }
    let found = u32::from_le_bytes(reader.array().map_err(ended)?);
    if found != FORM {
        return Err(format!("it has form {found}, this program reads form {FORM}"));
    }
    let topic_bytes = length(&mut reader)?;
    let topic = reader.fixed(topic_bytes).map_err(ended)?.to_vec();
    let topic = String::from_utf8(topic).map_err(|_| "its topic is not text".to_owned())?;
    let partition = u32::from_le_bytes(reader.array().map_err(ended)?);
    let block = reader.u64().map_err(ended)?;
    let first_offset = reader.u64().map_err(ended)?;
    let end_offset = reader.u64().map_err(ended)?;
    let mut records = Vec::new();
    let mut next_offset = first_offset;
    while next_offset < end_offset {
        let offset = reader.u64().map_err(ended)?;
        if offset != next_offset {
            return Err(format!("offset {offset} follows where {next_offset} is expected"));
        }
        let append_time_us = i64::from_le_bytes(reader.array().map_err(ended)?);
        let bytes = length(&mut reader)?;
        let payload = reader.fixed(bytes).map_err(ended)?.to_vec();
        records.push(LogRecord { offset, append_time_us, payload });
        next_offset = next_offset.saturating_add(1);
    }
    if !reader.rest().is_empty() {
        return Err("it has data after its last record".to_owned());
    }
    Ok(ArchivedBlock { id: BlockId { topic, partition, block }, first_offset, end_offset, records })
}

fn length(reader: &mut Reader<'_>) -> Result<usize, String> {
    let bytes = u32::from_le_bytes(reader.array().map_err(|_| "it ends too early".to_owned())?);
    usize::try_from(bytes).map_err(|_| "a length in it is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> BlockId {
        BlockId { topic: "energy".into(), partition: 3, block: 7 }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            first in 0_u64..1_000_000,
            payloads in prop::collection::vec((any::<i64>(), prop::collection::vec(any::<u8>(), 0..40)), 1..20),
        ) {
            let records: Vec<LogRecord> = (first..).zip(payloads)
                .map(|(offset, (append_time_us, payload))| LogRecord { offset, append_time_us, payload })
                .collect();
            let form = encode(&id(), &records).unwrap();
            let block = decode(&form).unwrap();
            prop_assert_eq!(&block.records, &records);
            prop_assert_eq!((block.id, block.first_offset), (id(), first));
            for end in 0..form.len() {
                prop_assert!(decode(&form[..end]).is_err(), "cut at {}", end);
            }
            let longer = [form, vec![0]].concat();
            prop_assert!(decode(&longer).is_err());
        }
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let record = |offset| LogRecord { offset, append_time_us: 0, payload: Vec::new() };
        assert!(encode(&id(), &[]).is_err());
        assert!(encode(&id(), &[record(1), record(3)]).is_err());
        assert!(decode(b"WBFRAMES\x02\0\0\0").unwrap_err().contains("form 2"));
    }
}
