//! What is sent: facts, then mined shares as Protobuf batches, by several senders at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use prost::Message as _;
use serde_json::Value;
use tokio::task::JoinSet;
use wb_events::{Body, Event, Share, wire};
use wb_testkit::StreamShare;

use crate::arguments::Arguments;
use crate::stack::Stack;

/// Facts in one request.
const FACTS_BATCH: usize = 500;
/// The level of zstd; its own default.
const ZSTD_LEVEL: i32 = 3;

/// Everything that will be sent, ready to go.
pub(crate) struct Load {
    /// Shares in all bodies.
    pub(crate) events: u64,
    facts: [Vec<Value>; 2],
    /// Compressed batches, with how many events each holds.
    pub(crate) bodies: Arc<Vec<(Vec<u8>, usize)>>,
}

impl Load {
    /// Mines the shares and encodes them.
    pub(crate) fn mine(seed: u64, arguments: &Arguments) -> Result<Self> {
        let stream = wb_testkit::share_stream(seed, arguments.machines, arguments.events + arguments.pile)?;
        let mut bodies = Vec::new();
        for shares in stream.shares.chunks(arguments.batch) {
            let batch = wire::EventBatch { events: shares.iter().map(event).collect() };
            let body = zstd::encode_all(batch.encode_to_vec().as_slice(), ZSTD_LEVEL)?;
            bodies.push((body, shares.len()));
        }
        Ok(Self {
            events: u64::try_from(stream.shares.len())?,
            facts: [stream.facts, stream.sessions_and_jobs],
            bodies: Arc::new(bodies),
        })
    }

    /// The first bodies, and the others without the facts: these are sent already.
    pub(crate) fn split(self, events: usize) -> [Self; 2] {
        let mut first = 0;
        let at = self.bodies.iter().take_while(|(_, count)| {
            let takes = first < events;
            first += count;
            takes
        });
        let (one, other) = self.bodies.split_at(at.count());
        let part = |bodies: &[(Vec<u8>, usize)], facts| Self {
            events: bodies.iter().map(|(_, count)| u64::try_from(*count).unwrap_or(0)).sum(),
            facts,
            bodies: Arc::new(bodies.to_vec()),
        };
        [part(one, self.facts), part(other, [Vec::new(), Vec::new()])]
    }

    /// Bytes of all bodies as they are sent.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.bodies.iter().map(|(body, _)| u64::try_from(body.len()).unwrap_or(u64::MAX)).sum()
    }
}

fn event(share: &StreamShare) -> Event {
    Event {
        source_epoch: 1,
        key: share.session_id.clone(),
        sequence: share.sequence,
        event_time_us: share.event_time_us,
        body: Some(Body::Share(Share {
            session_id: share.session_id.clone(),
            job_id: share.job_id.clone(),
            extranonce2: share.extranonce2.clone(),
            ntime: share.ntime,
            nonce: share.nonce,
            ..Share::default()
        })),
        ..Event::default()
    }
}

/// The front ingest as its senders see it.
#[derive(Clone)]
pub(crate) struct IngestClient {
    http: reqwest::Client,
    url: String,
    operator_key: String,
    pool_key: String,
}

impl IngestClient {
    pub(crate) fn new(stack: &Stack) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: format!("http://127.0.0.1:{}/v1/events", stack.ingest_port),
            operator_key: stack.operator_key.clone(),
            pool_key: stack.pool_key.clone(),
        }
    }

    /// Sends the facts, and what refers to them after them.
    pub(crate) async fn send_facts(&self, load: &Load) -> Result<()> {
        for facts in &load.facts {
            for batch in facts.chunks(FACTS_BATCH) {
                let body = serde_json::to_vec(batch)?;
                let request = self.http.post(&self.url).bearer_auth(&self.operator_key);
                let request = request.header("content-type", "application/json").body(body);
                accepted(request, batch.len()).await.context("sending facts")?;
            }
        }
        Ok(())
    }

    /// Sends some of the bodies, one after another.
    pub(crate) async fn send_part(&self, load: &Load, bodies: std::ops::Range<usize>) -> Result<()> {
        for (body, events) in load.bodies.get(bodies).unwrap_or_default() {
            accepted(self.request(body), *events).await.context("sending shares")?;
        }
        Ok(())
    }

    fn request(&self, body: &[u8]) -> reqwest::RequestBuilder {
        let request = self.http.post(&self.url).bearer_auth(&self.pool_key);
        let request = request.header("content-type", "application/x-protobuf");
        request.header("content-encoding", "zstd").body(body.to_vec())
    }

    /// Sends all shares; each sender has one request under way. Gives how long each request
    /// took, in microseconds, in rising order.
    pub(crate) async fn send_shares(&self, load: &Load, senders: usize) -> Result<Vec<u64>> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..senders {
            let (next, bodies, ingest) = (Arc::clone(&next), Arc::clone(&load.bodies), self.clone());
            tasks.spawn(async move {
                let mut took_us = Vec::new();
                while let Some((body, events)) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let request = ingest.request(body);
                    let began = Instant::now();
                    accepted(request, *events).await.context("sending shares")?;
                    took_us.push(u64::try_from(began.elapsed().as_micros())?);
                }
                anyhow::Ok(took_us)
            });
        }
        let mut all_us = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            all_us.extend(ended.context("a sender ended badly")??);
        }
        all_us.sort_unstable();
        Ok(all_us)
    }
}

/// Sends a request, all of whose events must be accepted.
async fn accepted(request: reqwest::RequestBuilder, events: usize) -> Result<()> {
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.bytes().await?;
    // The count stands at the answer's beginning; reading a line per event would be the sender's own cost.
    let expected = format!("{{\"accepted\":{events},");
    anyhow::ensure!(
        status.is_success() && text.starts_with(expected.as_bytes()),
        "{events} events were answered with {status}: {}",
        String::from_utf8_lossy(text.get(..text.len().min(600)).unwrap_or_default())
    );
    Ok(())
}
