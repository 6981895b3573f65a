//! The work of a stretch of time as bills ask for it: whole sealed days by the day, the rest of the stretch by the
//! settlement interval, and what no seal holds yet from blocks.
//!
//! It comes to the same as [`crate::sealed::work_rows`]; a month of whole days is read from thirty rows of a machine
//! and not from 8,640. The SQL uses the parameter `cut:UInt64`, and those that the condition names.

use std::fmt::Write as _;

use clickhouse::Client;
use serde::Deserialize;
use wb_events::names::{ALL_DAYS, SEAL_VERSION};
use wb_units::{Interval, Micros};

use crate::error::{StoreError, query_failed};
use crate::sealed::{DAY_US, named_between, sealed_cut_query, voided_work};

/// The columns of [`StretchSeals::work_sums`].
const SUMMED: &str = "machine_id, chain, nbits, subsidy_sat, shares, credited_q32";

/// The seals of the days of a stretch, as of a reader's cut.
///
/// They are asked for before each query, for the reason that [`sealed_cut_query`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StretchSeals {
    interval: Interval,
    /// Up to which cut sealed days are read; 0 where there is none.
    sealed_cut: u64,
    /// The seals of days that the stretch touches, in order.
    days: Vec<DaySeal>,
}

#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, Deserialize)]
struct DaySeal {
    day: i32,
    seal: u64,
    form: u32,
    cut: u64,
}

fn day_of(at_us: Micros) -> i32 {
    i32::try_from(at_us.div_euclid(DAY_US)).unwrap_or(if at_us < 0 { i32::MIN } else { i32::MAX })
}

fn start_of(day: i32) -> Micros {
    i64::from(day).saturating_mul(DAY_US)
}

/// SQL for rows of settlement intervals that start in one of some stretches.
fn within(stretches: &[Interval]) -> String {
    let mut sql = String::from("(0");
    for Interval { start_us, end_us } in stretches {
        // Writing into text does not fail.
        let _ = write!(sql, " OR (interval_start_us >= {start_us} AND interval_start_us < {end_us})");
    }
    sql.push(')');
    sql
}

