//! Times of machines that limit a query: when they stood at a site or were assigned.

use clickhouse::query::Query;
use wb_units::Interval;

/// The times as a table: `of_machine`, `from_us`, `to_us`.
pub(super) const TIMES: &str = "SELECT tupleElement(time, 1) AS of_machine, tupleElement(time, 2) AS from_us, \
       tupleElement(time, 3) AS to_us \
     FROM (SELECT arrayJoin(arrayZip({time_machines:Array(String)}, {time_starts:Array(Int64)}, \
       {time_ends:Array(Int64)})) AS time)";

/// Machines with their times, as the parameters of [`TIMES`].
#[derive(Debug, Default)]
pub(super) struct Times {
    machines: Vec<String>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Times {
    pub(super) fn push(&mut self, machine_id: &str, interval: Interval) {
        self.machines.push(machine_id.to_owned());
        self.starts.push(interval.start_us);
        self.ends.push(interval.end_us);
    }

    pub(super) fn bind(&self, query: Query) -> Query {
        query
            .param("time_machines", &self.machines)
            .param("time_starts", &self.starts)
            .param("time_ends", &self.ends)
    }
}

/// Joins rows (`rows`, with `machine_id` and the instant `at`) with the times.
pub(super) fn within_times(columns: &str, rows: &str, at: &str) -> String {
    format!(
        "SELECT {columns} FROM ({rows}) AS r INNER JOIN ({TIMES}) AS t ON t.of_machine = r.machine_id \
         WHERE r.{at} >= t.from_us AND r.{at} < t.to_us"
    )
}
