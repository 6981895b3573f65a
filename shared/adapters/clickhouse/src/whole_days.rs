//! The work of a stretch of time for bills: whole sealed days from daily sums, the rest of the stretch from
//! settlement intervals, and unsealed work from blocks.
//!
//! The result is the same as that of [`crate::sealed::work_rows`], but a month of whole days takes thirty rows of a
//! machine, not 8,640. The SQL uses the parameter `cut:UInt64` and those of the condition.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clickhouse::Client;
use serde::Deserialize;
use wb_events::commits::ALL_DAYS;
use wb_events::topics::SHARES;
use wb_units::Interval;
use wb_units::time::{DAY_US, day_of, day_start};

use crate::error::{StoreError, query_failed};
use crate::sealed::voided_work;

/// What [`StretchSeals::work_sums`] groups by.
const GROUPED: &str = "machine_id, chain, nbits, subsidy_sat";

/// The columns of [`StretchSeals::work_sums`].
const SUMMED: &str = "machine_id, chain, nbits, subsidy_sat, sum(work.shares) AS shares, sum(work.credited_q32) AS credited_q32";

/// The seals that a reader at a cut uses.
///
/// Read them before the queries that use them, so that all parts use the same, and do not keep them for long: rows of
/// replaced seals stay for twenty minutes, of which a query may take ten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealsAt {
    /// Everything committed below this offset lies in the seals of its days; 0 if nothing is sealed.
    pub cut: u64,
    /// The seal of each day, as of that cut, in order.
    pub days: Vec<DaySeal>,
    /// One past the offset in `commits` of the latest seal, in use or not.
    pub end: u64,
    /// Whether the rows of these seals may be read: at an old cut they may have been removed.
    is_readable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
pub struct DaySeal {
    /// The day, counted since 1970-01-01 UTC.
    pub day: i32,
    /// The tag of its rows.
    pub seal: u64,
    /// The seal holds everything committed below this offset.
    pub cut: u64,
    /// The offset of its record in `commits`.
    pub commit_offset: u64,
    /// The hash of its record.
    pub seal_hash: [u8; 32],
    /// How many blocks it covers.
    pub blocks: u64,
    /// The root over these blocks.
    pub blocks_root: [u8; 32],
    readable: bool,
    /// The offset of the latest record of all.
    last_offset: u64,
    /// Whether a seal of all days covers it.
    counts: bool,
}

impl SealsAt {
    /// Reads the seals that a reader at `cut`, an offset in `commits`, uses.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn read(client: &Client, cut: u64) -> Result<Self, StoreError> {
        // One pass over the records. The latest is included even if no seal of all days covers it.
        let sql = format!(
            "SELECT day, seal, seals.cut AS cut, commit_offset, seal_hash, blocks, blocks_root, \
               CAST(commit_offset >= (SELECT max(commit_offset) FROM seal_floor) AS Bool) AS readable, \
               max(commit_offset) OVER () AS last_offset, \
               CAST(seals.cut <= max(if(day = {ALL_DAYS}, seals.cut, 0)) OVER () AS Bool) AS counts \
             FROM seals WHERE commit_offset < {{cut:UInt64}} QUALIFY counts OR commit_offset = last_offset \
             ORDER BY day, counts DESC, seals.cut DESC LIMIT 1 BY day"
        );
        let query = client
            .query_raw(&sql)
            .param("cut", cut)
            .with_setting("max_result_rows", "0")
            .with_setting("max_threads", "1");
        let mut days: Vec<DaySeal> = query.fetch_all().await.map_err(query_failed("find the seals"))?;
        let end = days.first().map_or(0, |seal| seal.last_offset.saturating_add(1));
        days.retain(|seal| seal.counts);
        let all = days.iter().position(|seal| seal.day == ALL_DAYS).map(|at| days.remove(at));
        let Some(all) = all else { return Ok(Self { end, ..Self::default() }) };
        Ok(Self { cut: all.cut, days, end, is_readable: all.readable })
    }

    /// The offset in `commits` from which on rows come from blocks.
    #[must_use]
    pub fn blocks_from(&self) -> u64 {
        if self.is_readable { self.cut } else { 0 }
    }
}

/// The first block of shares of each partition that the seals do not hold. Blocks are committed in order, so all
/// later ones are not held either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AboveSeals(pub BTreeMap<u32, u64>);

