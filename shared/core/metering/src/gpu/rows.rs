//! Merges the rows of one allocation: a running job is reported open, and a later row closes it.

use std::collections::BTreeMap;

use super::Span;

/// Spans with one row each, and rows that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// One span for each run, in order of (start, allocation, node).
    pub spans: Vec<Span>,
    /// Rows with another end, account or number of GPUs than the row that stands.
    pub contradictions: Vec<Span>,
}

/// Merges rows, in any order and with any repeats. A requeued job begins again under its old id: another start is
/// another run. Of open rows the one that saw the longest time stands; a closed row stands over open ones. Of two
/// closed rows that differ, the one that saw the longest time stands and the other is a contradiction.
#[must_use]
pub fn merge(rows: &[Span]) -> Merged {
    let mut runs: BTreeMap<(i64, &str, &str), Vec<&Span>> = BTreeMap::new();
    for row in rows {
        runs.entry((row.start_us, &row.allocation_id, &row.node_id)).or_default().push(row);
    }
    let mut merged = Merged::default();
    for mut same in runs.into_values() {
        same.sort_by(|left, right| rank(right).cmp(&rank(left)));
        let Some((stands, others)) = same.split_first() else { continue };
        merged.spans.push((*stands).clone());
        let mut wrong: Vec<Span> = others
            .iter()
            .filter(|row| {
                let says_other_end = row.end_us.is_some() && row.end_us != stands.end_us;
                says_other_end || row.gpus != stands.gpus || row.account != stands.account
            })
            .map(|row| (*row).clone())
            .collect();
        wrong.dedup();
        merged.contradictions.append(&mut wrong);
    }
    merged
}

/// Closed before open, longer before shorter, then by all other fields, so that the order is total.
fn rank(row: &Span) -> (bool, u64, Option<i64>, u32, &str, &str) {
    (row.end_us.is_some(), row.elapsed_s, row.end_us, row.gpus, &row.account, &row.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start_us: i64, end_us: Option<i64>, elapsed_s: u64, state: &str) -> Span {
        Span {
            allocation_id: "48104".to_owned(),
            account: "acme".to_owned(),
            node_id: "n9".to_owned(),
            state: state.to_owned(),
            gpus: 2,
            start_us,
            end_us,
            elapsed_s,
        }
    }

    #[test]
    fn a_later_row_closes_an_open_one() {
        let open = row(0, None, 10, "RUNNING");
        let longer = row(0, None, 20, "RUNNING");
        let closed = row(0, Some(30_000_000), 30, "COMPLETED");
        for rows in [
            vec![open.clone(), longer.clone(), closed.clone()],
            vec![closed.clone(), open.clone(), longer.clone(), open.clone()],
        ] {
            assert_eq!(merge(&rows), Merged { spans: vec![closed.clone()], contradictions: vec![] });
        }
        assert_eq!(merge(&[longer.clone(), open]).spans, [longer]);
    }

    #[test]
    fn a_requeued_job_is_another_run_and_another_end_a_contradiction() {
        let first = row(0, Some(30_000_000), 30, "PREEMPTED");
        let again = row(40_000_000, None, 5, "RUNNING");
        let merged = merge(&[again.clone(), first.clone()]);
        assert_eq!((merged.spans, merged.contradictions), (vec![first.clone(), again], vec![]));
        let shorter = row(0, Some(20_000_000), 20, "COMPLETED");
        let merged = merge(&[shorter.clone(), first.clone()]);
        assert_eq!((merged.spans, merged.contradictions), (vec![first], vec![shorter]));
    }
}
