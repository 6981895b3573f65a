//! The parts of queries: committed rows, the versions of facts, and the rows of work in a scope.

use wb_auth::TenantScope;

use super::Selection;
use crate::conditions::{boundary, committed_among, voided_shares};
use crate::sealed::work_rows;
use crate::tenant::only_own;

/// The name of the query parameter that holds a [`Selection`]'s value.
pub(super) const SELECTED_PARAMETER: &str = "selected";

/// The end of an interval that has no end.
pub(super) const FOREVER_US: i64 = i64::MAX;

/// The versions of a kind of fact: `entity`, `body` and the interval `[start_us, end_us)` in
/// which it holds.
///
/// A version takes effect at the first boundary at or after its start. It holds until its own end, or until the next
/// version of the same entity takes effect. Of two with the same start the later recorded one holds. This is the rule
/// of [`wb_units::timeline::Timeline`]; a test compares the two on random histories. All facts of an entity lie in
/// one partition, so (block, idx) is the order of recording.
pub(super) fn versions(kind: &'static str) -> String {
    let committed = committed_among("facts", &format!("kind = '{kind}'"));
    let from = boundary("valid_from_us");
    let to = boundary("assumeNotNull(valid_to_us)");
    format!(
        "SELECT entity, body, start_us, end_us FROM (
           SELECT entity, body, {from} AS start_us,
             least(
               leadInFrame({from}, 1, toInt64({FOREVER_US})) OVER in_order,
               if(isNull(valid_to_us), toInt64({FOREVER_US}), {to})
             ) AS end_us
           FROM facts WHERE kind = '{kind}' AND {committed}
           WINDOW in_order AS (PARTITION BY entity ORDER BY valid_from_us, partition, block, idx
             ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
         ) WHERE start_us < end_us"
    )
}

/// The assignments of machines to customers within the scope: `machine_id`, `customer_id`, `contract_id`, `start_us`,
/// `end_us`. Intervals of one machine never overlap.
pub(super) fn assignments(scope: &TenantScope) -> String {
    // Applied outside the window function, because the next assignment bounds the interval even if it is another
    // customer's.
    format!(
        "SELECT entity AS machine_id, JSONExtractString(body, 'customer_id') AS customer_id,
           JSONExtractString(body, 'contract_id') AS contract_id, start_us, end_us
         FROM ({}) WHERE {}",
        versions("assignment"),
        only_own(scope, "customer_id"),
    )
}

/// Joins rows of machines and settlement intervals (`rows`, with `site_id`, `machine_id` and the start `at_us`) with
/// the scope and the selection.
///
/// Assignments change on boundaries only, so a settlement interval belongs to one customer.
pub(super) fn allowed(rows: &str, scope: &TenantScope, selection: &Selection) -> String {
    let selected = match selection {
        Selection::All => "1".to_owned(),
        Selection::Site(_) => format!("r.site_id = {{{SELECTED_PARAMETER}:String}}"),
        Selection::Machine(_) => format!("r.machine_id = {{{SELECTED_PARAMETER}:String}}"),
        Selection::Customer(_) => format!("a.assigned_customer_id = {{{SELECTED_PARAMETER}:String}}"),
    };
    let needs_assignment = scope.customer().is_some() || matches!(selection, Selection::Customer(_));
    if !needs_assignment {
        return format!("SELECT r.* FROM ({rows}) AS r WHERE {selected}");
    }
    format!(
        "SELECT r.* FROM ({rows}) AS r INNER JOIN (
           SELECT machine_id AS assigned_machine_id, customer_id AS assigned_customer_id,
             start_us AS assigned_from_us, end_us AS assigned_to_us FROM ({})
         ) AS a ON a.assigned_machine_id = r.machine_id
         WHERE r.at_us >= a.assigned_from_us AND r.at_us < a.assigned_to_us AND {selected}",
        assignments(scope)
    )
}

