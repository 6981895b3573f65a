//! Projects commits and seals that won into ClickHouse, in offset order. Readers see a block once its commit is
//! there.

use tokio::sync::{mpsc, watch};
use wb_clickhouse::Store;
use wb_events::commits::Won;

use crate::pause::{RETRY_MAX, RETRY_MIN, stopped};

/// The most commits that one INSERT writes.
const BATCH_MAX: usize = 1_024;

/// A running projection.
#[derive(Debug)]
pub struct Projector(tokio::task::JoinHandle<()>);

impl Projector {
    /// Starts to project commits as they arrive.
    #[must_use]
    pub fn start(store: Store, follow: mpsc::Receiver<Won>, shutdown: watch::Receiver<bool>) -> Self {
        Self(tokio::spawn(run(store, follow, shutdown)))
    }

    pub(crate) async fn ended(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "the projection of commits failed");
        }
    }
}

/// Projects commits until shutdown. A failed write is retried until it succeeds, because readers count no block whose
/// commit is not projected.
async fn run(store: Store, mut follow: mpsc::Receiver<Won>, mut shutdown: watch::Receiver<bool>) {
    let mut projected_to = None;
    let mut pause = RETRY_MIN;
    let mut batch: Vec<Won> = Vec::new();
    loop {
        if batch.is_empty() {
            tokio::select! {
                got = follow.recv_many(&mut batch, BATCH_MAX) => if got == 0 { return },
                () = stopped(&mut shutdown) => return,
            }
        }
        match step(&store, &mut batch, &mut projected_to).await {
            Ok(()) => pause = RETRY_MIN,
            Err(error) => {
                tracing::warn!(error = wb_units::with_causes(&error), "commits are not projected yet");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stopped(&mut shutdown) => return,
                }
                pause = pause.saturating_mul(2).min(RETRY_MAX);
            }
        }
    }
}

async fn step(
    store: &Store,
    batch: &mut Vec<Won>,
    projected_to: &mut Option<u64>,
) -> Result<(), wb_clickhouse::StoreError> {
    // Everything below the cut is projected already, because every projector writes in offset order and starts at the
    // cut that it found.
    let from = match *projected_to {
        Some(from) => from,
        None => store.cut().await?.0,
    };
    *projected_to = Some(from);
    batch.retain(|won| won.commit_offset() >= from);
    // Commits and seals alternate in offset order, so everything below the highest offset of either table is there.
    for run in batch.chunk_by(|left, right| is_seal(left) == is_seal(right)) {
        let (mut commits, mut seals) = (Vec::new(), Vec::new());
        for won in run {
            match won {
                Won::Commit(commit) => commits.push(commit.clone()),
                Won::Seal(seal) => seals.push(seal.clone()),
            }
        }
        if !commits.is_empty() {
            store.project_commits(&commits).await?;
        }
        if !seals.is_empty() {
            store.project_seals(&seals).await?;
        }
        if let Some(last) = run.last() {
            *projected_to = Some(last.commit_offset().saturating_add(1));
        }
    }
    batch.clear();
    Ok(())
}

fn is_seal(won: &Won) -> bool {
    matches!(won, Won::Seal(_))
}
