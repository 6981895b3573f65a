//! SQL conditions that select the rows that count: committed rows, rows that are not voided, and the start of a fact.
//!
//! They consist of columns and parameters; no value of a caller is written into them.

use wb_units::SETTLEMENT_INTERVAL_US;

/// SQL that keeps the rows of blocks committed before the cut, among the rows of a table that match a condition. Only
/// the commits of these blocks are looked up, because the set of all commits grows with the log. It uses the
/// parameter `cut:UInt64` and those of the condition, which uses the table's own columns.
#[must_use]
pub(crate) fn committed_among(table: &str, condition: &str) -> String {
    format!(
        "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest \
         WHERE (topic, partition, block) IN (SELECT topic, partition, block FROM {table} WHERE {condition}) \
         AND commit_offset < {{cut:UInt64}})"
    )
}

/// SQL for the first settlement boundary at or after an instant; the same as `wb_units::time::boundary_at_or_after`.
pub(crate) fn boundary(column: &str) -> String {
    format!("({column} + toInt64(positiveModulo(-{column}, {SETTLEMENT_INTERVAL_US})))")
}

/// SQL that keeps the rows of attempts committed at offsets in `[from, to)`; both are SQL.
pub(crate) fn committed_between(from: &str, to: &str) -> String {
    format!(
        "(topic, partition, block, attempt) IN (\
           SELECT topic, partition, block, attempt FROM manifest \
           WHERE commit_offset >= {from} AND commit_offset < {to})"
    )
}

/// SQL for the ids of voided events.
pub(crate) const VOIDED_IDS: &str = "(SELECT toFixedString(unhex(arrayJoin({voided:Array(String)})), 16))";

/// SQL for the identity of an event that its sender counted; the same as `wb_events::identity::id_of`.
// Joined as fixed strings, because text would lose zero bytes.
pub(crate) const COUNTED_ID: &str = "toFixedString(substring(SHA256(concat(\
     reinterpretAsFixedString(toUInt64(length(source))), source, \
     reinterpretAsFixedString(toUInt64(length(source_key))), source_key, \
     reinterpretAsFixedString(source_epoch), reinterpretAsFixedString(sequence))), 1, 16), 16)";

/// SQL that keeps rows with an `event_id` that is not voided.
#[must_use]
pub(crate) fn not_voided(event_id: &str) -> String {
    // Without voids the first half is constant, and the id is not read.
    format!("(empty({{voided:Array(String)}}) OR {event_id} NOT IN {VOIDED_IDS})")
}

/// SQL that keeps voided shares, by proof or by the sender's count.
pub(crate) fn voided_shares() -> String {
    format!(
        "notEmpty({{voided:Array(String)}}) AND (share_id IN {VOIDED_IDS} OR \
         (has({{voided_sequences:Array(UInt64)}}, sequence) AND {COUNTED_ID} IN {VOIDED_IDS}))"
    )
}
