//! Day tables: the rows of all blocks by table and day, without the columns that the order of the log gives, sorted. Rows
//! that are sums are added up by their key first. What the columns are is read from `schemas/clickhouse`.

use std::collections::BTreeMap;
use std::path::Path;

use wb_fold::tables::ALL;

use crate::reading::Blocks;

/// Where in the log a row comes from: the block columns, and the event's place and append time.
const OF_THE_LOG: [&str; 8] =
    ["attempt", "topic", "partition", "block", "idx", "log_offset", "frame_index", "append_time_us"];

/// Tables of sums, with the first column that is one.
const SUMS: [(&str, &str); 2] = [("work_5m", "shares"), ("block_counts", "events")];

/// The column that says on which day a row lies; the other tables have no day of their events.
const DAYS: [(&str, &str); 7] = [
    ("shares", "event_time_us"),
    ("work_5m", "interval_start_us"),
    ("miner_samples", "event_time_us"),
    ("energy_readings", "event_time_us"),
    ("gpu_spans", "start_us"),
    ("gpu_samples", "event_time_us"),
    ("facts", "event_time_us"),
];

const DAY_US: i64 = 86_400_000_000;

/// How a column is written in RowBinary.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Fixed(usize),
    Text,
    Nullable(Box<Kind>),
}

impl Kind {
    fn parse(text: &str) -> Self {
        let inside = |name: &str| text.strip_prefix(name)?.strip_suffix(')');
        if let Some(inner) = inside("LowCardinality(") {
            return Self::parse(inner);
        }
        if let Some(inner) = inside("Nullable(") {
            return Self::Nullable(Box::new(Self::parse(inner)));
        }
        if let Some(bytes) = inside("FixedString(") {
            return Self::Fixed(bytes.parse().unwrap());
        }
        match text {
            "String" => Self::Text,
            number => {
                let bits = number.trim_start_matches(|letter: char| letter.is_alphabetic());
                Self::Fixed(bits.parse::<usize>().unwrap_or_else(|_| panic!("{text} is not read here")) / 8)
            }
        }
    }

    /// How many bytes the value in front of these takes.
    fn length(&self, bytes: &[u8]) -> usize {
        match self {
            Self::Fixed(length) => *length,
            Self::Nullable(_) if bytes[0] == 1 => 1,
            Self::Nullable(inner) => 1 + inner.length(&bytes[1..]),
            Self::Text => {
                let prefix = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
                let digits = bytes[..prefix].iter().rev();
                prefix + digits.fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f))
            }
        }
    }
}

/// The columns of a table as the fold writes them: all but the attempt.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    names: Vec<String>,
    kinds: Vec<Kind>,
}

/// The columns of all block tables.
pub(crate) struct Schema(BTreeMap<&'static str, Columns>);

impl Schema {
    /// Reads `schemas/clickhouse`.
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/clickhouse");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let columns = ALL.map(|table| {
            let head = format!("CREATE TABLE IF NOT EXISTS {table}\n(\n");
            let (_, after) = texts.iter().find_map(|text| text.split_once(&head)).unwrap();
            let (list, _) = after.split_once("\n)").unwrap();
            let mut columns = Columns { names: Vec::new(), kinds: Vec::new() };
            for line in list.lines() {
                let (name, kind) = line.trim().trim_end_matches(',').split_once(' ').unwrap();
                if name != "attempt" && name != "INDEX" {
                    columns.names.push(name.to_owned());
                    columns.kinds.push(Kind::parse(kind.trim()));
                }
            }
            (table, columns)
        });
        Self(columns.into())
    }

    pub(crate) fn of(&self, table: &str) -> &Columns {
        &self.0[table]
    }
}

/// A row, cut at its columns.
pub(crate) struct Row<'a> {
    columns: &'a Columns,
    values: Vec<&'a [u8]>,
}

impl Columns {
    pub(crate) fn cut<'a>(&'a self, mut row: &'a [u8]) -> Row<'a> {
        let mut values = Vec::with_capacity(self.kinds.len());
        for kind in &self.kinds {
            let (value, rest) = row.split_at(kind.length(row));
            values.push(value);
            row = rest;
        }
        assert!(row.is_empty(), "the row has more than its columns");
        Row { columns: self, values }
    }

    fn at(&self, column: &str) -> usize {
        let found = self.names.iter().position(|name| name == column);
        found.unwrap_or_else(|| panic!("no column {column} in {:?}", self.names))
    }
}

