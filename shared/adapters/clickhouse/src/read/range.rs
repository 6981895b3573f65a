//! Time ranges, buckets and pages, with their limits.

use wb_units::time::Micros;
use wb_units::{Interval, SETTLEMENT_INTERVAL_US};

use crate::error::StoreError;

/// Points of one series: a week of settlement intervals.
pub const MAX_BUCKETS: i64 = 2_016;

/// The longest range of a statistic, in microseconds: 31 days.
pub const STATISTICS_MAX_US: i64 = 31 * 86_400_000_000;

pub const PAGE_MAX_ROWS: u32 = 1_000;

/// A half-open range of time, cut into buckets that start at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesRange {
    from_us: Micros,
    to_us: Micros,
    bucket_us: i64,
}

/// One bucket of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// Its first instant, UTC microseconds.
    pub start_us: Micros,
    /// The first instant after it, UTC microseconds.
    pub end_us: Micros,
}

impl SeriesRange {
    /// Creates a range with ends on the settlement grid.
    ///
    /// # Errors
    /// [`StoreError::Range`] if an end is off the grid, the range is empty, the bucket is not a multiple of the
    /// settlement interval, or there are more than [`MAX_BUCKETS`].
    pub fn new(from_us: Micros, to_us: Micros, bucket_us: i64) -> Result<Self, StoreError> {
        let refuse = |problem: String| Err(StoreError::Range { problem });
        if from_us % SETTLEMENT_INTERVAL_US != 0 || to_us % SETTLEMENT_INTERVAL_US != 0 {
            return refuse("from and to must lie on full five minutes, such as 2026-10-01T00:05:00Z".into());
        }
        if from_us >= to_us || from_us < 0 {
            return refuse("from must lie before to, and not before 1970".into());
        }
        if bucket_us <= 0 || bucket_us % SETTLEMENT_INTERVAL_US != 0 {
            return refuse("a bucket must be a positive multiple of 5 minutes".into());
        }
        let buckets = to_us.saturating_sub(from_us).saturating_sub(1) / bucket_us + 1;
        if buckets > MAX_BUCKETS {
            return refuse(format!(
                "the range holds {buckets} buckets, at most {MAX_BUCKETS} are given: widen the bucket"
            ));
        }
        Ok(Self { from_us, to_us, bucket_us })
    }

    /// The whole range as one bucket.
    ///
    /// # Errors
    /// As [`SeriesRange::new`].
    pub fn whole(from_us: Micros, to_us: Micros) -> Result<Self, StoreError> {
        Self::new(from_us, to_us, to_us.saturating_sub(from_us))
    }

    /// Refuses a range longer than 31 days.
    pub(crate) fn at_most_31_days(self) -> Result<(), StoreError> {
        if self.to_us.saturating_sub(self.from_us) > STATISTICS_MAX_US {
            return Err(StoreError::Range { problem: "the range is longer than 31 days: shorten it".into() });
        }
        Ok(())
    }

    /// Its first instant.
    #[must_use]
    pub fn from_us(&self) -> Micros {
        self.from_us
    }

    /// The first instant after it.
    #[must_use]
    pub fn to_us(&self) -> Micros {
        self.to_us
    }

    /// The length of its buckets; the last may be shorter.
    #[must_use]
    pub fn bucket_us(&self) -> i64 {
        self.bucket_us
    }

    /// The range as an interval.
    pub(crate) fn interval(self) -> Interval {
        Interval { start_us: self.from_us, end_us: self.to_us }
    }

    /// Sets the parameters `from`, `to` and `bucket` of a query.
    pub(crate) fn bind(self, query: clickhouse::query::Query) -> clickhouse::query::Query {
        query.param("from", self.from_us).param("to", self.to_us).param("bucket", self.bucket_us)
    }

    /// The bucket that starts at an instant. The last one ends where the range ends.
    #[must_use]
    pub fn bucket_at(&self, start_us: Micros) -> Bucket {
        Bucket { start_us, end_us: start_us.saturating_add(self.bucket_us).min(self.to_us) }
    }
}

/// A request for a page: how many rows, after which cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    first: u32,
    after: String,
}

impl PageRequest {
    /// Creates a request for 1 to [`PAGE_MAX_ROWS`] rows after a cursor; the empty cursor is the start.
    ///
    /// # Errors
    /// [`StoreError::Range`] for another number of rows or an invalid cursor.
    pub fn new(first: u32, after: Option<String>) -> Result<Self, StoreError> {
        if first == 0 || first > PAGE_MAX_ROWS {
            return Err(StoreError::Range { problem: format!("first must be 1 to {PAGE_MAX_ROWS}") });
        }
        let after = after.unwrap_or_default();
        if after.len() > 128 {
            let problem = "after must be the endCursor of a page".to_owned();
            return Err(StoreError::Range { problem });
        }
        Ok(Self { first, after })
    }

    /// The same page with at most this many rows.
    pub(crate) fn at_most(&self, rows: u32) -> Self {
        Self { first: self.first.min(rows), after: self.after.clone() }
    }

    /// Rows of the page.
    #[must_use]
    pub fn first(&self) -> u32 {
        self.first
    }

    /// The cursor; empty at the start.
    #[must_use]
    pub fn after(&self) -> &str {
        &self.after
    }

    /// Rows to query: one more than the page holds, which shows whether another page follows.
    pub(crate) fn limit(&self) -> u32 {
        self.first.saturating_add(1)
    }

    /// Makes the page from the rows found and each row's cursor.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, cursor: impl Fn(&T) -> String) -> Page<T> {
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        let has_next = rows.len() > first;
        rows.truncate(first);
        let end_cursor = rows.last().map(cursor);
        Page { rows, end_cursor, has_next }
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// The `after` of the next page.
    pub end_cursor: Option<String>,
    /// Whether another page follows.
    pub has_next: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_US: i64 = 60_000_000;

    #[test]
    fn ranges_lie_on_the_grid_and_have_a_bounded_number_of_buckets() {
        let five = 5 * MINUTE_US;
        for (from, to, bucket, good) in [
            (0, five, five, true),
            (0, five * 3, five * 2, true),
            (0, five * MAX_BUCKETS, five, true),
            (0, five * (MAX_BUCKETS + 1), five, false),
            (0, five * (MAX_BUCKETS + 1), five * 2, true),
            (0, 0, five, false),
            (five, 0, five, false),
            (-five, five, five, false),
            (1, five, five, false),
            (0, five + 1, five, false),
            (0, five, MINUTE_US, false),
            (0, five, 0, false),
            (0, five, -five, false),
        ] {
            assert_eq!(SeriesRange::new(from, to, bucket).is_ok(), good, "{from} {to} {bucket}");
        }
        let range = SeriesRange::new(0, five * 3, five * 2).unwrap();
        assert_eq!(range.bucket_at(five * 2), Bucket { start_us: five * 2, end_us: five * 3 });
    }

    #[test]
    fn a_page_knows_whether_another_follows() {
        let request = PageRequest::new(2, None).unwrap();
        let page = request.page(vec![1, 2, 3], ToString::to_string);
        assert_eq!((page.rows, page.end_cursor.as_deref(), page.has_next), (vec![1, 2], Some("2"), true));
        let page = request.page(vec![1, 2], ToString::to_string);
        assert!(!page.has_next);
        assert!(PageRequest::new(0, None).is_err());
        assert!(PageRequest::new(1_001, None).is_err());
    }
}
