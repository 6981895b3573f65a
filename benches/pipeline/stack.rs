//! The stack under measurement: every part a process of its own, in a folder of its own.

use std::ffi::OsString;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use tempfile::TempDir;
use wb_auth::GeneratedKey;
use wb_events::frame::FrameKey;
use wb_kafka::topics::Partitions;
use wb_kafka::{Log, LogSettings, TopicPlan};
use wb_stack::{Kafka, KafkaConfig, Process, ProcessConfig};

/// The services that are run, in the order in which they are started.
const SERVICES: [&str; 4] = ["ingest", "aggregator", "billing", "api"];
/// Partitions of `shares`; the product's default.
const SHARES_PARTITIONS: u32 = 4;
/// Partitions of each other event topic.
const OTHER_PARTITIONS: u32 = 2;
/// How long a process may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a process may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A block as the aggregator tells of it when it is committed; times in microseconds.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct CommittedBlock {
    pub(crate) topic: String,
    pub(crate) events: u64,
    pub(crate) fold_us: u64,
    pub(crate) write_us: u64,
    pub(crate) verify_us: u64,
    pub(crate) name_us: u64,
}

/// The running stack. Dropped without [`Stack::stop`], its processes are killed.
pub(crate) struct Stack {
    pub(crate) ingest_port: u16,
    pub(crate) operator_key: String,
    pub(crate) pool_key: String,
    services: Vec<(&'static str, Process)>,
    kafka: Kafka,
    // Last, so that the folder goes after those who write to it.
    dir: TempDir,
}

impl Stack {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(binary: &Path, keep: bool) -> Result<Self> {
        let mut dir = tempfile::Builder::new().prefix("weighbridge-pipeline-").tempdir()?;
        dir.disable_cleanup(keep);
        if keep {
            crate::tell(&format!("the run's folder is kept: {}", dir.path().display()));
        }
        let from = |variable: &str, otherwise: &str| {
            std::env::var_os(variable).map_or_else(|| root().join(otherwise), PathBuf::from)
        };
        let libs = from("WEIGHBRIDGE_KAFKA_LIBS", ".stack/kafka/libs");
        let kafka = KafkaConfig::on_free_ports(libs, dir.path().join("kafka"))?;
        let kafka = Kafka::start(kafka).await.context("starting Kafka")?;

        let [engine_port, ingest_port, api_port] = wb_stack::free_ports()?;
        let (operator, pool) = (GeneratedKey::random()?, GeneratedKey::random()?);
        let chdb = from("WEIGHBRIDGE_CHDB_LIB", ".stack/chdb/libchdb.so");
        let config = format!(
            "data_dir = {data:?}\n\
             [kafka]\nbrokers = {brokers:?}\n\
             [kafka.partitions]\nshares = {SHARES_PARTITIONS}\n\
             telemetry = {OTHER_PARTITIONS}\nenergy = {OTHER_PARTITIONS}\ngpu = {OTHER_PARTITIONS}\n\
             [clickhouse]\nport = {engine_port}\nlib = {chdb:?}\n\
             [api]\nlisten = \"127.0.0.1:{api_port}\"\n\
             [ingest]\nlisten = \"127.0.0.1:{ingest_port}\"\n\
             [[ingest.sources]]\nid = \"bench-operator\"\nkey_sha256_hex = {:?}\nroles = [\"operator\"]\n\
             [[ingest.sources]]\nid = \"bench-pool\"\nkey_sha256_hex = {:?}\nroles = [\"pool\"]\n",
            operator.key_sha256_hex,
            pool.key_sha256_hex,
            data = dir.path().join("data"),
            brokers = kafka.bootstrap(),
        );
        std::fs::write(dir.path().join("weighbridge.toml"), config)?;

        let mut stack = Self {
            ingest_port,
            operator_key: operator.key,
            pool_key: pool.key,
            services: Vec::new(),
            kafka,
            dir,
        };
        let engine = stack.serve(binary, "clickhouse").await?;
        let listens = || async { TcpStream::connect(("127.0.0.1", engine_port)).is_ok() };
        engine.wait_ready(listens).await.context("starting the engine")?;
        stack.services.push(("clickhouse", engine));
        for name in SERVICES {
            stack.start_service(binary, name).await?;
        }
        Ok(stack)
    }

    /// Starts a service, and waits until it is ready.
    pub(crate) async fn start_service(&mut self, binary: &Path, name: &'static str) -> Result<()> {
        let told = |log: &Path| {
            std::fs::read_to_string(log)
                .map_or(0, |text| text.lines().filter(|line| *line == "ready").count())
        };
        // It may have run before, and its log goes on.
        let before = told(&self.dir.path().join(format!("{name}.log")));
        let service = self.serve(binary, name).await?;
        let log = service.log_file().to_owned();
        let ready = || async { told(&log) > before };
        service.wait_ready(ready).await.with_context(|| format!("starting {name}"))?;
        self.services.push((name, service));
        Ok(())
    }

