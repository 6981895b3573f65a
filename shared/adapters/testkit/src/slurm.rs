//! GPU spans from the scheduler's rows.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use wb_metering::gpu::sacct::{self, RowOutcome};
use wb_units::time::SECOND_US;

use crate::build::{Builder, Rated};
use crate::gpus::Job;
use crate::plan::FLEET_START_US;
use crate::{Expect, Part, SLURM, TestkitError, read};

const FILE: &str = "slurm/sacct.psv";

/// The spans, and the jobs of those that have ended.
pub(crate) fn spans(data_dir: &Path, builder: &mut Builder) -> Result<(Part, Vec<Job>), TestkitError> {
    let (path, text) = read(data_dir, FILE)?;
    let outcomes =
        sacct::parse(&text).map_err(|error| TestkitError::Form { path, what: error.to_string() })?.rows;
    let mut part = Part { name: "gpu spans", source: SLURM, events: Vec::new(), expect: Expect::default() };
    let (mut nodes, mut jobs) = (BTreeSet::new(), Vec::new());
    for outcome in outcomes {
        let span = match outcome {
            RowOutcome::Span(span) => span,
            RowOutcome::Nothing { .. } => continue,
            RowOutcome::Quarantined { line, job_id, reason } => {
                part.expect.not_sent.push(format!("{FILE} line {line}, job {job_id}: {reason}"));
                continue;
            }
        };
        let elapsed_us = i64::try_from(span.elapsed_s).unwrap_or(i64::MAX).saturating_mul(SECOND_US);
        // A running span was last seen when its row was written.
        let seen_us = span.end_us.unwrap_or_else(|| span.start_us.saturating_add(elapsed_us));
        let mut body = json!({
            "node_id": span.node_id,
            "allocation_id": span.allocation_id,
            "device": "",
            "profile": "",
            "account": span.account,
            "state": span.state,
            "gpus": span.gpus,
            "start_us": span.start_us,
        });
        if let Some(end_us) = span.end_us {
            jobs.push(Job {
                node: span.node_id.clone(),
                gpus: span.gpus,
                start_us: span.start_us,
                end_us,
                is_node_lost: span.state == "NODE_FAIL",
            });
            body["end_us"] = end_us.into();
            let held = u128::from(span.elapsed_s) * u128::from(span.gpus);
            *part.expect.gpu_seconds.entry(span.account.clone()).or_default() += held;
        }
        part.events.push(builder.event(SLURM, "gpu_span", &span.node_id, seen_us, body));
        part.expect.accepted += 1;
        nodes.insert(span.node_id);
    }
    for node in nodes {
        let rated = Rated { power_w: 10_200, gpus: Some(8), ..Rated::default() };
        builder.machine(&node, "tx-1", "H100 node, 8 GPUs", rated, FLEET_START_US);
    }
    Ok((part, jobs))
}