impl Row<'_> {
    fn value(&self, column: &str) -> &[u8] {
        self.values[self.columns.at(column)]
    }

    pub(crate) fn fixed<const N: usize>(&self, column: &str) -> [u8; N] {
        self.value(column).try_into().unwrap()
    }

    pub(crate) fn u32(&self, column: &str) -> u32 {
        u32::from_le_bytes(self.fixed(column))
    }

    pub(crate) fn u64(&self, column: &str) -> u64 {
        u64::from_le_bytes(self.fixed(column))
    }

    pub(crate) fn i64(&self, column: &str) -> i64 {
        i64::from_le_bytes(self.fixed(column))
    }

    pub(crate) fn u128(&self, column: &str) -> u128 {
        u128::from_le_bytes(self.fixed(column))
    }

    pub(crate) fn optional_i64(&self, column: &str) -> Option<i64> {
        self.value(column)[1..].try_into().ok().map(i64::from_le_bytes)
    }

    pub(crate) fn optional_u64(&self, column: &str) -> Option<u64> {
        self.value(column)[1..].try_into().ok().map(u64::from_le_bytes)
    }

    pub(crate) fn text(&self, column: &str) -> &str {
        let bytes = self.value(column);
        let prefix = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        std::str::from_utf8(&bytes[prefix..]).unwrap()
    }
}

/// Rows by table and day, sorted, one after another; `None` is no day.
pub(crate) type Exported = BTreeMap<(&'static str, Option<i64>), Vec<u8>>;

/// The day tables of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayTables {
    /// What was counted, and what was refused.
    pub(crate) counted: Exported,
    /// What was there already.
    pub(crate) repeats: Exported,
}

/// Adds a little-endian number to another.
fn add(sum: &mut [u8], number: &[u8]) {
    let mut carry = 0;
    for (sum, byte) in sum.iter_mut().zip(number) {
        let [low, high] = (u16::from(*sum) + u16::from(*byte) + carry).to_le_bytes();
        (*sum, carry) = (low, u16::from(high));
    }
    assert_eq!(carry, 0, "a sum of the tables is too large for its column");
}

/// A table on a day: rows, or keys with their sums.
#[derive(Default)]
struct Sheet {
    rows: Vec<Vec<u8>>,
    sums: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Sheet {
    fn add(&mut self, kept: &[&[u8]], sums_from: Option<usize>) {
        let Some(at) = sums_from else { return self.rows.push(kept.concat()) };
        let (key, numbers) = kept.split_at(at);
        let sums = self.sums.entry(key.concat());
        let sums = sums.or_insert_with(|| numbers.iter().map(|number| vec![0; number.len()]).collect());
        for (sum, number) in sums.iter_mut().zip(numbers) {
            add(sum, number);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.rows.sort_unstable();
        let sums = self.sums.into_iter().map(|(key, sums)| [key, sums.concat()].concat());
        self.rows.into_iter().chain(sums).collect::<Vec<_>>().concat()
    }
}

impl DayTables {
    pub(crate) fn of(schema: &Schema, blocks: &Blocks) -> Self {
        let mut sheets: [BTreeMap<(&'static str, Option<i64>), Sheet>; 2] = Default::default();
        for table in blocks.values().flatten().flat_map(|block| &block.tables) {
            let columns = schema.of(table.name);
            let day = DAYS.iter().find(|(name, _)| *name == table.name).map(|(_, column)| *column);
            let sums = SUMS.iter().find(|(name, _)| *name == table.name).map(|(_, first)| *first);
            // The counts of blocks go by topic, so the topic stays.
            let keeps = |name: &str| !OF_THE_LOG.contains(&name) || (sums.is_some() && name == "topic");
            let kept: Vec<usize> = (0..columns.names.len()).filter(|at| keeps(&columns.names[*at])).collect();
            let sums_from = sums.map(|first| kept.iter().position(|at| *at == columns.at(first)).unwrap());
            let verdict = columns.names.iter().any(|name| name == "verdict");
            for row in table.iter() {
                let row = columns.cut(row);
                let day = day.map(|column| row.i64(column).div_euclid(DAY_US));
                let repeat = verdict && row.text("verdict") == "duplicate";
                let values: Vec<&[u8]> = kept.iter().map(|at| row.values[*at]).collect();
                sheets[usize::from(repeat)].entry((table.name, day)).or_default().add(&values, sums_from);
            }
        }
        let [counted, repeats] =
            sheets.map(|sheets| sheets.into_iter().map(|(place, sheet)| (place, sheet.finish())).collect());
        Self { counted, repeats }
    }
}

/// Fails with the tables and days that differ.
pub(crate) fn assert_same(found: &Exported, expected: &Exported, what: &str) {
    if found != expected {
        let places: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
        let differ: Vec<_> =
            places.into_iter().filter(|place| found.get(*place) != expected.get(*place)).collect();
        panic!("{what}: other bytes in (table, day) {differ:?}");
    }
}
