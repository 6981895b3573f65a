//! Conditions, as SQL, that decide which rows count: what is committed, what is not voided, and from when a fact holds.
//!
//! They are put together from columns and parameters; nothing that a caller gave is ever written into them.

use wb_units::SETTLEMENT_INTERVAL_US;

/// SQL that keeps the rows of blocks that are committed before the cut, among the rows of a table that a condition keeps.
/// Only the commits of those rows' blocks are looked up: a set of all commits would grow with the log for ever. It uses
/// the parameter `cut:UInt64`, and those of the condition, which stands by the table's own columns.
#[must_use]
pub(crate) fn committed_among(table: &str, condition: &str) -> String {
    format!(
        "(topic, partition, block, attempt) IN (SELECT topic, partition, block, attempt FROM manifest \
         WHERE (topic, partition, block) IN (SELECT topic, partition, block FROM {table} WHERE {condition}) \
         AND commit_offset < {{cut:UInt64}})"
    )
}

/// SQL for the first settlement boundary at or after an instant, as
/// `wb_units::time::boundary_at_or_after` has it.
pub(crate) fn boundary(column: &str) -> String {
    format!("({column} + toInt64(positiveModulo(-{column}, {SETTLEMENT_INTERVAL_US})))")
}

/// Keeps the rows of attempts committed at offsets in `[from, to)`, both given as SQL.
pub(crate) fn committed_between(from: &str, to: &str) -> String {
    format!(
        "(topic, partition, block, attempt) IN (\
           SELECT topic, partition, block, attempt FROM manifest \
           WHERE commit_offset >= {from} AND commit_offset < {to})"
    )
}

/// SQL for the ids of voided events.
pub(crate) const VOIDED_IDS: &str = "(SELECT toFixedString(unhex(arrayJoin({voided:Array(String)})), 16))";

/// SQL for the identity of an event by its sender's count, as `wb_events::identity::id_of` has it.
// Fixed strings are joined as they are: made into text they would lose their zeros.
pub(crate) const COUNTED_ID: &str = "toFixedString(substring(SHA256(concat(\
     reinterpretAsFixedString(toUInt64(length(source))), source, \
     reinterpretAsFixedString(toUInt64(length(source_key))), source_key, \
     reinterpretAsFixedString(source_epoch), reinterpretAsFixedString(sequence))), 1, 16), 16)";

/// SQL that keeps rows of events, with `event_id`, that are not voided.
#[must_use]
pub(crate) fn not_voided(event_id: &str) -> String {
    // Without voids the first half is a constant, and the id is not read.
    format!("(empty({{voided:Array(String)}}) OR {event_id} NOT IN {VOIDED_IDS})")
}

/// SQL that keeps shares that are voided: by their proof, or by their sender's count.
pub(crate) fn voided_shares() -> String {
    format!(
        "notEmpty({{voided:Array(String)}}) AND (share_id IN {VOIDED_IDS} OR \
         (has({{voided_sequences:Array(UInt64)}}, sequence) AND {COUNTED_ID} IN {VOIDED_IDS}))"
    )
}