impl AboveSeals {
    /// Reads them for the blocks committed in `[from, cut)`, offsets in `commits`.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn read(client: &Client, from: u64, cut: u64) -> Result<Self, StoreError> {
        let sql = "SELECT partition, min(block) FROM manifest WHERE topic = {topic:String} \
             AND commit_offset >= {from:UInt64} AND commit_offset < {cut:UInt64} GROUP BY partition";
        let query = client.query_raw(sql).param("topic", SHARES).param("from", from).param("cut", cut);
        let query = query.with_setting("max_result_rows", "0");
        let rows: Vec<(u32, u64)> =
            query.fetch_all().await.map_err(query_failed("find blocks above the seals"))?;
        Ok(Self(rows.into_iter().collect()))
    }
}

/// The seals of the days of a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StretchSeals {
    interval: Interval,
    is_readable: bool,
    /// The seals of days that the stretch touches, in order.
    days: Vec<DaySeal>,
}

/// SQL for rows of settlement intervals that start in one of some stretches.
fn within(stretches: &[Interval]) -> String {
    let mut sql = String::from("(0");
    for Interval { start_us, end_us } in stretches {
        // Writing into a string does not fail.
        let _ = write!(sql, " OR (interval_start_us >= {start_us} AND interval_start_us < {end_us})");
    }
    sql.push(')');
    sql
}

impl StretchSeals {
    /// Keeps the seals of the days that a stretch touches.
    #[must_use]
    pub fn new(seals: &SealsAt, interval: Interval) -> Self {
        let touched = day_of(interval.start_us)..=day_of(interval.end_us.saturating_sub(1));
        let days = seals.days.iter().filter(|seal| touched.contains(&seal.day)).cloned().collect();
        Self { interval, is_readable: seals.is_readable, days }
    }

    /// The days that lie wholly in the stretch: the first, and the one after the last.
    fn whole(&self) -> (i32, i32) {
        let first = day_of(self.interval.start_us.saturating_add(DAY_US).saturating_sub(1));
        (first, day_of(self.interval.end_us).max(first))
    }

    /// The parts of the stretch before and after its whole days.
    fn edges(&self) -> Vec<Interval> {
        let (first, end) = self.whole();
        let Interval { start_us, end_us } = self.interval;
        if first >= end {
            return vec![self.interval];
        }
        let parts = [(start_us, day_start(first)), (day_start(end), end_us)];
        let parts = parts.into_iter().filter(|(start_us, end_us)| start_us < end_us);
        parts.map(|(start_us, end_us)| Interval { start_us, end_us }).collect()
    }

    /// SQL for the rows of the seals of some days; `None` if there are none.
    fn of_seals<'a>(&'a self, keep: impl Fn(&&'a DaySeal) -> bool) -> Option<String> {
        let tags: Vec<String> =
            self.days.iter().filter(keep).map(|day| format!("({}, {})", day.day, day.seal)).collect();
        (self.is_readable && !tags.is_empty()).then(|| format!("(day, seal) IN ({})", tags.join(", ")))
    }

    fn is_whole(&self, day: &DaySeal) -> bool {
        let (first, end) = self.whole();
        (first..end).contains(&day.day)
    }

    /// SQL for sums of work from sealed days and voided shares: machine, chain, target, subsidy, shares and credited
    /// difficulty. A group may come more than once. Together with the rows that [`Self::above`] keeps they add up to
    /// the work that counts. `None` if there are none. `condition` is SQL over the columns of `work_5m` without those
    /// of the block, the time and the sums.
    ///
    /// With `voids`, voided shares are subtracted, as in [`crate::sealed::work_rows`].
    #[must_use]
    pub fn work_sums(&self, condition: &str, voids: bool) -> Option<String> {
        let summed = |from: &str, kept: &str| {
            format!("SELECT {SUMMED} FROM {from} AS work WHERE {kept} GROUP BY {GROUPED}")
        };
        let mut parts = Vec::new();
        if let Some(of_seals) = self.of_seals(|day| self.is_whole(day)) {
            parts.push(summed("sealed_work_1d", &format!("{of_seals} AND ({condition})")));
        }
        if let Some(of_seals) = self.of_seals(|day| !self.is_whole(day)) {
            let edges = within(&self.edges());
            parts.push(summed("sealed_work_5m", &format!("{of_seals} AND {edges} AND ({condition})")));
        }
        if voids {
            let Interval { start_us, end_us } = self.interval;
            let voided = voided_work(&start_us.to_string(), &end_us.to_string(), condition);
            parts.push(summed(&format!("({voided})"), "1"));
        }
        (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
    }

    /// SQL that keeps the rows of `work_5m` of the stretch that the seals do not hold; `None` if there are none. They
    /// are of all attempts; the caller looks up the commits and counts the committed ones.
    #[must_use]
    pub fn above(&self, above: &AboveSeals) -> Option<String> {
        let of = |(partition, first): (&u32, &u64)| format!("(partition = {partition} AND block >= {first})");
        let blocks: Vec<String> = above.0.iter().map(of).collect();
        (!blocks.is_empty()).then(|| format!("{} AND ({})", within(&[self.interval]), blocks.join(" OR ")))
    }
}

#[cfg(test)]
mod tests {
    use wb_units::Micros;

