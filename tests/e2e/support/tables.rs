//! Asking the ClickHouse engine directly, with the same rule as every reader: only committed blocks count.

use super::curl::{bearer, try_request};
use super::place::Place;

/// Rows count if they belong to the attempt that was committed.
pub(crate) const COMMITTED: &str =
    "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest)";

/// The answer to a question, as tab-separated text without its last line end.
pub(crate) fn ask(place: &Place, sql: &str) -> Result<String, String> {
    let url = format!("http://127.0.0.1:{}/?database=weighbridge", place.clickhouse_port);
    let headers = [
        "X-ClickHouse-User: weighbridge".to_owned(),
        format!("X-ClickHouse-Key: {}", place.clickhouse_password()),
    ];
    let answer = try_request(&url, &headers, Some(sql.as_bytes()))?;
    if answer.status != 200 {
        return Err(format!("{sql}: status {}: {}", answer.status, answer.body));
    }
    Ok(answer.body.trim_end_matches('\n').to_owned())
}

pub(crate) fn count(place: &Place, sql: &str) -> Result<u64, String> {
    ask(place, sql)?.parse().map_err(|error| format!("{sql}: {error}"))
}

/// Whether the engine refuses queries without its password.
pub(crate) fn refuses_strangers(place: &Place) -> bool {
    let url = format!("http://127.0.0.1:{}/?database=weighbridge", place.clickhouse_port);
    try_request(&url, &[bearer("nobody")], Some(b"SELECT 1")).is_ok_and(|answer| answer.status != 200)
}