    /// Kills a service, as a crash would.
    pub(crate) async fn kill_service(&mut self, name: &str) -> Result<()> {
        let at = self.services.iter().position(|(service, _)| *service == name);
        let (_, process) = self.services.remove(at.with_context(|| format!("{name} does not run"))?);
        process.kill_hard();
        process.wait().await;
        Ok(())
    }

    /// The lines of the aggregator's log, as objects.
    pub(crate) fn aggregator_log(&self) -> Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(self.dir.path().join("aggregator.log"))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    async fn serve(&self, binary: &Path, name: &'static str) -> Result<Process> {
        let at = |file: &str| self.dir.path().join(file);
        let config = at("weighbridge.toml").into_os_string();
        let mut args: Vec<OsString> = vec!["--config".into(), config.clone(), "--log-json".into()];
        args.extend(["serve", name, "--exit-with-stdin"].map(OsString::from));
        let process = ProcessConfig {
            name: name.to_owned(),
            program: binary.to_owned(),
            args,
            env: vec![("WEIGHBRIDGE_LOG".into(), "info,rdkafka=off,librdkafka=off".into())],
            identity: vec![config, name.into()],
            pid_file: at(&format!("{name}.pid")),
            log_file: at(&format!("{name}.log")),
            stdin_held_open: true,
            kill_with_parent: false,
            start_timeout: START_TIMEOUT,
            stop_timeout: STOP_TIMEOUT,
        };
        Process::spawn(process).await.with_context(|| format!("starting {name}"))
    }

    /// A connection to the log, with the topics as the services made them.
    pub(crate) async fn log(&self) -> Result<(Log, Partitions)> {
        let settings = LogSettings { brokers: self.kafka.bootstrap(), properties: Vec::new() };
        let log = Log::connect(settings)?;
        let plan = TopicPlan {
            shares: SHARES_PARTITIONS,
            telemetry: OTHER_PARTITIONS,
            energy: OTHER_PARTITIONS,
            gpu: OTHER_PARTITIONS,
            replication: 1,
            retention_hours: 0,
        };
        let partitions = log.ensure_topics(&plan).await?;
        Ok((log, partitions))
    }

    /// Name and process id of every part.
    pub(crate) fn pids(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let services = self.services.iter().map(|(name, process)| (*name, process.pid()));
        services.chain([("kafka", self.kafka.pid())])
    }

    /// The key that the services sign frames with.
    pub(crate) fn frame_key(&self) -> Result<FrameKey> {
        let bytes =
            std::fs::read(self.dir.path().join("data/keys/frame.key")).context("reading the frame key")?;
        <[u8; 32]>::try_from(bytes.as_slice()).map(FrameKey::new).context("the frame key has not 32 bytes")
    }

    /// All blocks of which the aggregator's log tells so far.
    pub(crate) fn committed_blocks(&self) -> Result<Vec<CommittedBlock>> {
        let text = std::fs::read_to_string(self.dir.path().join("aggregator.log"))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Bytes of a topic's segments on the broker's disk.
    pub(crate) fn kafka_bytes(&self, topic: &str) -> Result<u64> {
        let mut bytes = 0;
        for folder in
            std::fs::read_dir(self.dir.path().join("kafka/logs")).context("reading Kafka's folder")?
        {
            let folder = folder?;
            let name = folder.file_name().to_string_lossy().into_owned();
            if name.rsplit_once('-').is_none_or(|(of, _)| of != topic) {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let file = file?;
                if file.path().extension().is_some_and(|extension| extension == "log") {
                    bytes += file.metadata()?.len();
                }
            }
        }
        Ok(bytes)
    }

    /// The last lines of every part's log, for a run that went wrong.
    pub(crate) fn log_tails(&self) -> String {
        let services =
            self.services.iter().map(|(name, process)| format!("{name}:\n{}\n", process.log_tail()));
        services.collect()
    }

    /// Ends everything, in the opposite order of the start, and removes the folder.
    pub(crate) async fn stop(self) -> Result<()> {
        for (name, process) in self.services.iter().rev() {
            let stopped = process.stop().await.with_context(|| format!("ending {name}"))?;
            if stopped.killed {
                crate::tell(&format!("{name} did not end in time and was killed"));
            }
        }
        self.kafka.stop().await.context("ending Kafka")?;
        Ok(())
    }
}