    use super::*;

    const OCTOBER_US: Micros = 1_790_812_800_000_000;
    const DAY: i32 = 20_727;

    fn seals(start_us: Micros, end_us: Micros, days: &[i32]) -> StretchSeals {
        let seal = |day: &i32| DaySeal {
            day: *day,
            seal: 7,
            cut: 90,
            commit_offset: 95,
            seal_hash: [1; 32],
            blocks: 2,
            blocks_root: [2; 32],
            readable: true,
            last_offset: 99,
            counts: true,
        };
        let days = days.iter().map(seal).collect();
        let interval = Interval { start_us, end_us };
        StretchSeals::new(&SealsAt { cut: 100, days, end: 100, is_readable: true }, interval)
    }

    #[test]
    fn whole_days_are_read_by_the_day_and_the_rest_by_the_interval() {
        let noon = OCTOBER_US + DAY_US / 2;
        let days: Vec<i32> = (DAY - 1..DAY + 5).collect();
        let part = seals(noon, noon + 3 * DAY_US, &days);
        assert_eq!(part.whole(), (DAY + 1, DAY + 3));
        let (first, second) = (OCTOBER_US + DAY_US, OCTOBER_US + 3 * DAY_US);
        assert_eq!(
            part.edges(),
            [
                Interval { start_us: noon, end_us: first },
                Interval { start_us: second, end_us: noon + 3 * DAY_US }
            ]
        );
        let sums = part.work_sums("1", false).unwrap();
        assert!(
            sums.contains("sealed_work_1d AS work WHERE (day, seal) IN ((20728, 7), (20729, 7)) AND"),
            "{sums}"
        );
        assert!(
            sums.contains("sealed_work_5m AS work WHERE (day, seal) IN ((20727, 7), (20730, 7)) AND"),
            "{sums}"
        );
        assert!(!sums.contains("FROM shares"), "{sums}");
        assert!(part.work_sums("1", true).unwrap().contains("FROM shares"));
        assert_eq!(part.above(&AboveSeals::default()), None);
        let above = part.above(&AboveSeals([(0, 12), (3, 7)].into())).unwrap();
        assert!(
            above.contains("((partition = 0 AND block >= 12) OR (partition = 3 AND block >= 7))"),
            "{above}"
        );
    }

    #[test]
    fn a_whole_month_asks_only_days() {
        let month = seals(OCTOBER_US, OCTOBER_US + 2 * DAY_US, &[DAY, DAY + 1]);
        assert!(month.edges().is_empty());
        assert!(!month.work_sums("1", false).unwrap().contains("sealed_work_5m"));
        assert_eq!(seals(OCTOBER_US, OCTOBER_US + DAY_US, &[]).work_sums("1", false), None);
    }

    #[test]
    fn a_stretch_inside_a_day_is_all_edge() {
        let hour = seals(OCTOBER_US + 5, OCTOBER_US + 3_600_000_000, &[DAY]);
        assert_eq!(hour.edges(), [hour.interval]);
        assert!(!hour.work_sums("1", false).unwrap().contains("sealed_work_1d"));
    }

    #[test]
    fn collected_seals_are_not_read() {
        let days = seals(OCTOBER_US, OCTOBER_US + 2 * DAY_US, &[DAY]).days;
        let collected = SealsAt { cut: 100, days, end: 100, is_readable: false };
        assert_eq!(collected.blocks_from(), 0);
        let interval = Interval { start_us: OCTOBER_US, end_us: OCTOBER_US + 2 * DAY_US };
        let month = StretchSeals::new(&collected, interval);
        assert_eq!(month.work_sums("1", false), None);
    }
}
