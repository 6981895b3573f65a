//! Samples on their way to ingest. Polling goes on while ingest is away, until the backlog is full.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{ConnectError, Ingest, Refused, Stop};

/// Bytes per request: half of the limit of ingest, so that one more sample always fits.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Samples per request.
const BATCH_SAMPLES_MAX: usize = 500;
/// The most waiting requests: at most 256 MiB, or some hours of a thousand machines.
const BATCHES_MAX: usize = 64;

#[derive(Debug, Default)]
struct Batch {
    lines: String,
    events: usize,
}

/// The answers to samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) taken: u64,
    pub(crate) refused: u64,
}

/// The queue to ingest.
pub(crate) struct Backlog {
    open: Batch,
    queue: mpsc::Sender<Batch>,
    sender: JoinHandle<Result<Sent, ConnectError>>,
    dropped: u64,
}

impl Backlog {
    pub(crate) fn start(ingest: &Ingest, stop: &Stop) -> Self {
        let (queue, waiting) = mpsc::channel(BATCHES_MAX);
        let sender = tokio::spawn(send(ingest.clone(), stop.clone(), waiting));
        Self { open: Batch::default(), queue, sender, dropped: 0 }
    }

    /// Adds an event of one line.
    pub(crate) fn push(&mut self, line: &str) {
        if self.open.lines.len() + line.len() > BATCH_BYTES_MAX || self.open.events >= BATCH_SAMPLES_MAX {
            self.flush();
        }
        self.open.lines.push_str(line);
        self.open.lines.push('\n');
        self.open.events += 1;
    }

    /// Queues what was added. If the queue is full, the samples are dropped and logged; their sequences are then
    /// missing.
    pub(crate) fn flush(&mut self) {
        let batch = std::mem::take(&mut self.open);
        let events = batch.events;
        if events > 0 && self.queue.try_send(batch).is_err() {
            tracing::error!(
                samples = events,
                "ingest accepts nothing and the backlog is full: samples are dropped"
            );
            self.dropped = self.dropped.saturating_add(u64::try_from(events).unwrap_or(u64::MAX));
        }
    }

    /// How many samples were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether ingest refuses this connector, so that polling is useless.
    pub(crate) fn has_ended(&self) -> bool {
        self.sender.is_finished()
    }

    /// Waits until all is sent or the connector is stopped.
    pub(crate) async fn end(mut self) -> Result<Sent, ConnectError> {
        self.flush();
        drop(self.queue);
        match self.sender.await {
            Ok(sent) => sent,
            Err(error) => Err(ConnectError::Answer { events: 0, detail: error.to_string() }),
        }
    }
}

async fn send(ingest: Ingest, stop: Stop, mut waiting: mpsc::Receiver<Batch>) -> Result<Sent, ConnectError> {
    let mut sent = Sent::default();
    while let Some(batch) = waiting.recv().await {
        let Some(refused) = ingest.post_lines(batch.lines, batch.events, &stop).await? else { break };
        refused.iter().for_each(Refused::log);
        let count = |events: usize| u64::try_from(events).unwrap_or(u64::MAX);
        sent.refused += count(refused.len());
        sent.taken += count(batch.events.saturating_sub(refused.len()));
    }
    Ok(sent)
}
