//! `weighbridge share check`: verifies the sessions of a file, without a stack.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Serialize;
use wb_proof::session_file;

use crate::commands::{Nothing, Run};
use crate::console::{print, tell};

/// The largest file.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum ShareCommand {
    /// Judge each session of a JSON file and compare the verdicts with those that the file expects.
    Check {
        /// A file in the format of tests/data/bitcoin/stratum_v1_jobs.json.
        file: PathBuf,
    },
}

#[derive(Serialize)]
struct Line {
    name: String,
    verdict: String,
    reason: Option<String>,
    hash: Option<String>,
    achieved_difficulty: Option<String>,
    solves_block: bool,
    matches_expectation: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
}

impl Run for ShareCommand {
    type Needs = Nothing;

    async fn run(self, _: Nothing) -> Result<ExitCode> {
        let Self::Check { file } = self;
        check(&file)
    }
}

/// Checks a file. The exit code is 1 if a verdict is not as expected.
fn check(file: &Path) -> Result<ExitCode> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    anyhow::ensure!(
        size <= FILE_BYTES_MAX,
        "{} has {size} bytes, at most {FILE_BYTES_MAX} are read",
        file.display()
    );
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let cases = session_file::parse(&text).with_context(|| file.display().to_string())?;
    let mut wrong = 0_usize;
    for case in &cases {
        let outcome = session_file::check(case);
        wrong += usize::from(!outcome.matches_expectation);
        let line = Line {
            name: outcome.name,
            verdict: outcome.verdict.to_string(),
            reason: outcome.reason.map(|reason| reason.to_string()),
            hash: outcome.hash,
            achieved_difficulty: outcome.achieved_difficulty,
            solves_block: outcome.solves_block,
            matches_expectation: outcome.matches_expectation,
            differences: outcome.differences,
        };
        print(&serde_json::to_string(&line)?)?;
    }
    if wrong == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    tell(&format!("{wrong} of {} sessions are not judged as the file expects", cases.len()));
    Ok(ExitCode::FAILURE)
}
