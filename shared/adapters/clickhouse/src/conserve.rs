//! Conservation checks: what was counted must be equal wherever it is stored.
//!
//! Of a block: the counts in its commit, its counts by verdict, its rows and their 5-minute sums. Of a day: the rows
//! of its blocks, what readers see (sealed days and newer blocks), and the longer sums. `judge_block` and `judge_day`
//! are the rules; the queries get the figures. All figures are whole numbers and are compared exactly.

use std::collections::BTreeMap;
use std::fmt;

use clickhouse::query::Query;
use ruint::aliases::U256;
use serde::Deserialize;
use wb_units::time::{DAY_US, day_start};

use crate::client::Store;
use crate::conditions::committed_between;
use crate::corrections::CorrectionsAt;
use crate::error::{StoreError, query_failed};
use crate::read::Cut;
use crate::sealed::{reading_rows, sealed_cut_query, work_rows};

/// The most offsets of `commits` that one check of blocks may cover.
pub const WINDOW_COMMITS: u64 = 1_024;
/// The longest time of one check in seconds.
const CHECK_MAX_S: u32 = 300;

/// Where a breach was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Block {
        topic: String,
        partition: u32,
        block: u64,
    },
    /// A UTC day, counted since 1970-01-01.
    Day(i32),
}

/// Two figures that must be equal and are not.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq)]
#[code("WB-3221")]
pub struct Breach {
    /// Where it was found.
    pub place: Place,
    /// What is compared, such as `accepted events of its commit are`, and its figure.
    pub left: (String, U256),
    /// What it is compared with, and its figure.
    pub right: (String, U256),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block { topic, partition, block } => {
                write!(formatter, "block {block} of {topic}/{partition}")
            }
            Self::Day(day) => write!(formatter, "day {day} since 1970-01-01"),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((left, one), (right, other)) = (&self.left, &self.right);
        write!(formatter, "[{}] {}: {left} {one}, but {right} {other}", self.code(), self.place)
    }
}

type Figures = BTreeMap<String, U256>;

