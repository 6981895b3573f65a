//! The state as bytes, so that a partition need not be folded from its beginning.
//!
//! A checkpoint is a cache: it is written with a version and read only by the same version, and what
//! cannot be read is folded again from the log. All numbers are little endian; maps are written in
//! the order of their keys, so that equal states have equal bytes.

use std::collections::{BTreeMap, HashSet};

use crate::ids::IdSet;
use crate::state::{LiveProofs, State, Tip, Window};

/// The form that is written here.
const FORM: u32 = 1;

/// Why bytes are not a state of this version.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another form.
    #[code("WB-4031")]
    #[error("the checkpoint has form {form}, this program reads {FORM}; it is folded again from the log")]
    Form {
        /// The form it has.
        form: u32,
    },
    /// It ends too early or goes on too long, or a number in it cannot be.
    #[code("WB-4032")]
    #[error("the checkpoint is damaged; it is folded again from the log")]
    Damaged,
}

/// Writes values one after another.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A `u64`.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A length or count.
    pub fn count(&mut self, value: usize) {
        self.u64(u64::try_from(value).unwrap_or(u64::MAX));
    }

    /// Bytes of a known length.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Text with its length before it.
    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.fixed(text.as_bytes());
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads values one after another; never past the end.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] where there are fewer.
    pub fn fixed(&mut self, length: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(SnapshotError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next bytes as an array.
    ///
    /// # Errors
    /// As [`Reader::fixed`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        self.fixed(N)?.try_into().map_err(|_| SnapshotError::Damaged)
    }

    /// A `u64`.
    ///
    /// # Errors
    /// As [`Reader::fixed`].
    pub fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things that take at least `each` bytes: more than are left cannot be.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`].
    pub fn count(&mut self, each: usize) -> Result<usize, SnapshotError> {
        let count = usize::try_from(self.u64()?).map_err(|_| SnapshotError::Damaged)?;
        if count.checked_mul(each).is_none_or(|bytes| bytes > self.0.len()) {
            return Err(SnapshotError::Damaged);
        }
        Ok(count)
    }

    /// Text with its length before it.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`].
    pub fn text(&mut self) -> Result<String, SnapshotError> {
        let length = self.count(1)?;
        String::from_utf8(self.fixed(length)?.to_vec()).map_err(|_| SnapshotError::Damaged)
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Whether everything was read.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] where something is left.
    pub fn end(&self) -> Result<(), SnapshotError> {
        if self.0.is_empty() { Ok(()) } else { Err(SnapshotError::Damaged) }
    }
}

fn write_ids(writer: &mut Writer, ids: &IdSet) {
    writer.count(ids.len());
    for id in ids.iter() {
        writer.fixed(id);
    }
}

fn read_ids(reader: &mut Reader<'_>) -> Result<IdSet, SnapshotError> {
    let count = reader.count(16)?;
    let (ids, _) = reader.fixed(count * 16)?.as_chunks::<16>();
    if !ids.is_sorted_by(|left, right| left < right) {
        return Err(SnapshotError::Damaged);
    }
    Ok(IdSet::from_sorted(ids))
}

impl State {
    /// The state as bytes; equal states give equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(u64::from(FORM));
        writer.u64(u64::from(self.fold_version()));
        let windows: BTreeMap<_, _> = self.windows.iter().collect();
        writer.count(windows.len());
        for ((source, epoch, key), window) in windows {
            writer.text(source);
            writer.u64(*epoch);
            writer.text(key);
            writer.u64(window.floor);
            writer.count(window.tags.len());
            for (sequence, tag) in &window.tags {
                writer.u64(*sequence);
                writer.u64(*tag);
            }
        }
        let tips: BTreeMap<_, _> = self.tips.iter().collect();
        writer.count(tips.len());
        for (hash, tip) in tips {
            writer.fixed(hash);
            writer.u64(tip.ordinal);
            writer.fixed(&tip.last_append_us.to_le_bytes());
            writer.u64(u64::from(tip.archived));
        }
        let live: BTreeMap<_, _> = self.live.iter().collect();
        writer.count(live.len());
        for (hash, proofs) in live {
            writer.fixed(hash);
            write_ids(&mut writer, &proofs.counted);
            write_ids(&mut writer, &proofs.refused);
        }
        writer.u64(self.next_ordinal);
        let mut forgotten: Vec<_> = self.forgotten_tips.iter().collect();
        forgotten.sort_unstable();
        writer.count(forgotten.len());
        for hash in forgotten {
            writer.fixed(hash);
        }
        writer.into_bytes()
    }

    /// Reads a state back.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader::new(bytes);
        let form = u32::try_from(reader.u64()?).map_err(|_| SnapshotError::Damaged)?;
        if form != FORM {
            return Err(SnapshotError::Form { form });
        }
        let version = u32::try_from(reader.u64()?).map_err(|_| SnapshotError::Damaged)?;
        let mut state = Self::beginning(version);
        for _ in 0..reader.count(40)? {
            let key = (reader.text()?, reader.u64()?, reader.text()?);
            let mut window = Window { floor: reader.u64()?, tags: BTreeMap::new() };
            for _ in 0..reader.count(16)? {
                window.tags.insert(reader.u64()?, reader.u64()?);
            }
            state.windows.insert(key, window);
        }
        for _ in 0..reader.count(56)? {
            let hash = reader.array()?;
            let ordinal = reader.u64()?;
            let last_append_us = i64::from_le_bytes(reader.array()?);
            let archived = reader.u64()? != 0;
            state.tips.insert(hash, Tip { ordinal, last_append_us, archived });
        }
        for _ in 0..reader.count(48)? {
            let hash = reader.array()?;
            let proofs = LiveProofs { counted: read_ids(&mut reader)?, refused: read_ids(&mut reader)? };
            state.live.insert(hash, proofs);
        }
        state.next_ordinal = reader.u64()?;
        let mut forgotten = HashSet::new();
        for _ in 0..reader.count(32)? {
            forgotten.insert(reader.array()?);
        }
        state.forgotten_tips = forgotten;
        reader.end()?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::MemoryArchive;
    use wb_events::Event;

    fn busy_state() -> State {
        let mut state = State::default();
        for sequence in 0..50 {
            let event =
                Event { source: "s".into(), key: format!("k{}", sequence % 3), sequence, ..Event::default() };
            let _ = state.admit(&event);
        }
        for number in 0..2_000_u128 {
            let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes();
            state.remember(&[u8::try_from(number % 5).unwrap(); 32], id, number % 7 != 0, 5);
        }
        state.end_block(&mut MemoryArchive::default()).unwrap();
        state
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = busy_state();
        let bytes = state.to_bytes();
        let back = State::from_bytes(&bytes).unwrap();
        assert_eq!(back.to_bytes(), bytes);
        assert_eq!(back.live_proofs(), state.live_proofs());
    }

    #[test]
    fn damage_is_noticed_or_harmless_but_never_a_panic() {
        let bytes = busy_state().to_bytes();
        for end in (0..bytes.len()).step_by(97) {
            assert!(State::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(State::from_bytes(&longer).unwrap_err(), SnapshotError::Damaged);
        let mut other = bytes;
        other[0] = 9;
        assert_eq!(State::from_bytes(&other).unwrap_err(), SnapshotError::Form { form: 9 });
    }
}
