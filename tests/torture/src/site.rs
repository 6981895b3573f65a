//! The place of one round: a folder, free ports, keys, a configuration, and how each process is started there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use wb_auth::GeneratedKey;
use wb_events::frame::FrameKey;
use wb_kafka::{Log, LogSettings, TopicPlan};
use wb_stack::{KafkaConfig, ProcessConfig};
use wb_testkit::Random;

/// How long a process may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a process may take to end when it is asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);
/// The last lines of each log that are printed.
const TAIL_LINES: usize = 8;
/// Short, so that a stopped process soon loses its session.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(2);

/// The senders, each with its role.
pub const SOURCES: [(&str, &str); 5] = [
    ("operator", "operator"),
    ("pool", "pool"),
    ("meters", "meter"),
    ("agent", "telemetry"),
    ("scheduler", "scheduler"),
];

/// How many partitions and processes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Partitions of `shares`.
    pub shares: u32,
    /// Partitions of each of `telemetry`, `energy` and `gpu`.
    pub others: u32,
    /// Aggregators that always run.
    pub aggregators: usize,
    /// Further ones that come and go.
    pub visitors: usize,
}

/// One round's place.
pub struct Site {
    dir: Mutex<TempDir>,
    path: PathBuf,
    /// How many partitions and processes.
    pub layout: Layout,
    /// The broker.
    pub kafka: KafkaConfig,
    engine_port: u16,
    ingest_port: u16,
    frame_key: [u8; 32],
    engine_key: [u8; 32],
    /// API keys in the order of [`SOURCES`].
    api_keys: Vec<GeneratedKey>,
    weighbridge: PathBuf,
    arms: PathBuf,
}

/// The repository's folder.
#[must_use]
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

fn from_environment(variable: &str, otherwise: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| root().join(otherwise), PathBuf::from)
}

