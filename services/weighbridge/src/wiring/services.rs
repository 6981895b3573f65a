//! Starts services, together or alone, with what each needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wb_aggregator::Aggregator;
use wb_auth::SourceKeys;
use wb_billing::Biller;
use wb_billing::ports::SystemClock;
use wb_clickhouse::Store;
use wb_config::Config;
use wb_events::topics;
use wb_files::Access;
use wb_framearchive::{FolderArchive, FrameArchive};
use wb_kafka::topics::Partitions;
use wb_kafka::{CommitsView, Log, TopicPlan};
use wb_ledger::BillingTerms;

use super::adapters::{CommittedCuts, LedgerTopic};
use super::backends::{ClickHouseAccess, clickhouse_access, log_settings};
use super::keys::Keys;
use super::usage::{BillTables, CountedUsage};
use super::webhooks;

/// How long services wait for the backends at the start.
const BACKENDS_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a command waits for backends that answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
/// The pause between two attempts to connect.
const BACKENDS_PAUSE: Duration = Duration::from_millis(250);
/// How long services may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The services that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Service {
    Ingest,
    Aggregator,
    Billing,
    Api,
    /// The ClickHouse engine of this machine.
    Clickhouse,
}

/// Checked connections to the backends.
pub(crate) struct Connected {
    pub(crate) log: Log,
    pub(crate) partitions: Partitions,
    pub(crate) store: Store,
    pub(crate) keys: Keys,
    /// The operator's terms, for contracts that state none.
    pub(crate) terms: BillingTerms,
}

/// The biller on its real ports.
pub(crate) type LiveBiller = Biller<LedgerTopic, CountedUsage, CommittedCuts, SystemClock>;

fn topic_plan(config: &Config) -> TopicPlan {
    let partitions = &config.kafka.partitions;
    TopicPlan {
        shares: partitions.shares,
        telemetry: partitions.telemetry,
        energy: partitions.energy,
        gpu: partitions.gpu,
        replication: config.kafka.replication,
        retention_hours: config.kafka.retention_hours,
    }
}

/// The frame archive, if one is configured.
pub(crate) fn frame_archive(config: &Config) -> Option<Arc<dyn FrameArchive>> {
    let dir = config.archive.dir.as_ref()?;
    Some(Arc::new(FolderArchive::new(dir)))
}

/// Retries until success or the time limit; then returns the last error.
async fn within_time<T, E, F>(
    limit: Duration,
    what: &'static str,
    mut attempt: impl FnMut() -> F,
) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
    F: Future<Output = Result<T, E>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error).context(what),
            Err(_) => tokio::time::sleep(BACKENDS_PAUSE).await,
        }
    }
}

/// Connects to both backends, creates the topics and migrates the schema.
pub(crate) async fn connect(config: &Config) -> Result<Connected> {
    connect_within(config, Keys::open(&config.data_dir)?, BACKENDS_TIMEOUT).await
}

/// The same for a command: makes no keys, and fails at once if nothing answers.
pub(crate) async fn connect_running(config: &Config) -> Result<Connected> {
    let brokers: Vec<String> =
        log_settings(config).brokers.split(',').map(|one| one.trim().to_owned()).collect();
    wb_stack::answers("Kafka", &brokers).await?;
    engine_answers(config).await?;
    connect_within(config, Keys::of_installation(&config.data_dir), COMMAND_TIMEOUT).await
}

/// Fails at once if the engine of this machine is wanted and does not answer.
pub(crate) async fn engine_answers(config: &Config) -> Result<()> {
    if config.clickhouse.url.is_none() {
        wb_stack::answers("ClickHouse", &[format!("127.0.0.1:{}", config.clickhouse.port)]).await?;
    }
    Ok(())
}

async fn connect_within(config: &Config, keys: Keys, limit: Duration) -> Result<Connected> {
    let log = Log::connect(log_settings(config)).context("the Kafka client was not accepted")?;
    let plan = topic_plan(config);
    let partitions = within_time(limit, "Kafka cannot be used", || log.ensure_topics(&plan)).await?;
    let ClickHouseAccess { url, database, user, password } = clickhouse_access(config, &keys)?;
    let store = within_time(limit, "ClickHouse cannot be used", || async {
        let store = Store::connect(&url, &database, user.as_deref(), password.as_deref()).await?;
        store.migrate().await?;
        Ok::<_, wb_clickhouse::StoreError>(store)
    })
    .await?;
    Ok(Connected { log, partitions, store, keys, terms: billing_terms(config) })
}

/// The operator's terms, for contracts that state none.
fn billing_terms(config: &Config) -> BillingTerms {
    let billing = &config.billing;
    BillingTerms {
        approvals: billing.approvals,
        payment_terms_days: billing.payment_terms_days,
        completeness_ppm: billing.completeness_ppm,
        late_fee_ppm: billing.late_fee_ppm,
    }
}

impl Connected {
    fn log_id() -> Result<[u8; 16]> {
        let mut log_id = [0; 16];
        getrandom::fill(&mut log_id).context("the operating system gave no random bytes")?;
        Ok(log_id)
    }

    /// A view of the commits without a follower.
    pub(crate) async fn commits(&self) -> Result<CommitsView> {
        CommitsView::start(self.log.clone(), &self.partitions, Self::log_id()?, None)
            .await
            .context("the commits cannot be read")
    }

    /// The source of cuts.
    pub(crate) async fn cuts(&self) -> Result<CommittedCuts> {
        Ok(CommittedCuts {
            commits: self.commits().await?,
            partitions: self.partitions.clone(),
            store: self.store.clone(),
        })
    }

