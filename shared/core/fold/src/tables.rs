//! The rows of a block, table by table, with the columns of `schemas/clickhouse`. `attempt`, the first column, is
//! added to each row only when the row is sent, because hashes leave it out.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use wb_events::Event;
use wb_units::Micros;

use crate::rowbinary::Row;
use crate::{BlockId, Origin};

/// All block tables, in the order in which they are hashed and written.
pub const ALL: [&str; 9] = [
    "shares",
    "work_5m",
    "miner_samples",
    "energy_readings",
    "gpu_spans",
    "gpu_samples",
    "facts",
    "quarantine",
    "block_counts",
];

/// The places in [`ALL`] of the tables that are not of one kind of event.
const WORK_5M: usize = 1;
const QUARANTINE: usize = 7;
const BLOCK_COUNTS: usize = 8;

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    bytes: Vec<u8>,
    row_ends: Vec<usize>,
}

impl Table {
    fn new(name: &'static str) -> Self {
        Self { name, bytes: Vec::new(), row_ends: Vec::new() }
    }

    fn push(&mut self, row: &Row) {
        self.bytes.extend_from_slice(row.as_bytes());
        self.row_ends.push(self.bytes.len());
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.row_ends.len()
    }

    /// All rows without their attempt, as they are hashed and read back.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.bytes
    }

    /// Its rows, each without its attempt: in an INSERT the attempt stands before each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.row_ends.iter().copied());
        starts.zip(&self.row_ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

/// The hash of one table's rows: SHA-256 of name, row count and content.
#[must_use]
pub fn table_hash(name: &str, rows: u64, content: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([0])
        .chain_update(rows.to_le_bytes())
        .chain_update(content)
        .finalize()
        .into()
}

/// The content hash of a block: SHA-256 over the hashes of its non-empty tables, in the order
/// of [`ALL`].
#[must_use]
pub fn content_hash(tables: &[Table]) -> [u8; 32] {
    content_hash_of(tables.iter().map(|table| {
        let rows = u64::try_from(table.rows()).unwrap_or(u64::MAX);
        table_hash(table.name, rows, table.content())
    }))
}

/// The content hash from the hashes of a block's non-empty tables, in the order of [`ALL`].
#[must_use]
pub fn content_hash_of(hashes: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for hash in hashes {
        hasher.update(hash);
    }
    hasher.finalize().into()
}

/// What the worth of work depends on; one roll-up row for each value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkKey {
    pub(crate) site_id: String,
    pub(crate) machine_id: String,
    pub(crate) interval_start_us: Micros,
    pub(crate) chain: String,
    pub(crate) nbits: u32,
    pub(crate) subsidy_sat: u64,
    pub(crate) verdict: &'static str,
    pub(crate) reason: &'static str,
}

#[derive(Debug, Clone, Default)]
struct WorkSum {
    shares: u64,
    credited_q32: u128,
    squared_low: u128,
    squared_high: u128,
    blocks: u64,
}

/// A share's row, apart from its origin and identity.
pub(crate) struct ShareRow<'a> {
    pub(crate) share_id: [u8; 16],
    pub(crate) session_id: &'a str,
    pub(crate) job_id: &'a str,
    pub(crate) site_id: &'a str,
    pub(crate) machine_id: &'a str,
    pub(crate) chain: &'a str,
    pub(crate) height: u32,
    pub(crate) nbits: u32,
    pub(crate) subsidy_sat: u64,
    pub(crate) credited_q32: u128,
    pub(crate) verdict: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) solves_block: bool,
    pub(crate) hash: [u8; 32],
    pub(crate) header: &'a [u8],
}

/// All tables of a block under construction.
pub(crate) struct Tables {
    topic: String,
    partition: u32,
    block: u64,
    tables: BTreeMap<usize, Table>,
    work: BTreeMap<WorkKey, WorkSum>,
}

impl Tables {
    pub(crate) fn new(id: &BlockId) -> Self {
        Self {
            topic: id.topic.clone(),
            partition: id.partition,
            block: id.block,
            tables: BTreeMap::new(),
            work: BTreeMap::new(),
        }
    }

    fn push(&mut self, place: usize, write: impl FnOnce(&mut Row)) {
        let table = self.tables.entry(place).or_insert_with(|| Table::new(ALL[place]));
        let mut row = Row::new();
        row.text(&self.topic).u32(self.partition).u64(self.block);
        row.u32(u32::try_from(table.rows()).unwrap_or(u32::MAX));
        write(&mut row);
        table.push(&row);
    }

    /// A row of an event: origin and identity, then what `write` adds.
    pub(crate) fn event_row(
        &mut self,
        table: &'static str,
        origin: &Origin,
        event: &Event,
        write: impl FnOnce(&mut Row),
    ) {
        let place = ALL.iter().position(|name| *name == table).unwrap_or(0);
        self.push(place, |row| {
            row.u64(origin.log_offset).u32(origin.frame_index).i64(origin.append_time_us);
            row.text(&event.source).u64(event.source_epoch).text(&event.key).u64(event.sequence);
            row.i64(event.event_time_us);
            write(row);
        });
    }

