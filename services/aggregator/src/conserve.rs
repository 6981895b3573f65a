//! Checks that counts and rows add up: each block soon after its commit, and all blocks again in a loop, which finds
//! rows that are lost later. A breach raises the alarm. The alarm is a record in `commits`: it is durable and
//! ordered, every aggregator and the biller read it, and it works even where the tables are broken.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use wb_clickhouse::conserve::{Breach, Place, WINDOW_COMMITS};
use wb_clickhouse::{Cut, Store, StoreError};
use wb_events::commits::COMMITS_VERSION;
use wb_events::wire::Alarm;
use wb_kafka::CommitsView;

use crate::owners::Holdings;
use crate::pause::stopped;

/// How often to look for new commits.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often an old range of commits and an old day are checked again.
const AGAIN_EVERY: Duration = Duration::from_secs(5);
/// A breach must still be there after this long; otherwise it was a repair in progress.
const SECOND_LOOK: Duration = Duration::from_secs(2);

pub(crate) struct Watch {
    pub(crate) store: Store,
    pub(crate) commits: CommitsView,
    pub(crate) who: String,
    pub(crate) holdings: Holdings,
}

/// What is checked next.
#[derive(Default)]
struct Rounds {
    /// All commits below this offset have been checked since the start.
    new: Option<u64>,
    old_commits: u64,
    old_day: usize,
    again_at: Option<Instant>,
}

enum Check {
    Blocks(Cut, Cut),
    Day(i32, Cut),
}

impl Watch {
    /// Checks until shutdown, while this aggregator is the leader.
    pub(crate) async fn keep_watching(self, mut shutdown: watch::Receiver<bool>) {
        let mut rounds = Rounds::default();
        loop {
            tokio::select! {
                () = stopped(&mut shutdown) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let stands = self.commits.alarm().is_some();
            metrics::gauge!("weighbridge_alarm").set(if stands { 1.0 } else { 0.0 });
            if !self.holdings.leads() || stands {
                continue;
            }
            let turn = tokio::select! {
                () = stopped(&mut shutdown) => return,
                turn = self.turn(&mut rounds) => turn,
            };
            if let Err(error) = turn {
                tracing::warn!(
                    error = wb_units::with_causes(&error),
                    "the conservation check failed and is tried again"
                );
            }
        }
    }

    async fn turn(&self, rounds: &mut Rounds) -> Result<(), StoreError> {
        let cut = self.store.cut().await?;
        let new = rounds.new.get_or_insert(cut.0);
        while *new < cut.0 {
            let end = cut.0.min(new.saturating_add(WINDOW_COMMITS));
            self.check(Check::Blocks(Cut(*new), Cut(end))).await?;
            *new = end;
        }
        let behind = self.commits.next_offset().saturating_sub(cut.0);
        metrics::gauge!("weighbridge_checked_commits").set(wb_observe::figure(cut.0));
        metrics::gauge!("weighbridge_commits_unprojected").set(wb_observe::figure(behind));
        if rounds.again_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let end = cut.0.min(rounds.old_commits.saturating_add(WINDOW_COMMITS));
        self.check(Check::Blocks(Cut(rounds.old_commits), Cut(end))).await?;
        rounds.old_commits = if end == cut.0 { 0 } else { end };
        let days = self.store.days().await?;
        rounds.old_day = if rounds.old_day < days.len() { rounds.old_day } else { 0 };
        if let Some(day) = days.get(rounds.old_day) {
            self.check(Check::Day(*day, cut)).await?;
        }
        rounds.old_day = rounds.old_day.saturating_add(1);
        rounds.again_at = Some(Instant::now() + AGAIN_EVERY);
        Ok(())
    }

    async fn breaches(&self, check: &Check) -> Result<Vec<Breach>, StoreError> {
        match check {
            Check::Blocks(from, to) => self.store.check_blocks(*from, *to).await,
            Check::Day(day, cut) => self.store.check_day(*day, *cut).await,
        }
    }

    async fn check(&self, check: Check) -> Result<(), StoreError> {
        if self.breaches(&check).await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(SECOND_LOOK).await;
        let breaches = self.breaches(&check).await?;
        let Some(first) = breaches.first() else { return Ok(()) };
        for breach in &breaches {
            tracing::error!(%breach, "counts and rows do not add up");
            metrics::counter!("weighbridge_conservation_breaches_total").increment(1);
        }
        if let Err(error) = self.commits.write_alarm(&alarm_of(first, breaches.len(), &self.who)).await {
            tracing::error!(
                error = wb_units::with_causes(&error),
                "the alarm could not be raised and is tried again"
            );
        }
        Ok(())
    }
}

fn alarm_of(first: &Breach, breaches: usize, who: &str) -> Alarm {
    let more = if breaches > 1 { format!(" (and {} more)", breaches - 1) } else { String::new() };
    let (topic, partition, block) = match &first.place {
        Place::Block { topic, partition, block } => (topic.clone(), *partition, *block),
        Place::Day(_) => (String::new(), 0, 0),
    };
    Alarm {
        version: COMMITS_VERSION,
        detail: format!("{first}{more}"),
        topic,
        partition,
        block,
        who: who.to_owned(),
        ..Alarm::default()
    }
}