    pub(crate) async fn biller(&self, who: &str) -> Result<LiveBiller> {
        let cuts = self.cuts().await?;
        let usage = CountedUsage(self.store.usage());
        let biller = Biller::new(LedgerTopic(self.log.clone()), usage, cuts, SystemClock, who);
        Ok(biller.with_defaults(self.terms))
    }
}

/// The id of this installation's aggregator. It is drawn once and kept in the data folder, so a restarted aggregator
/// gets its partitions back at once.
fn aggregator_id(data_dir: &Path) -> Result<String> {
    let path = data_dir.join("aggregator.id");
    if let Ok(id) = std::fs::read_to_string(&path)
        && !id.is_empty()
    {
        return Ok(id);
    }
    let mut drawn = [0; 8];
    getrandom::fill(&mut drawn).context("the operating system gave no random bytes")?;
    let id = wb_proof::hex::encode(&drawn);
    let kept = wb_files::replace(&path, id.as_bytes(), Access::Usual);
    kept.with_context(|| format!("the aggregator's id cannot be kept in {}", path.display()))?;
    Ok(id)
}

/// Running services.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

/// Waits for the stop. A dropped sender counts as a stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Running {
    /// Starts services in this process. Listeners are bound first, so a port in use is an error at once.
    pub(crate) async fn start(
        config: &Config,
        connected: &Connected,
        sources: SourceKeys,
        wanted: &[Service],
    ) -> Result<Self> {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let bind = async |address, field: &'static str| {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}: change {field} in the configuration"))
        };
        if wanted.contains(&Service::Aggregator) {
            // An aggregator in the same process as all other services owns all partitions.
            let member = if wanted == [Service::Aggregator] {
                Some(wb_aggregator::GroupMember {
                    id: aggregator_id(&config.data_dir)?,
                    session_timeout: Duration::from_millis(config.aggregator.session_timeout_ms.into()),
                })
            } else {
                None
            };
            let state_dir = config.aggregator.state_dir.clone();
            let aggregator = wb_aggregator::AggregatorConfig {
                frame_key: connected.keys.frame_key()?,
                name: format!("aggregator-{}", std::process::id()),
                state_dir: state_dir.unwrap_or_else(|| config.data_dir.join("proofs")),
                frame_archive: frame_archive(config),
                punctuate_after: wb_aggregator::PUNCTUATE_AFTER,
                seal_pace: wb_aggregator::SealPace::default(),
                member,
            };
            let (log, store) = (connected.log.clone(), connected.store.clone());
            let (partitions, log_id) = (connected.partitions.clone(), Connected::log_id()?);
            let aggregator =
                Aggregator::start(aggregator, log, store, partitions, log_id, stopping.clone()).await?;
            tasks.spawn(async move { aggregator.run().await.context("the aggregator has ended") });
        }
        if wanted.contains(&Service::Ingest) {
            let ingest = wb_ingest::IngestConfig {
                listener: bind(config.ingest.listen, "ingest.listen").await?,
                sources,
                frame_key: connected.keys.frame_key()?,
                name: format!("ingest-{}", std::process::id()),
            };
            let (log, partitions) = (connected.log.clone(), connected.partitions.clone());
            let end = stopped(stopping.clone());
            tasks.spawn(async move {
                wb_ingest::run(ingest, log, &partitions, end).await.context("ingest has ended")
            });
        }
        if wanted.contains(&Service::Api) {
            let listener = bind(config.api.listen, "api.listen").await?;
            let api = wb_api::ApiConfig { graphiql: config.api.graphiql, limits: wb_api::Limits::default() };
            let verifier = connected.keys.issuer()?.verifier().context("the token keys cannot be used")?;
            let (store, end) = (connected.store.clone(), stopped(stopping.clone()));
            let log = connected.log.clone();
            let commits_at: wb_api::CommitsAt = Arc::new(move |at_us| {
                let log = log.clone();
                Box::pin(async move { Ok(log.first_offset_at(topics::COMMITS, 0, at_us).await?) })
            });
            tasks.spawn(async move {
                wb_api::run(listener, api, store, commits_at, verifier, end)
                    .await
                    .context("the api has ended")
            });
        }
        if wanted.contains(&Service::Billing) {
            let ledger = LedgerTopic(connected.log.clone());
            // The biller's process also sends webhooks.
            if let Some(dispatcher) = webhooks::dispatcher(config, ledger.clone())? {
                let stopping = stopping.clone();
                tasks.spawn(async move {
                    dispatcher.run(stopping).await;
                    Ok(())
                });
            }
            let biller = connected.biller("weighbridge-billing").await?;
            let tables = BillTables(connected.store.clone());
            let stopping = stopping.clone();
            tasks.spawn(async move {
                wb_billing::run(biller, ledger, tables, stopping).await;
                Ok(())
            });
        }
        Ok(Self { stop, tasks })
    }

    /// Waits until a service ends, which happens only on failure.
    pub(crate) async fn any_ended(&mut self) -> Result<()> {
        match self.tasks.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => Err(error).context("a service failed"),
            None => std::future::pending().await,
        }
    }

    /// Stops all services and waits for their work in progress.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Ok(Err(error)) = ended {
                    tracing::error!(error = format!("{error:#}"), "a service failed");
                }
            }
        };
        if tokio::time::timeout(STOP_TIMEOUT, all).await.is_err() {
            tracing::warn!("services did not stop in time and are abandoned");
        }
    }
}