    pub(crate) fn share(&mut self, origin: &Origin, event: &Event, share: &ShareRow<'_>) {
        self.event_row("shares", origin, event, |row| {
            row.fixed(&share.share_id).text(share.session_id).text(share.job_id);
            row.text(share.site_id).text(share.machine_id).text(share.chain);
            row.u32(share.height).u32(share.nbits).u64(share.subsidy_sat).u128(share.credited_q32);
            row.text(share.verdict).text(share.reason).u8(u8::from(share.solves_block));
            row.fixed(&share.hash).string(share.header);
        });
        let key = WorkKey {
            site_id: share.site_id.to_owned(),
            machine_id: share.machine_id.to_owned(),
            interval_start_us: wb_units::time::interval_start(event.event_time_us),
            chain: share.chain.to_owned(),
            nbits: share.nbits,
            subsidy_sat: share.subsidy_sat,
            verdict: share.verdict,
            reason: share.reason,
        };
        let sum = self.work.entry(key).or_default();
        sum.shares += 1;
        sum.credited_q32 = sum.credited_q32.saturating_add(share.credited_q32);
        let (low, high) = square(share.credited_q32);
        let (squared_low, carry) = sum.squared_low.overflowing_add(low);
        sum.squared_low = squared_low;
        sum.squared_high = sum.squared_high.saturating_add(high).saturating_add(u128::from(carry));
        sum.blocks += u64::from(share.solves_block);
    }

    pub(crate) fn quarantine(
        &mut self,
        origin: &Origin,
        source: &str,
        code: &str,
        reason: &str,
        original: &[u8],
    ) {
        self.push(QUARANTINE, |row| {
            row.u64(origin.log_offset).u32(origin.frame_index).i64(origin.append_time_us);
            row.text(source).text(code).text(reason).string(original);
        });
    }

    pub(crate) fn block_count(&mut self, verdict: &str, reason: &str, events: u64) {
        self.push(BLOCK_COUNTS, |row| {
            row.text(verdict).text(reason).u64(events);
        });
    }

    pub(crate) fn finish(mut self) -> Vec<Table> {
        for (key, sum) in std::mem::take(&mut self.work) {
            self.push(WORK_5M, |row| {
                row.text(&key.site_id).text(&key.machine_id).i64(key.interval_start_us);
                row.text(&key.chain).u32(key.nbits).u64(key.subsidy_sat);
                row.text(key.verdict).text(key.reason);
                row.u64(sum.shares).u128(sum.credited_q32);
                row.u256(sum.squared_low, sum.squared_high).u64(sum.blocks);
            });
        }
        self.tables.into_values().collect()
    }
}

/// The square of a 128-bit number as (low, high) halves of 256 bits.
fn square(value: u128) -> (u128, u128) {
    let mask = u128::from(u64::MAX);
    let (high, low) = (value >> 64, value & mask);
    let (low_low, cross, high_high) = (low * low, low * high, high * high);
    // 2 * cross is added at bit 64; its own top bits go to the high half.
    let (sum, carry) = low_low.overflowing_add(cross << 65);
    let top = (cross >> 63).wrapping_add(high_high).wrapping_add(u128::from(carry));
    (sum, top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn squares_are_exact(value in any::<u128>()) {
            // Checked with limbs of 32 bits, which share nothing with the code above.
            let limbs: Vec<u64> = (0..4).map(|place| u64::try_from((value >> (32 * place)) & 0xffff_ffff).unwrap()).collect();
            let mut wide = [0_u64; 9];
            for (i, left) in limbs.iter().enumerate() {
                let mut carry = 0_u64;
                for (j, right) in limbs.iter().enumerate() {
                    let sum = u128::from(wide[i + j]) + u128::from(*left) * u128::from(*right) + u128::from(carry);
                    wide[i + j] = u64::try_from(sum & 0xffff_ffff).unwrap();
                    carry = u64::try_from(sum >> 32).unwrap();
                }
                wide[i + 4] = carry;
            }
            let half = |from: usize| (0..4).map(|place| u128::from(wide[from + place]) << (32 * place)).sum::<u128>();
            prop_assert_eq!(square(value), (half(0), half(4)));
        }
    }

    #[test]
    fn places_are_those_of_the_tables() {
        assert_eq!(
            [ALL[WORK_5M], ALL[QUARANTINE], ALL[BLOCK_COUNTS]],
            ["work_5m", "quarantine", "block_counts"]
        );
    }

    #[test]
    fn rows_are_the_content_in_pieces() {
        let id = BlockId { topic: "energy".into(), partition: 0, block: 0 };
        let mut tables = Tables::new(&id);
        tables.block_count("accepted", "", 1);
        tables.block_count("rejected", "stale", 2);
        let tables = tables.finish();
        assert_eq!(tables[0].iter().count(), 2);
        assert_eq!(tables[0].iter().collect::<Vec<_>>().concat(), tables[0].content());
    }
}
