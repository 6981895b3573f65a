//! Kafka and the ClickHouse engine. Those that are not configured are started here and kept running.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wb_config::Config;
use wb_kafka::LogSettings;
use wb_stack::{Kafka, KafkaConfig, Process, ProcessConfig};

use super::keys::Keys;

/// The pause before a backend that died is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// How long the engine may take to open its data.
const ENGINE_START: Duration = Duration::from_secs(120);
/// How long the engine may take to end.
const ENGINE_STOP: Duration = Duration::from_secs(20);

/// How to reach ClickHouse.
#[derive(Debug, Clone)]
pub(crate) struct ClickHouseAccess {
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

/// The user of the engine that runs on this machine.
pub(crate) const ENGINE_USER: &str = "weighbridge";

/// How to reach the log.
pub(crate) fn log_settings(config: &Config) -> LogSettings {
    let brokers = config.kafka.brokers.clone();
    LogSettings {
        brokers: brokers.unwrap_or_else(|| format!("127.0.0.1:{}", config.kafka.port)),
        properties: config.kafka.client_properties(),
    }
}

/// How to reach ClickHouse: the configured server, or the engine of this machine.
pub(crate) fn clickhouse_access(config: &Config, keys: &Keys) -> Result<ClickHouseAccess> {
    let settings = &config.clickhouse;
    let database = settings.database.clone();
    Ok(match &settings.url {
        Some(url) => ClickHouseAccess {
            url: url.clone(),
            database,
            user: settings.user.clone(),
            password: settings.password.as_ref().map(|password| password.reveal().to_owned()),
        },
        None => ClickHouseAccess {
            url: format!("http://127.0.0.1:{}", settings.port),
            database,
            user: Some(ENGINE_USER.to_owned()),
            password: Some(keys.engine_password()?),
        },
    })
}

/// The backends that this process started.
pub(crate) struct Backends {
    stop: watch::Sender<bool>,
    keepers: Vec<JoinHandle<()>>,
}

impl Backends {
    /// Starts the backends that are not configured.
    pub(crate) async fn start(config: &Config, arguments: &[OsString]) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut keepers = Vec::new();
        // In parallel, because each takes seconds and neither needs the other.
        let kafka = async {
            if config.kafka.brokers.is_some() {
                return Ok(None);
            }
            let kafka = kafka_config(config);
            let started = Kafka::start(kafka.clone()).await.context("Kafka did not start")?;
            anyhow::Ok(Some((started, kafka)))
        };
        let engine = async {
            if config.clickhouse.url.is_some() {
                return Ok(None);
            }
            let process = engine_config(config, arguments)?;
            let started = start_engine(process.clone(), config.clickhouse.port)
                .await
                .context("the ClickHouse engine did not start")?;
            anyhow::Ok(Some((started, process)))
        };
        let (kafka, engine) = tokio::join!(kafka, engine);
        let (kafka, engine) = (kafka?, engine?);
        if let Some((started, kafka)) = kafka {
            keepers.push(tokio::spawn(keep_kafka(started, kafka, stopped.clone())));
        }
        if let Some((started, process)) = engine {
            let port = config.clickhouse.port;
            keepers.push(tokio::spawn(keep_engine(started, process, port, stopped.clone())));
        }
        Ok(Self { stop, keepers })
    }

    /// Stops the backends in any order; neither needs the other.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for keeper in self.keepers {
            if let Err(error) = keeper.await {
                tracing::error!(%error, "the task of a backend failed");
            }
        }
    }
}

fn kafka_config(config: &Config) -> KafkaConfig {
    let settings = &config.kafka;
    let mut kafka = KafkaConfig::new(
        settings.libs_dir.clone(),
        config.data_dir.join("kafka"),
        settings.port,
        settings.controller_port,
    );
    kafka.heap_mib = settings.heap_mib;
    kafka
}