impl StretchSeals {
    /// Asks for the seals of a stretch that a reader at `cut`, an offset in `names`, goes by.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn read(client: &Client, interval: Interval, cut: u64) -> Result<Self, StoreError> {
        let (first, last) = (day_of(interval.start_us), day_of(interval.end_us.saturating_sub(1)));
        let sql = format!(
            "SELECT day, argMax(seals.seal, seals.cut) AS seal, argMax(seals.form, seals.cut) AS form, \
               max(seals.cut) AS cut \
             FROM seals WHERE names_offset < {{cut:UInt64}} AND (day = {ALL_DAYS} OR day BETWEEN {first} AND {last}) \
               AND seals.cut <= ({}) \
             GROUP BY day ORDER BY day",
            sealed_cut_query()
        );
        let rows: Vec<DaySeal> = client
            .query_raw(&sql)
            .param("cut", cut)
            .fetch_all()
            .await
            .map_err(query_failed("find the seals"))?;
        let sealed_cut = rows.iter().find(|row| row.day == ALL_DAYS).map_or(0, |row| row.cut);
        let days = rows.into_iter().filter(|row| row.day != ALL_DAYS).collect();
        Ok(Self { interval, sealed_cut, days })
    }

    /// The days that lie in the stretch whole: the first, and the one after the last.
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
        let parts = [(start_us, start_of(first)), (start_of(end), end_us)];
        let parts = parts.into_iter().filter(|(start_us, end_us)| start_us < end_us);
        parts.map(|(start_us, end_us)| Interval { start_us, end_us }).collect()
    }

    /// SQL for the rows of the seals of some days; `None` where none of them is sealed.
    fn of_seals<'a>(&'a self, keep: impl Fn(&&'a DaySeal) -> bool) -> Option<String> {
        let tags: Vec<String> =
            self.days.iter().filter(keep).map(|day| format!("({}, {})", day.day, day.seal)).collect();
        (!tags.is_empty()).then(|| format!("(day, seal) IN ({})", tags.join(", ")))
    }

    fn is_whole(&self, day: &DaySeal) -> bool {
        let (first, end) = self.whole();
        (first..end).contains(&day.day)
    }

    /// SQL for rows of blocks that the seals do not hold; by the block's number first, as in [`crate::sealed`].
    fn above(&self) -> String {
        let from = self.sealed_cut;
        format!(
            "{} AND block IN (SELECT block FROM manifest WHERE names_offset >= {from} AND names_offset < {{cut:UInt64}}) \
             AND {}",
            within(&[self.interval]),
            named_between(&from.to_string(), "{cut:UInt64}")
        )
    }

    /// Rows of work whose sums are those of the work that counts: machine, chain, target, subsidy, shares and
    /// credited difficulty. `condition` is SQL over the columns of `work_5m` but those of the block and the time.
    ///
    /// With `voids`, what voided shares counted for is taken away, as [`crate::sealed::work_rows`] says it.
    #[must_use]
    pub fn work_sums(&self, condition: &str, voids: bool) -> String {
        let mut parts = Vec::new();
        if let Some(of_seals) = self.of_seals(|day| self.is_whole(day)) {
            parts.push(format!("SELECT {SUMMED} FROM sealed_work_1d WHERE {of_seals} AND ({condition})"));
        }
        if let Some(of_seals) = self.of_seals(|day| !self.is_whole(day)) {
            let edges = within(&self.edges());
            parts.push(format!(
                "SELECT {SUMMED} FROM sealed_work_5m WHERE {of_seals} AND {edges} AND ({condition})"
            ));
        }
        parts.push(format!("SELECT {SUMMED} FROM work_5m WHERE {} AND ({condition})", self.above()));
        if voids {
            let Interval { start_us, end_us } = self.interval;
            let voided = voided_work(&start_us.to_string(), &end_us.to_string(), condition);
            parts.push(format!("SELECT {SUMMED} FROM ({voided})"));
        }
        parts.join(" UNION ALL ")
    }

    /// Rows of machine, topic, partition and a list of blocks: together, the blocks that hold work of the machine
    /// which counts, each once or more. `condition` is SQL over the machine.
    #[must_use]
    pub fn work_blocks(&self, condition: &str) -> String {
        let is_listed = |day: &&DaySeal| self.is_whole(day) && day.form >= SEAL_VERSION;
        let mut parts = Vec::new();
        if let Some(of_seals) = self.of_seals(is_listed) {
            parts.push(format!(
                "SELECT machine_id, topic, partition, blocks FROM sealed_work_blocks WHERE {of_seals} AND ({condition})"
            ));
        }
        // Of a part of a day, and of days sealed without lists, only the blocks' own rows tell it.
        let mut unlisted =
            if self.days.iter().all(|day| self.is_whole(day)) { Vec::new() } else { self.edges() };
        let whole_unlisted = self.days.iter().filter(|day| self.is_whole(day) && !is_listed(day));
        unlisted.extend(whole_unlisted.map(|day| Interval {
            start_us: start_of(day.day),
            end_us: start_of(day.day).saturating_add(DAY_US),
        }));
        let accepted = format!("verdict = 'accepted' AND ({condition})");
        let of_blocks = |counts: &str| {
            format!(
                "SELECT machine_id, topic, partition, [block] AS blocks FROM (\
                   SELECT DISTINCT machine_id, topic, partition, block FROM work_5m WHERE {accepted} AND {counts})"
            )
        };
        if !unlisted.is_empty() {
            let named = named_between("0", &self.sealed_cut.to_string());
            parts.push(of_blocks(&format!("{} AND {named}", within(&unlisted))));
        }
        parts.push(of_blocks(&self.above()));
        parts.join(" UNION ALL ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCTOBER_US: Micros = 1_790_812_800_000_000;
    const DAY: i32 = 20_727;

    fn seals(start_us: Micros, end_us: Micros, forms: &[(i32, u32)]) -> StretchSeals {
        let day = |(day, form): &(i32, u32)| DaySeal { day: *day, seal: 7, form: *form, cut: 90 };
        let interval = Interval { start_us, end_us };
        StretchSeals { interval, sealed_cut: 100, days: forms.iter().map(day).collect() }
    }

    #[test]
    fn whole_days_are_read_by_the_day_and_the_rest_by_the_interval() {
        let noon = OCTOBER_US + DAY_US / 2;
        let part = seals(noon, noon + 3 * DAY_US, &[(DAY, 2), (DAY + 1, 2), (DAY + 2, 2), (DAY + 3, 2)]);
        assert_eq!(part.whole(), (DAY + 1, DAY + 3));
        let (first, second) = (OCTOBER_US + DAY_US, OCTOBER_US + 3 * DAY_US);
        assert_eq!(
            part.edges(),
            [
                Interval { start_us: noon, end_us: first },
                Interval { start_us: second, end_us: noon + 3 * DAY_US }
            ]
        );
        let sums = part.work_sums("1", false);
        assert!(sums.contains("sealed_work_1d WHERE (day, seal) IN ((20728, 7), (20729, 7)) AND"), "{sums}");
        assert!(sums.contains("sealed_work_5m WHERE (day, seal) IN ((20727, 7), (20730, 7)) AND"), "{sums}");
        assert!(sums.contains("names_offset >= 100") && !sums.contains("FROM shares"), "{sums}");
        assert!(part.work_sums("1", true).contains("FROM shares"));
        let lists = part.work_blocks("1");
        assert!(
            lists.contains("sealed_work_blocks WHERE (day, seal) IN ((20728, 7), (20729, 7))"),
            "{lists}"
        );
        assert!(lists.contains("names_offset >= 0 AND names_offset < 100"), "{lists}");
    }

    #[test]
    fn a_whole_month_asks_only_seals_and_what_is_above_them() {
        let month = seals(OCTOBER_US, OCTOBER_US + 2 * DAY_US, &[(DAY, 2), (DAY + 1, 2)]);
        assert!(month.edges().is_empty());
        assert!(!month.work_sums("1", false).contains("sealed_work_5m"));
        assert_eq!(month.work_blocks("1").matches("FROM work_5m").count(), 1);
        assert_eq!(
            seals(OCTOBER_US, OCTOBER_US + DAY_US, &[]).work_sums("1", false).matches("SELECT mach").count(),
            1
        );
    }

    #[test]
    fn a_day_sealed_without_lists_is_asked_of_its_blocks() {
        let old = seals(OCTOBER_US, OCTOBER_US + 2 * DAY_US, &[(DAY, 1), (DAY + 1, 2)]);
        let lists = old.work_blocks("1");
        assert!(lists.contains("sealed_work_blocks WHERE (day, seal) IN ((20728, 7))"), "{lists}");
        let end = OCTOBER_US + DAY_US;
        let range = format!("(0 OR (interval_start_us >= {OCTOBER_US} AND interval_start_us < {end}))");
        assert!(lists.contains(&range), "{lists}");
    }

    #[test]
    fn a_stretch_inside_a_day_is_all_edge() {
        let hour = seals(OCTOBER_US + 5, OCTOBER_US + 3_600_000_000, &[(DAY, 2)]);
        assert_eq!(hour.edges(), [hour.interval]);
        assert!(!hour.work_sums("1", false).contains("sealed_work_1d"));
        assert!(!hour.work_blocks("1").contains("sealed_work_blocks"));
    }
}