/// Rows of work in `[from, to)` within scope and selection.
pub(super) fn work(scope: &TenantScope, selection: &Selection) -> String {
    let rows = format!(
        "SELECT site_id, machine_id, interval_start_us AS at_us, chain, nbits, subsidy_sat, verdict, reason, shares,
           credited_q32, credited_q32_squared, blocks, largest_q32
         FROM ({})",
        work_rows("{from:Int64}", "{to:Int64}", "1")
    );
    allowed(&rows, scope, selection)
}

/// Bins of equal width in which positions below the target are counted.
pub(super) const POSITION_BINS: usize = 1_024;

/// Accepted shares in `[from, to)` within scope and selection, each with the bin of its hash below its target.
///
/// The target of difficulty q32 / 2^32 is 0xffff x 2^240 / q32, so the bin is
/// floor(hash x q32 x 1024 / (0xffff x 2^240)), in integers. An accepted hash is at most its
/// target, so the product has at most 256 bits. `hash` is little-endian, as is UInt256.
pub(super) fn positions(scope: &TenantScope, selection: &Selection) -> String {
    let accepted = "event_time_us >= {from:Int64} AND event_time_us < {to:Int64} AND verdict = 'accepted'";
    let rows = format!(
        "SELECT site_id, machine_id, event_time_us AS at_us, chain, share_id,
           toUInt16(least({}, intDiv(
             bitShiftRight(reinterpretAsUInt256(hash) * toUInt256(credited_q32), 230), 65535))) AS bin
         FROM shares WHERE {accepted} AND {} AND NOT ({})",
        POSITION_BINS - 1,
        committed_among("shares", accepted),
        voided_shares()
    );
    allowed(&rows, scope, selection)
}

/// The versions of machines, cut to `[from, to)` and to the scope and selection: `machine_id`, `body`, `start_us`,
/// `end_us`.
pub(super) fn machine_windows(scope: &TenantScope, selection: &Selection) -> String {
    let versions = versions("machine");
    let all = match scope {
        TenantScope::Operator => {
            format!("SELECT entity AS machine_id, body, start_us, end_us FROM ({versions})")
        }
        TenantScope::Customer(_) => format!(
            "SELECT a.machine_id AS machine_id, m.body AS body,
               greatest(a.start_us, m.start_us) AS start_us, least(a.end_us, m.end_us) AS end_us
             FROM ({}) AS a INNER JOIN ({versions}) AS m ON m.entity = a.machine_id",
            assignments(scope)
        ),
    };
    let selected = match selection {
        Selection::All | Selection::Customer(_) => "1".to_owned(),
        Selection::Site(_) => {
            format!("JSONExtractString(body, 'site_id') = {{{SELECTED_PARAMETER}:String}}")
        }
        Selection::Machine(_) => format!("machine_id = {{{SELECTED_PARAMETER}:String}}"),
    };
    format!(
        "SELECT machine_id, body, greatest(start_us, {{from:Int64}}) AS from_us,
           least(end_us, {{to:Int64}}) AS to_us
         FROM ({all}) WHERE from_us < to_us AND {selected}"
    )
}

/// SQL for the start of the bucket of `at_us`.
pub(super) const BUCKET_START: &str =
    "toInt64({from:Int64} + intDiv(at_us - {from:Int64}, {bucket:Int64}) * {bucket:Int64})";

#[cfg(test)]
mod tests {
    use super::*;
    use wb_auth::CustomerId;

    #[test]
    fn a_customers_rows_are_always_joined_with_its_assignments() {
        let customer = TenantScope::Customer(CustomerId::new("acme").unwrap());
        let selections = [
            Selection::All,
            Selection::Site("s".into()),
            Selection::Machine("m".into()),
            Selection::Customer("birch".into()),
        ];
        for selection in &selections {
            let sql = work(&customer, selection);
            assert!(sql.contains("INNER JOIN"), "{sql}");
            assert!(sql.contains("customer_id = {tenant_customer:String}"), "{sql}");
            assert!(!sql.contains("birch") && !sql.contains("acme"), "values travel as parameters: {sql}");
        }
    }
}
