//! Sends Slurm's accounting rows as GPU spans.
//!
//! An output of `sacct -P` is read completely. A run of a job is one span; it is sent open while the job runs, and
//! closed by a later output. A span's identity comes from its content: the same content is the same event, and other
//! content is a further event, which does not replace the first.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use wb_metering::gpu::Span;
use wb_metering::gpu::rows::merge;
use wb_metering::gpu::sacct::{self, RowOutcome};

use crate::sent::Sent;
use crate::{ConnectError, Ingest, Stop, id_of, short_hash};

/// Spans per request.
const SPANS_AT_ONCE: usize = 1_000;
/// The longest id of a node, account or cluster.
const ID_BYTES_MAX: usize = 64;
/// The longest cluster in an account: with the account it is one id.
const CLUSTER_BYTES_MAX: usize = 48;

/// How to read rows.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's name, because two clusters may use the same job id.
    pub cluster: String,
    /// The IANA time zone of its times.
    pub zone: String,
    /// Machines by node name; other nodes are machines of the same name.
    pub nodes: HashMap<String, String>,
    /// The file that keeps what was acknowledged.
    pub position: PathBuf,
}

/// A row that is not sent, or a refused event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The line in the output, from 1; 0 if several lines are concerned.
    pub line: usize,
    pub job_id: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

/// The result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Accepted spans.
    pub taken: u64,
    /// Spans that an earlier run sent.
    pub known: u64,
    /// Rows without GPU time: steps, and jobs that never started or held no GPU.
    pub nothing: u64,
    /// Rows that contradict themselves or each other.
    pub quarantined: Vec<Trouble>,
    /// Refused spans; the next run sends them again.
    pub refused: Vec<Trouble>,
    /// What concerns the whole output.
    pub warnings: Vec<sacct::Warning>,
}

/// Sends the spans of an output.
///
/// # Errors
/// [`ConnectError`] if the output cannot be parsed or ingest refuses this connector.
pub async fn run(
    options: &Options,
    output: &str,
    ingest: &Ingest,
    stop: &Stop,
) -> Result<Summary, ConnectError> {
    let mut summary = Summary::default();
    let mut spans = Vec::new();
    let read = sacct::parse_in_zone(output, &options.zone).map_err(ConnectError::Sacct)?;
    summary.warnings = read.warnings;
    for outcome in read.rows {
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
            "another row of this run has {} GPUs of {:?} until {}: the row with the later end is used",
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

/// A span's event, and the hash of its content.
fn event(options: &Options, span: &Span) -> (u64, Value) {
    let node_id =
        options.nodes.get(&span.node_id).cloned().unwrap_or_else(|| id_of(&span.node_id, ID_BYTES_MAX));
    // Without an account the span stays as it is, so that ingest refuses it and no customer pays for it.
    // Two clusters may have accounts of one name.
    let account = match span.account.as_str() {
        "" => String::new(),
        own => format!("slurm:{}/{}", id_of(&options.cluster, CLUSTER_BYTES_MAX), id_of(own, ID_BYTES_MAX)),
    };
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