fn engine_config(config: &Config, arguments: &[OsString]) -> Result<ProcessConfig> {
    let dir = config.data_dir.join("clickhouse");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    let mut args = arguments.to_vec();
    args.extend(["serve", "clickhouse", "--exit-with-stdin"].map(OsString::from));
    Ok(ProcessConfig {
        name: "clickhouse".to_owned(),
        program: std::env::current_exe().context("cannot find this program's own file")?,
        args,
        env: vec![("WEIGHBRIDGE_DATA_DIR".into(), config.data_dir.clone().into())],
        identity: vec!["serve".into(), "clickhouse".into()],
        pid_file: dir.join("engine.pid"),
        log_file: dir.join("engine.log"),
        stdin_held_open: true,
        kill_with_parent: false,
        start_timeout: ENGINE_START,
        stop_timeout: ENGINE_STOP,
    })
}

async fn start_engine(process: ProcessConfig, port: u16) -> Result<Process, wb_stack::StackError> {
    let url: Arc<str> = format!("http://127.0.0.1:{port}/ping").into();
    Process::start(process, move || {
        let url = Arc::clone(&url);
        async move { reqwest::get(&*url).await.is_ok_and(|answer| answer.status().is_success()) }
    })
    .await
}

/// Waits for the stop. A dropped sender counts as a stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn keep_kafka(mut kafka: Kafka, config: KafkaConfig, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = stopped(&mut stop) => {
                if let Err(error) = kafka.stop().await {
                    tracing::warn!(error = wb_units::with_causes(&error), "Kafka did not stop properly");
                }
                return;
            }
            status = kafka.wait() => tracing::error!(%status, "Kafka has died and is started again"),
        }
        drop(kafka);
        kafka = loop {
            tokio::time::sleep(RESTART_PAUSE).await;
            match Kafka::start(config.clone()).await {
                Ok(started) => break started,
                Err(error) => tracing::error!(error = wb_units::with_causes(&error), "Kafka does not start"),
            }
            if *stop.borrow() {
                return;
            }
        };
    }
}

async fn keep_engine(mut engine: Process, config: ProcessConfig, port: u16, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = stopped(&mut stop) => {
                if let Err(error) = engine.stop().await {
                    tracing::warn!(error = wb_units::with_causes(&error), "the engine did not stop properly");
                }
                return;
            }
            status = engine.wait() => tracing::error!(%status, "the ClickHouse engine has died and is started again"),
        }
        drop(engine);
        engine = loop {
            tokio::time::sleep(RESTART_PAUSE).await;
            match start_engine(config.clone(), port).await {
                Ok(started) => break started,
                Err(error) => {
                    tracing::error!(
                        error = wb_units::with_causes(&error),
                        "the ClickHouse engine does not start"
                    );
                }
            }
            if *stop.borrow() {
                return;
            }
        };
    }
}

/// Runs the engine in this process until it is stopped.
pub(crate) async fn serve_engine(
    config: &Config,
    keys: &Keys,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let data_dir: PathBuf = config.data_dir.join("clickhouse").join("data");
    let mut engine = wb_clickhouse_embedded::EngineConfig::new(config.clickhouse.lib.clone(), data_dir);
    engine.listen = std::net::SocketAddr::from(([127, 0, 0, 1], config.clickhouse.port));
    engine.database.clone_from(&config.clickhouse.database);
    engine.max_concurrent_queries = usize::try_from(config.clickhouse.max_concurrent_queries).unwrap_or(1);
    engine.credentials = Some(wb_clickhouse_embedded::Credentials {
        user: ENGINE_USER.to_owned(),
        password: keys.engine_password()?,
    });
    let bound = wb_clickhouse_embedded::bind(engine).await.context("the ClickHouse engine did not open")?;
    tracing::info!(address = %bound.local_addr(), "the ClickHouse engine serves");
    bound.run(end).await.context("the ClickHouse engine failed")
}