/// One side of a rule: a description, and the figures to add up.
type Side = (&'static str, &'static [&'static str]);

/// What must be equal in every block.
const BLOCK_LAWS: &[(Side, Side)] = &[
    (
        ("events of its commit are", &["commit events"]),
        (
            "accepted, duplicate and rejected add up to",
            &["commit accepted", "commit duplicate", "commit rejected"],
        ),
    ),
    (("accepted of its commit are", &["commit accepted"]), ("its verdict counts are", &["count accepted"])),
    (
        ("duplicates of its commit are", &["commit duplicate"]),
        ("its verdict counts are", &["count duplicate"]),
    ),
    (("rejected of its commit are", &["commit rejected"]), ("its verdict counts are", &["count rejected"])),
    (
        ("accepted of its commit are", &["commit accepted"]),
        (
            "rows that count are",
            &["shares accepted", "miner_samples", "energy_readings", "gpu_spans", "gpu_samples", "facts"],
        ),
    ),
    (
        ("rejected of its commit are", &["commit rejected"]),
        ("refused shares and quarantined events are", &["shares rejected", "quarantine"]),
    ),
    (
        ("shares are", &["shares accepted", "shares duplicate", "shares rejected"]),
        ("its 5-minute roll-ups hold", &["rolled shares"]),
    ),
    (("credited work of shares (q32) is", &["work"]), ("its 5-minute roll-ups hold", &["rolled work"])),
    (("solved blocks of shares are", &["solved"]), ("its 5-minute roll-ups hold", &["rolled solved"])),
];

fn sum(figures: &Figures, side: &Side) -> U256 {
    side.1.iter().filter_map(|what| figures.get(*what)).fold(U256::ZERO, |sum, it| sum.saturating_add(*it))
}

/// The breaches of one block.
fn judge_block(place: &Place, figures: &Figures) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (left, right) in BLOCK_LAWS {
        let (one, other) = (sum(figures, left), sum(figures, right));
        if one != other {
            let (left, right) = ((left.0.to_owned(), one), (right.0.to_owned(), other));
            breaches.push(Breach { place: place.clone(), left, right });
        }
    }
    // Only in blocks of shares do duplicates leave rows; a share in another topic's block is a breach.
    let duplicates = figures.get("shares duplicate").copied().unwrap_or_default();
    let is_of_shares = matches!(place, Place::Block { topic, .. } if topic == wb_events::topics::SHARES);
    let committed = figures.get("commit duplicate").copied().unwrap_or_default();
    if is_of_shares && duplicates != committed {
        let left = ("duplicates of its commit are".to_owned(), committed);
        let right = ("repeated shares are".to_owned(), duplicates);
        breaches.push(Breach { place: place.clone(), left, right });
    }
    breaches
}

/// The breaches of one day: each figure of the blocks against the same figure elsewhere.
fn judge_day(day: i32, blocks: &Figures, elsewhere: &[(&str, Figures)]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (name, figures) in elsewhere {
        let all: std::collections::BTreeSet<&String> = blocks.keys().chain(figures.keys()).collect();
        for what in all {
            let of = |figures: &Figures| figures.get(what).copied().unwrap_or_default();
            if of(blocks) != of(figures) {
                breaches.push(Breach {
                    place: Place::Day(day),
                    left: (format!("{what} of its blocks is"), of(blocks)),
                    right: (format!("{name} hold"), of(figures)),
                });
            }
        }
    }
    breaches
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct BlockFigure {
    topic: String,
    partition: u32,
    block: u64,
    what: String,
    figure: String,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct DayFigure {
    what: String,
    figure: String,
}

fn number(text: &str) -> Result<U256, StoreError> {
    U256::from_str_radix(text, 10).map_err(|_| StoreError::Row {
        table: "manifest",
        problem: format!("{text:?} is no figure of the conservation law"),
    })
}

/// Figures of work, by the columns that must not be mixed.
fn work_figures(rows: &str) -> String {
    let by = "concat(verdict, ' ', reason, ' ', chain, ' ', toString(nbits), ' ', toString(subsidy_sat))";
    format!(
        "SELECT tupleElement(it, 1) AS what, toString(tupleElement(it, 2)) AS figure FROM (
           SELECT arrayJoin([
             (concat('shares ', {by}), sum(toUInt256(shares))),
             (concat('work ', {by}), sum(toUInt256(credited_q32))),
             (concat('squared work ', {by}), sum(credited_q32_squared)),
             (concat('solved ', {by}), sum(toUInt256(blocks)))]) AS it
           FROM ({rows}) GROUP BY verdict, reason, chain, nbits, subsidy_sat)"
    )
}

/// Figures of readings. The sum of ids finds a reading that was exchanged for another.
fn reading_figures(rows: &str) -> String {
    format!(
        "SELECT tupleElement(it, 1) AS what, toString(tupleElement(it, 2)) AS figure FROM (
           SELECT arrayJoin([
             (concat('readings ', witness), toUInt256(count())),
             (concat('registers ', witness), sum(toUInt256(register_wh))),
             (concat('ids ', witness), sum(toUInt256(reinterpretAsUInt128(event_id))))]) AS it
           FROM ({rows}) GROUP BY witness)"
    )
}

impl Store {
    fn bounded(&self, sql: &str) -> Query {
        self.client().query_raw(sql).with_setting("max_execution_time", CHECK_MAX_S.to_string())
    }

    /// Checks every block that is committed in `[from, to)`, at most [`WINDOW_COMMITS`] offsets of them.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn check_blocks(&self, from: Cut, to: Cut) -> Result<Vec<Breach>, StoreError> {
        let to = Cut(to.0.min(from.0.saturating_add(WINDOW_COMMITS)));
        let committed = committed_between("{from:UInt64}", "{to:UInt64}");
        let place = "topic, partition, block";
        let each = |table: &str, what: &str, figure: &str| {
            format!(
                "SELECT {place}, {what} AS what, toUInt256({figure}) AS figure FROM {table} \
                 WHERE {committed} GROUP BY {place}, what"
            )
        };
        let counted = |table: &str| each(table, &format!("'{table}'"), "count()");
        let mut parts = vec![
            // A commit that two projectors wrote counts once.
            format!(
                "SELECT {place}, tupleElement(it, 1) AS what, toUInt256(tupleElement(it, 2)) AS figure FROM (\
                   SELECT {place}, arrayJoin([('commit events', events), ('commit accepted', accepted), \
                     ('commit duplicate', duplicate), ('commit rejected', rejected)]) AS it FROM (\
                     SELECT DISTINCT commit_offset, {place}, events, accepted, duplicate, rejected FROM manifest \
                     WHERE commit_offset >= {{from:UInt64}} AND commit_offset < {{to:UInt64}}))"
            ),
            each("block_counts", "concat('count ', verdict)", "sum(events)"),
            each("shares", "concat('shares ', verdict)", "count()"),
            each("shares", "'work'", "sum(toUInt256(credited_q32))"),
            each("shares", "'solved'", "sum(solves_block)"),
            each("work_5m", "'rolled shares'", "sum(shares)"),
            each("work_5m", "'rolled work'", "sum(toUInt256(credited_q32))"),
            each("work_5m", "'rolled solved'", "sum(blocks)"),
        ];
        let tables = ["miner_samples", "energy_readings", "gpu_spans", "gpu_samples", "facts", "quarantine"];
        parts.extend(tables.map(counted));
        let sql = format!(
            "SELECT topic, partition, block, what, toString(figure) AS figure FROM ({})",
            parts.join(" UNION ALL ")
        );
        let query = self.bounded(&sql).param("from", from.0).param("to", to.0);
        let rows: Vec<BlockFigure> =
            query.fetch_all().await.map_err(query_failed("check the conservation law of blocks"))?;
        let mut blocks: BTreeMap<Place, Figures> = BTreeMap::new();
        for row in rows {
            let place = Place::Block { topic: row.topic, partition: row.partition, block: row.block };
            blocks.entry(place).or_default().insert(row.what, number(&row.figure)?);
        }
        Ok(blocks.iter().flat_map(|(place, figures)| judge_block(place, figures)).collect())
    }

    /// Checks a UTC day at a cut: the rows that readers see and the sealed sums, against its blocks.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn check_day(&self, day: i32, cut: Cut) -> Result<Vec<Breach>, StoreError> {
        let asked = self.bounded(&sealed_cut_query()).param("cut", cut.0);
        let sealed_cut: u64 = asked.fetch_one().await.map_err(query_failed("find the newest seal"))?;
        let committed = committed_between("0", "{cut:UInt64}");
        let within = |column: &str| format!("{column} >= {{from:Int64}} AND {column} < {{to:Int64}}");
        let (interval, event) = (within("interval_start_us"), within("event_time_us"));
        let figures = async |sql: String| -> Result<Figures, StoreError> {
            let from = day_start(day);
            // Without corrections: what was counted is compared.
            let query = CorrectionsAt::default().bind(self.bounded(&sql));
            let query = query.param("cut", cut.0).param("sealed_cut", sealed_cut);
            let query = query.param("from", from).param("to", from.saturating_add(DAY_US)).param("day", day);
            let rows: Vec<DayFigure> =
                query.fetch_all().await.map_err(query_failed("check the conservation law of a day"))?;
            rows.into_iter().map(|row| Ok((row.what, number(&row.figure)?))).collect()
        };
        let blocks =
            figures(work_figures(&format!("SELECT * FROM work_5m WHERE {interval} AND {committed}"))).await?;
        let seen = figures(work_figures(&work_rows("{from:Int64}", "{to:Int64}", "1"))).await?;
        let mut breaches = judge_day(day, &blocks, &[("readers", seen)]);
        let readings = format!("SELECT * FROM energy_readings WHERE {event} AND {committed}");
        let blocks = figures(reading_figures(&readings)).await?;
        let seen = figures(reading_figures(&reading_rows("{from:Int64}", "{to:Int64}", "1"))).await?;
        breaches.extend(judge_day(day, &blocks, &[("readers", seen)]));
        let of_seal = |table: &str| {
            let seal = "SELECT argMax(seal, cut) FROM seals WHERE day = {day:Int32} \
                        AND commit_offset < {cut:UInt64} AND cut <= {sealed_cut:UInt64}";
            work_figures(&format!("SELECT * FROM {table} WHERE day = {{day:Int32}} AND seal = ({seal})"))
        };
        let five = figures(of_seal("sealed_work_5m")).await?;
        let hours = figures(of_seal("sealed_work_1h")).await?;
        let days = figures(of_seal("sealed_work_1d")).await?;
        breaches.extend(judge_day(day, &five, &[("its hours", hours), ("its day's roll-ups", days)]));
        Ok(breaches)
    }

    /// The UTC days of all months with rows of work or readings, in order. Read from the list of parts, because
    /// reading the rows every few seconds would cost too much.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn days(&self) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT DISTINCT toInt32(day) AS day FROM (\
               SELECT DISTINCT toUInt32(partition_id) AS month, \
                 makeDate(intDiv(month, 100), month % 100, 1) AS first FROM system.parts \
               WHERE active AND database = {database:String} AND table IN ('work_5m', 'energy_readings')) \
             ARRAY JOIN range(toUInt32(toUInt16(first)), toUInt32(toUInt16(addMonths(first, 1)))) AS day ORDER BY day";
        let query = self.bounded(sql).param("database", self.database());
        query.fetch_all().await.map_err(query_failed("list its days"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(topic: &str) -> Place {
        Place::Block { topic: topic.to_owned(), partition: 2, block: 7 }
    }

    fn figures(of: &[(&str, u64)]) -> Figures {
        of.iter().map(|(what, figure)| ((*what).to_owned(), U256::from(*figure))).collect()
    }

    const SHARES: &[(&str, u64)] = &[
        ("commit events", 10),
        ("commit accepted", 6),
        ("commit duplicate", 1),
        ("commit rejected", 3),
        ("count accepted", 6),
        ("count duplicate", 1),
        ("count rejected", 3),
        ("shares accepted", 6),
        ("shares duplicate", 1),
        ("shares rejected", 2),
        ("quarantine", 1),
        ("work", 600),
        ("rolled work", 600),
        ("solved", 1),
        ("rolled solved", 1),
        ("rolled shares", 9),
    ];

    #[test]
    fn every_figure_that_changes_breaks_a_law() {
        let place = block("shares");
        assert_eq!(judge_block(&place, &figures(SHARES)), []);
        for index in 0..SHARES.len() {
            let mut changed = SHARES.to_vec();
            changed[index].1 += 1;
            let breaches = judge_block(&place, &figures(&changed));
            assert!(!breaches.is_empty(), "{:?}", changed[index]);
            assert!(breaches[0].to_string().contains("block 7 of shares/2"), "{}", breaches[0]);
            changed.remove(index);
            assert!(!judge_block(&place, &figures(&changed)).is_empty(), "without {:?}", SHARES[index]);
        }
    }

    #[test]
    fn duplicates_of_other_topics_leave_no_rows() {
        let readings = [
            ("commit events", 5),
            ("commit accepted", 3),
            ("commit duplicate", 2),
            ("count accepted", 3),
            ("count duplicate", 2),
            ("energy_readings", 3),
        ];
        assert_eq!(judge_block(&block("energy"), &figures(&readings)), []);
        assert_eq!(judge_block(&block("shares"), &figures(&readings)).len(), 1);
    }

    #[test]
    fn a_day_is_the_same_wherever_it_is_read() {
        let blocks = figures(&[("work accepted", 5), ("shares accepted", 2)]);
        assert_eq!(judge_day(3, &blocks, &[("readers", blocks.clone())]), []);
        let other = figures(&[("work accepted", 5), ("shares accepted", 1), ("work rejected", 1)]);
        let breaches = judge_day(3, &blocks, &[("readers", other)]);
        assert_eq!(breaches.len(), 2);
        assert!(breaches[0].to_string().contains("day 3"), "{}", breaches[0]);
    }
}
