//! The billing service: projects the ledger into the table for readers and updates the running bills.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::biller::{Biller, RunningBills, RunningPace};
use crate::ports::{Clock, CutSource, LedgerLog, LedgerTable, RunningTable, UsageStore};
use crate::projector::Projector;

/// How often to look for new ledger records.
const PROJECT_EVERY: Duration = Duration::from_millis(250);
/// How often to update running bills.
const RUNNING_EVERY: Duration = Duration::from_secs(5);

/// Runs the service until `stopping` is true. Failures are logged and retried.
pub async fn run<L, S, C, K, T>(
    biller: Biller<L, S, C, K>,
    ledger: L,
    tables: T,
    stopping: watch::Receiver<bool>,
) where
    L: LedgerLog + 'static,
    S: UsageStore + 'static,
    C: CutSource + 'static,
    K: Clock + 'static,
    T: LedgerTable + RunningTable + Clone + 'static,
{
    let mut tasks = JoinSet::new();
    tasks.spawn(project_ledger(Projector::new(tables.clone()), ledger, stopping.clone()));
    tasks.spawn(run_bills(biller, tables, stopping));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task of billing failed");
        }
    }
}

/// Updates the running bills of all contracts as blocks are committed.
async fn run_bills<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock, T: RunningTable>(
    biller: Biller<L, S, C, K>,
    table: T,
    mut stopping: watch::Receiver<bool>,
) {
    let mut bills = RunningBills::default();
    loop {
        let mut pass = biller.run_bills(&mut bills, RunningPace::default()).await;
        if let Ok(found) = &pass
            && let Err(error) = table.write(&found.bills).await
        {
            pass = Err(error.into());
        }
        let left = pass.as_ref().map_or(0, |pass| pass.left);
        if let Err(error) = pass {
            tracing::warn!(error = wb_units::with_causes(&error), "running bills are not updated yet");
            // Bills that were not written are computed again.
            bills = RunningBills::default();
        }
        let pause = if left > 0 { PROJECT_EVERY } else { RUNNING_EVERY };
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn project_ledger<L: LedgerLog, T: LedgerTable>(
    mut projector: Projector<T>,
    ledger: L,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        if let Err(error) = projector.project(&ledger).await {
            tracing::warn!(error = wb_units::with_causes(&error), "the ledger is not projected yet");
        }
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(PROJECT_EVERY) => {}
        }
    }
}

/// Waits for the stop. A dropped sender counts as a stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
