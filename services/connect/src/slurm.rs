//! Slurm's accounting rows become GPU spans.
//!
//! An output of `sacct -P` is read whole. A run of a job is one span; while it goes on it is told open, and closed by a
//! later output. The identity of a span is what it says, so whatever is sent again is the same event, and what says
//! something else is another one: it is told beside the first, never over it.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use wb_metering::gpu::Span;
use wb_metering::gpu::rows::merge;
use wb_metering::gpu::sacct::{self, RowOutcome};

use crate::sent::Sent;
use crate::{ConnectError, Ingest, Stop, id_of, short_hash};

/// Spans that are sent at once.
const SPANS_AT_ONCE: usize = 1_000;
/// The longest id of a node, account or cluster.
const ID_BYTES_MAX: usize = 64;

/// How to read rows.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's name: two clusters may give a job the same id.
    pub cluster: String,
    /// The IANA time zone its times are in.
    pub zone: String,
    /// Machines by node name; a node that is not here is a machine of its own name.
    pub nodes: HashMap<String, String>,
    /// Where it is kept what was acknowledged.
    pub position: PathBuf,
}

/// A row that is not sent, or an event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The line in the output, from 1; 0 where it is about several.
    pub line: usize,
    pub job_id: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Spans that ingest took.
    pub taken: u64,
    /// Spans that were acknowledged by an earlier run.
    pub known: u64,
    /// Rows that hold no GPU time: steps, jobs that never started or held no GPU.
    pub nothing: u64,
    /// Rows that contradict themselves or each other.
    pub quarantined: Vec<Trouble>,
    /// Spans that ingest refused; they are sent again the next time.
    pub refused: Vec<Trouble>,
}

/// Sends the spans of an output.
///
/// # Errors
/// [`ConnectError`] where the output cannot be read as a whole or ingest refuses this connector.
pub async fn run(
    options: &Options,
    output: &str,
    ingest: &Ingest,
    stop: &Stop,
) -> Result<Summary, ConnectError> {
    let mut summary = Summary::default();
    let mut spans = Vec::new();
    for outcome in sacct::parse_in_zone(output, &options.zone).map_err(ConnectError::Sacct)? {
        match outcome {
            RowOutcome::Span(span) => spans.push(span),
            RowOutcome::Nothing { .. } => summary.nothing += 1,
            RowOutcome::Quarantined { line, job_id, reason } => {
                summary.quarantined.push(Trouble { line, job_id, reason });
            }
        }
    }
    let merged = merge(&spans);
    summary.quarantined.extend(merged.contradictions.into_iter().map(|span| Trouble {
        line: 0,
        reason: format!(
            "another row of this run says {} GPUs of {:?} until {}: the one that saw it longer stands",
            span.gpus,
            span.account,
            span.end_us.map_or_else(|| "now".to_owned(), |end_us| end_us.to_string())
        ),
        job_id: span.allocation_id,
    }));
    let mut sent = Sent::open(&options.position)?;
    let mut new = Vec::new();
    for span in merged.spans {
        let (hash, event) = event(options, &span);
        if sent.has(hash) {
            summary.known += 1;
        } else {
            new.push((hash, span.allocation_id, event));
        }
    }
    for part in new.chunks(SPANS_AT_ONCE) {
        let events: Vec<Value> = part.iter().map(|(_, _, event)| event.clone()).collect();
        let Some(refused) = ingest.post(&events, stop).await? else { break };
        for (index, (hash, job_id, _)) in part.iter().enumerate() {
            match refused.iter().find(|refused| refused.index == index) {
                Some(refused) => summary.refused.push(Trouble {
                    line: 0,
                    job_id: job_id.clone(),
                    reason: format!("{} {}: {}", refused.code, refused.field, refused.reason),
                }),
                None => {
                    sent.add(*hash);
                    summary.taken += 1;
                }
            }
        }
        sent.save()?;
    }
    sent.save()?;
    Ok(summary)
}

/// A span's event, and the hash of what it says.
fn event(options: &Options, span: &Span) -> (u64, Value) {
    let node_id =
        options.nodes.get(&span.node_id).cloned().unwrap_or_else(|| id_of(&span.node_id, ID_BYTES_MAX));
    // A row without an account stays one: ingest refuses it, rather than that somebody pays for it.
    let account = if span.account.is_empty() { String::new() } else { id_of(&span.account, ID_BYTES_MAX) };
    let body = json!({
        "node_id": node_id,
        "allocation_id": format!("{}/{}", id_of(&options.cluster, ID_BYTES_MAX), span.allocation_id),
        "account": account,
        "state": span.state,
        "gpus": span.gpus,
        "start_us": span.start_us,
        "end_us": span.end_us,
    });
    let said = short_hash(&[body.to_string().as_bytes()]);
    let event = json!({
        "kind": "gpu_span",
        "key": format!("slurm/{}/{}", id_of(&options.cluster, ID_BYTES_MAX), id_of(&span.allocation_id, ID_BYTES_MAX)),
        "source_epoch": said,
        "sequence": 0,
        "event_time_us": span.end_us.unwrap_or(span.start_us),
        "body": body,
    });
    (said, event)
}
