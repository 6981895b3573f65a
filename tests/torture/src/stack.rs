//! The real processes of one round, each supervised, and the control arms beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wb_clickhouse::Store;
use wb_kafka::topics::Partitions;
use wb_kafka::{Log, TopicPlan};

use crate::control::{AT_LEAST_ONCE, TOKEN};
use crate::engine::Engine;
use crate::part::{Part, Runs};
use crate::site::Site;

/// How long the whole stack may take to start.
const START_LIMIT: Duration = Duration::from_secs(120);
/// The pause between two questions.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that runs.
pub struct Stack {
    /// The place.
    pub site: Arc<Site>,
    /// The Kafka broker.
    pub broker: Part,
    /// The ClickHouse engine.
    pub engine: Part,
    /// Ingest.
    pub ingest: Part,
    /// The biller's projection.
    pub billing: Part,
    /// Aggregators: those that always run, then those that come and go.
    pub aggregators: Vec<Part>,
    /// The control arms.
    pub arms: Vec<Part>,
    /// A connection of the campaign's own to the log.
    pub log: Log,
    plan: TopicPlan,
}

fn process(config: wb_stack::ProcessConfig) -> Runs {
    Runs::Process(Box::new(config))
}

/// Asks until there is an answer; at the limit the last refusal is the error.
///
/// # Errors
/// The last refusal.
pub async fn until<T, F: Future<Output = Result<T>>>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("{what}: not within {} s", limit.as_secs()));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

impl Stack {
    /// Starts everything and waits until events are taken.
    ///
    /// # Errors
    /// Where that does not happen in time.
    pub async fn start(site: Arc<Site>) -> Result<Self> {
        let broker = Part::keep(Runs::Broker(Box::new(site.kafka.clone())), true);
        let engine = Part::keep(process(site.service("clickhouse")), true);
        if !broker.up_for(Duration::ZERO, START_LIMIT).await {
            bail!("the broker did not start");
        }
        let (log, plan) = site.log()?;
        let layout = site.layout;
        let aggregator =
            |index: usize| Part::keep(process(site.aggregator(index)), index < layout.aggregators);
        let stack = Self {
            broker,
            engine,
            ingest: Part::keep(process(site.service("ingest")), true),
            billing: Part::keep(process(site.service("billing")), true),
            aggregators: (0..layout.aggregators + layout.visitors).map(aggregator).collect(),
            arms: [AT_LEAST_ONCE, TOKEN].map(|arm| Part::keep(process(site.arm(arm)), true)).into(),
            site,
            log,
            plan,
        };
        let health = stack.site.events_url().replace("/v1/events", "/health");
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answers = until("ingest answers", START_LIMIT, || async {
            Ok(http.get(&health).timeout(LOOK * 100).send().await?.error_for_status().map(|_| ())?)
        });
        if let Err(error) = answers.await {
            stack.end().await;
            return Err(error);
        }
        Ok(stack)
    }

    /// All parts of the product.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        [&self.broker, &self.engine, &self.ingest, &self.billing].into_iter().chain(&self.aggregators)
    }

    /// Partitions of all topics.
    ///
    /// # Errors
    /// Where the broker does not answer.
    pub async fn partitions(&self) -> Result<Partitions> {
        Ok(self.log.ensure_topics(&self.plan).await?)
    }

    /// The engine in plain SQL.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn sql(&self) -> Result<Engine> {
        Engine::new(&self.site.engine_url(), &self.site.engine_password())
    }

    /// The product's own access to the store, for its collection of attempts that lost.
    pub fn store(&self) -> impl Future<Output = Result<Store>> + Send + 'static {
        let (url, password) = (self.site.engine_url(), self.site.engine_password());
        async move { Ok(Store::connect(&url, "weighbridge", Some("weighbridge"), Some(&password)).await?) }
    }

    /// Ends everything, the writers first.
    pub async fn end(&self) {
        for part in &self.arms {
            part.end().await;
        }
        for part in self.aggregators.iter().chain([&self.ingest, &self.billing, &self.engine, &self.broker]) {
            part.end().await;
        }
    }
}
