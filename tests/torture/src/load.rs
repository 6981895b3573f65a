//! The load: generated events are sent until they are acknowledged, so that it is known exactly what was sent.

mod generate;
mod strangers;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wb_testkit::Random;

use crate::oracle::Truth;
use crate::site::Site;

pub use generate::{Batch, Generator, Wanted};

/// How long one request may take before it is sent again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a batch may take to be acknowledged, whatever dies meanwhile.
const BATCH_TIMEOUT: Duration = Duration::from_secs(180);
/// The pause before a request is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(60);

/// What all senders share.
#[derive(Debug, Default)]
pub struct Told {
    truth: Mutex<Truth>,
    wrong: Mutex<Vec<String>>,
    /// Events acknowledged, repeats included.
    pub acknowledged: AtomicU64,
    /// Requests that had to be sent again.
    pub repeated: AtomicU64,
}

impl Told {
    /// The truth so far.
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wrong answers of ingest.
    pub fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// The running senders.
pub struct Load {
    /// What they share.
    pub told: Arc<Told>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

/// One client of ingest.
#[derive(Clone)]
struct IngestClient {
    http: reqwest::Client,
    site: Arc<Site>,
    told: Arc<Told>,
}

impl Load {
    /// Sends the facts that other events refer to, then starts one sender for each source.
    ///
    /// # Errors
    /// Where the shares cannot be mined or the facts are not taken.
    pub async fn start(site: &Arc<Site>, seed: u64, shares: usize) -> Result<Self> {
        let told = Arc::new(Told::default());
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
        let ingest = IngestClient { http, site: Arc::clone(site), told: Arc::clone(&told) };
        let (generators, facts) = generate::all(seed, shares, &told)?;
        for batch in facts {
            ingest.deliver(&batch).await.context("sending facts")?;
        }
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for generator in generators {
            let random = Random::of(seed, &format!("pace of {}", generator.source()));
            tasks.spawn(send_all(ingest.clone(), generator, random, stopping.clone()));
        }
        tasks.spawn(strangers::run(Arc::clone(site), Arc::clone(&told), seed, stopping));
        Ok(Self { told, stop, tasks })
    }

    /// Ends the senders once all they have under way is acknowledged.
    ///
    /// # Errors
    /// Where something was never acknowledged.
    pub async fn finish(mut self) -> Result<Arc<Told>> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a sender ended badly")??;
        }
        Ok(self.told)
    }
}

async fn send_all(
    ingest: IngestClient,
    mut generator: Generator,
    mut random: Random,
    stopping: watch::Receiver<bool>,
) -> Result<()> {
    while !*stopping.borrow() {
        let batch = generator.next(&ingest.told);
        if !batch.events.is_empty() {
            ingest.deliver(&batch).await?;
            generator.delivered(batch);
        }
        // Mostly one after the other, sometimes at once, so that blocks have few and many events.
        if !random.percent(30) {
            tokio::time::sleep(Duration::from_millis(random.between(20, 450))).await;
        }
    }
    Ok(())
}

impl IngestClient {
    /// Sends a batch until each of its events has the answer it must have.
    async fn deliver(&self, batch: &Batch) -> Result<()> {
        let body = serde_json::to_vec(&batch.events)?;
        let deadline = Instant::now() + BATCH_TIMEOUT;
        loop {
            let last = match self.send(batch, body.clone()).await {
                Ok(()) => {
                    let events = u64::try_from(batch.events.len()).unwrap_or(0);
                    self.told.acknowledged.fetch_add(events, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => error,
            };
            self.told.repeated.fetch_add(1, Ordering::Relaxed);
            if Instant::now() > deadline {
                bail!("{} events of {} were never acknowledged: {last}", batch.events.len(), batch.source);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn send(&self, batch: &Batch, body: Vec<u8>) -> Result<()> {
        let request = self.http.post(self.site.events_url()).bearer_auth(self.site.api_key(batch.source));
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.bytes().await?;
        if status != 200 && status != 422 {
            bail!("status {status}: {}", String::from_utf8_lossy(&text));
        }
        let answer: Value = serde_json::from_slice(&text)?;
        let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        if events.len() != batch.events.len() {
            bail!("{} answers to {} events", events.len(), batch.events.len());
        }
        for ((told, wanted), event) in events.iter().zip(&batch.wanted).zip(&batch.events) {
            let refused = told["code"].as_str();
            match (wanted, refused) {
                (Wanted::Taken, None) => {}
                (Wanted::Refused(code), Some(found)) if *code == found => {}
                // Facts that another ingest has taken may still be on their way to this one.
                (Wanted::Taken, Some(code)) if wb_events::input::WORTH_SENDING_AGAIN.contains(&code) => {
                    bail!("not known yet: {told}");
                }
                _ => self.told.is_wrong(format!("{told} to {event}, not {wanted:?}")),
            }
        }
        Ok(())
    }
}