impl Site {
    /// Makes the folder, draws ports and keys, and writes the configuration.
    ///
    /// # Errors
    /// Where a file cannot be written or no port is free.
    pub fn new(layout: Layout, weighbridge: &Path, arms: &Path, random: &mut Random) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("weighbridge-torture-").tempdir()?;
        let libs = from_environment("WEIGHBRIDGE_KAFKA_LIBS", ".stack/kafka/libs");
        let kafka = KafkaConfig::on_free_ports(libs, dir.path().join("kafka"))?;
        let [engine_port, ingest_port] = wb_stack::free_ports()?;
        let api_keys = SOURCES.iter().map(|_| GeneratedKey::random()).collect::<Result<Vec<_>, _>>()?;
        let mut key = || {
            let mut bytes = [0; 32];
            bytes.iter_mut().for_each(|byte| *byte = random.draw().to_le_bytes()[0]);
            bytes
        };
        let (frame_key, engine_key) = (key(), key());
        // A link of its own: a build that replaces the program while a round runs changes nothing here.
        let program = dir.path().join("weighbridge");
        if std::fs::hard_link(weighbridge, &program).is_err() {
            std::fs::copy(weighbridge, &program)
                .with_context(|| format!("there is no {}: build it first", weighbridge.display()))?;
        }
        let path = dir.path().to_owned();
        let site = Self {
            dir: Mutex::new(dir),
            path,
            layout,
            kafka,
            engine_port,
            ingest_port,
            frame_key,
            engine_key,
            api_keys,
            weighbridge: program,
            arms: arms.to_owned(),
        };
        site.write_keys(&site.data_dir("main"))?;
        for index in 0..layout.aggregators + layout.visitors {
            site.write_keys(&site.data_dir(&aggregator_name(index)))?;
        }
        std::fs::write(site.config_path(), site.config()?)?;
        Ok(site)
    }

    /// Keeps the folder when the round ends, and returns its path.
    pub fn keep(&self) -> &Path {
        self.dir.lock().unwrap_or_else(PoisonError::into_inner).disable_cleanup(true);
        &self.path
    }

    /// The last lines of every log, for a stack that does not start.
    #[must_use]
    pub fn log_tails(&self) -> String {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut logs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.push(self.kafka.data_dir.join("kafka.log"));
        let tail = |path: PathBuf| {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            format!("{}:\n{}\n", path.display(), lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
        };
        logs.into_iter().map(tail).collect()
    }

    /// The round's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn data_dir(&self, name: &str) -> PathBuf {
        self.path.join("data").join(name)
    }

    fn config_path(&self) -> PathBuf {
        self.path.join("weighbridge.toml")
    }

    fn write_keys(&self, data_dir: &Path) -> Result<()> {
        let keys = data_dir.join("keys");
        std::fs::create_dir_all(&keys)?;
        std::fs::write(keys.join("frame.key"), self.frame_key)?;
        std::fs::write(keys.join("clickhouse.key"), self.engine_key)?;
        Ok(())
    }

    fn config(&self) -> Result<String> {
        let chdb = from_environment("WEIGHBRIDGE_CHDB_LIB", ".stack/chdb/libchdb.so");
        let Layout { shares, others, .. } = self.layout;
        let mut text = format!(
            "data_dir = {:?}\n[kafka]\nbrokers = {:?}\n[kafka.partitions]\nshares = {shares}\n\
             telemetry = {others}\nenergy = {others}\ngpu = {others}\n\
             [clickhouse]\nport = {}\nlib = {chdb:?}\n[ingest]\nlisten = \"127.0.0.1:{}\"\n",
            self.data_dir("main"),
            self.brokers(),
            self.engine_port,
            self.ingest_port,
        );
        for ((id, role), key) in SOURCES.iter().zip(&self.api_keys) {
            text.push_str(&format!(
                "[[ingest.sources]]\nid = {id:?}\nkey_sha256_hex = {:?}\nroles = [{role:?}]\n",
                key.key_sha256_hex
            ));
        }
        text.push_str(&format!("[aggregator]\nsession_timeout_ms = {}\n", SESSION_TIMEOUT.as_millis()));
        Ok(text)
    }

    /// Bootstrap servers.
    #[must_use]
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.kafka.port)
    }

    /// Where events are sent.
    #[must_use]
    pub fn events_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1/events", self.ingest_port)
    }

    /// The engine's HTTP interface.
    #[must_use]
    pub fn engine_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.engine_port)
    }

    /// The engine's password.
    #[must_use]
    pub fn engine_password(&self) -> String {
        wb_proof::hex::encode(&self.engine_key)
    }

    /// The key that frames are signed with.
    #[must_use]
    pub fn frame_key(&self) -> FrameKey {
        FrameKey::new(self.frame_key)
    }

    /// A source's API key.
    #[must_use]
    pub fn api_key(&self, source: &str) -> &str {
        let found = SOURCES.iter().zip(&self.api_keys).find(|((id, _), _)| *id == source);
        found.map_or("", |(_, key)| key.key.as_str())
    }

    /// A connection to the log, and the plan of its topics.
    ///
    /// # Errors
    /// Where the client does not accept the settings.
    pub fn log(&self) -> Result<(Log, TopicPlan)> {
        let log = Log::connect(LogSettings { brokers: self.brokers(), properties: Vec::new() })?;
        let Layout { shares, others, .. } = self.layout;
        let plan = TopicPlan {
            shares,
            telemetry: others,
            energy: others,
            gpu: others,
            replication: 1,
            retention_hours: 0,
        };
        Ok((log, plan))
    }

    fn process(&self, name: &str, program: &Path, args: Vec<OsString>, mark: OsString) -> ProcessConfig {
        ProcessConfig {
            name: name.to_owned(),
            program: program.to_owned(),
            identity: vec![mark],
            args,
            env: vec![("WEIGHBRIDGE_LOG".into(), "info,rdkafka=off,librdkafka=off".into())],
            pid_file: self.path.join(format!("{name}.pid")),
            log_file: self.path.join(format!("{name}.log")),
            stdin_held_open: false,
            kill_with_parent: true,
            start_timeout: START_TIMEOUT,
            stop_timeout: STOP_TIMEOUT,
        }
    }

    /// A service as a process of its own, on the main data folder.
    #[must_use]
    pub fn service(&self, service: &str) -> ProcessConfig {
        let config = self.config_path().into_os_string();
        let args = vec!["--config".into(), config.clone(), "serve".into(), service.into()];
        self.process(service, &self.weighbridge, args, config)
    }

    /// An aggregator with a data folder of its own.
    #[must_use]
    pub fn aggregator(&self, index: usize) -> ProcessConfig {
        let name = aggregator_name(index);
        let mut process = self.service("aggregator");
        let data_dir = self.data_dir(&name).into_os_string();
        process.pid_file = self.path.join(format!("{name}.pid"));
        process.log_file = self.path.join(format!("{name}.log"));
        process.name = name;
        process.env.extend([
            ("WEIGHBRIDGE_DATA_DIR".into(), data_dir),
            ("WEIGHBRIDGE_CLICKHOUSE_URL".into(), self.engine_url().into()),
            ("WEIGHBRIDGE_CLICKHOUSE_USER".into(), "weighbridge".into()),
            ("WEIGHBRIDGE_CLICKHOUSE_PASSWORD".into(), self.engine_password().into()),
        ]);
        process
    }

    /// A control arm.
    #[must_use]
    pub fn arm(&self, arm: &str) -> ProcessConfig {
        let args: Vec<OsString> = vec!["control".into(), arm.into()];
        let mut process = self.process(arm, &self.arms, args, arm.into());
        process.env.extend([
            (crate::control::BROKERS.into(), self.brokers().into()),
            (crate::control::ENGINE.into(), self.engine_url().into()),
            (crate::control::PASSWORD.into(), self.engine_password().into()),
            (crate::control::FRAME_KEY.into(), wb_proof::hex::encode(&self.frame_key).into()),
            (crate::control::SHARES.into(), self.layout.shares.to_string().into()),
            (crate::control::ENERGY.into(), self.layout.others.to_string().into()),
        ]);
        process
    }
}

#[must_use]
pub fn aggregator_name(index: usize) -> String {
    format!("aggregator-{index}")
}
