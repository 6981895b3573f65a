//! The service: the ledger projected into ClickHouse, and the running bills kept up with what is committed.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::biller::{Biller, RunningBills, RunningPace};
use crate::ports::{Clock, CutSource, LedgerLog, UsageStore};
use crate::projector::Projector;
use crate::running_table::RunningTable;

/// How often new ledger records are looked for.
const PROJECT_EVERY: Duration = Duration::from_millis(250);
/// How often running bills are looked after.
const RUNNING_EVERY: Duration = Duration::from_secs(5);

/// Runs the service until `stopping` turns true. What fails is told in the log and tried again.
pub async fn run<L, S, C, K>(
    biller: Biller<L, S, C, K>,
    ledger: L,
    client: clickhouse::Client,
    stopping: watch::Receiver<bool>,
) where
    L: LedgerLog + 'static,
    S: UsageStore + 'static,
    C: CutSource + 'static,
    K: Clock + 'static,
{
    let mut tasks = JoinSet::new();
    tasks.spawn(project_ledger(Projector::new(client.clone()), ledger, stopping.clone()));
    tasks.spawn(run_bills(biller, RunningTable::new(client), stopping));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task of billing ended badly");
        }
    }
}

/// Keeps the running bills of all contracts up with what is committed.
async fn run_bills<L: LedgerLog, S: UsageStore, C: CutSource, K: Clock>(
    biller: Biller<L, S, C, K>,
    table: RunningTable,
    mut stopping: watch::Receiver<bool>,
) {
    let mut bills = RunningBills::default();
    loop {
        let pass = biller.run_bills(&mut bills, RunningPace::default()).await;
        let written = match &pass {
            Ok(pass) => table.write(&pass.bills).await,
            Err(_) => Ok(()),
        };
        let left = pass.as_ref().map_or(0, |pass| pass.left);
        if let Some(error) = pass.err().or(written.err()) {
            tracing::warn!(error = wb_observe::chain(&error), "running bills are not brought up to date yet");
            // What was computed and not written is computed again.
            bills = RunningBills::default();
        }
        let pause = if left > 0 { PROJECT_EVERY } else { RUNNING_EVERY };
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn project_ledger<L: LedgerLog>(
    mut projector: Projector,
    ledger: L,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        if let Err(error) = projector.project(&ledger).await {
            tracing::warn!(error = wb_observe::chain(&error), "the ledger is not projected yet");
        }
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(PROJECT_EVERY) => {}
        }
    }
}

/// Waits for the end; a sender that is gone ends it too.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
