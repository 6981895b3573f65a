//! The Kafka broker of one machine: one KRaft node on loopback.
//!
//! Its data folder holds `server.properties` and `log4j2.xml` (written at each start), `kafka.pid` with its lock,
//! `kafka.log`, and the storage `logs`. `logs` is formatted under another name and then renamed, so it exists either
//! completely or not at all. The cluster id in it identifies the storage.

mod probe;
mod render;
mod storage;

use crate::{
    Process, ProcessConfig, StackError, Stopped,
    java::{self, Java},
    net::{free_ports, require_free},
    slot::Slot,
    text::write_whole,
};
use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

const NAME: &str = "Kafka";
/// The broker's main class. Together with the path of `server.properties` it identifies our broker's process.
const MAIN_CLASS: &str = "kafka.Kafka";
/// The default heap: enough for one machine's load.
const DEFAULT_HEAP_MIB: u32 = 512;
/// The initial heap.
const INITIAL_HEAP_MIB: u32 = 256;
/// The time limit of a start. It takes three seconds; after a crash the broker first reads the unflushed segments of
/// every partition.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// The time limit of a shutdown, which takes less than a second and flushes every log.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The configuration of the broker.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// The folder with Kafka's jars.
    pub libs_dir: PathBuf,
    /// The broker's data folder; created if missing.
    pub data_dir: PathBuf,
    /// The port for clients, on 127.0.0.1.
    pub port: u16,
    /// The controller's port, on 127.0.0.1. It may differ from start to start, as may [`KafkaConfig::port`].
    pub controller_port: u16,
    /// Largest heap, in MiB.
    pub heap_mib: u32,
    /// The Java executable. By default that of `JAVA_HOME` or the PATH.
    pub java: Option<PathBuf>,
    /// How long a start may take, recovery after a crash included.
    pub start_timeout: Duration,
    /// How long a shutdown may take before the broker is killed.
    pub stop_timeout: Duration,
}

impl KafkaConfig {
    /// A configuration with default heap and time limits.
    #[must_use]
    pub fn new(
        libs_dir: impl Into<PathBuf>,
        data_dir: impl Into<PathBuf>,
        port: u16,
        controller_port: u16,
    ) -> Self {
        Self {
            libs_dir: libs_dir.into(),
            data_dir: data_dir.into(),
            port,
            controller_port,
            heap_mib: DEFAULT_HEAP_MIB,
            java: None,
            start_timeout: START_TIMEOUT,
            stop_timeout: STOP_TIMEOUT,
        }
    }

    /// As [`KafkaConfig::new`], on two free ports.
    ///
    /// # Errors
    /// [`StackError::NoFreePort`].
    pub fn on_free_ports(
        libs_dir: impl Into<PathBuf>,
        data_dir: impl Into<PathBuf>,
    ) -> Result<Self, StackError> {
        let [port, controller_port] = free_ports()?;
        Ok(Self::new(libs_dir, data_dir, port, controller_port))
    }
}

/// A running broker. It is killed when dropped without [`Kafka::stop`].
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    port: u16,
    cluster_id: String,
}

impl Kafka {
    /// Starts the broker and waits until it serves clients. Ends a broker of an earlier run on the same data folder
    /// first; formats missing storage.
    ///
    /// # Errors
    /// Any [`StackError`]; an error of the broker includes the end of its log.
    pub async fn start(config: KafkaConfig) -> Result<Self, StackError> {
        let java = java::find(config.java.as_deref()).await?;
        let libs_dir = jars(&config.libs_dir)?;
        fs::create_dir_all(&config.data_dir)
            .map_err(StackError::io("create the folder", &config.data_dir))?;
        let data_dir = absolute(&config.data_dir)?;
        let properties = data_dir.join("server.properties");
        let pid_file = data_dir.join("kafka.pid");
        let identity = vec![OsString::from(MAIN_CLASS), properties.clone().into_os_string()];

        let slot = Slot::claim(NAME, &pid_file, &identity).await?;
        // Checked first, because the broker would report it only in its log, seconds later.
        require_free(NAME, config.port).await?;
        require_free(NAME, config.controller_port).await?;
        let logging = data_dir.join("log4j2.xml");
        write_whole(&logging, render::LOG4J2)?;
        let jvm = Jvm { java: &java, libs_dir: &libs_dir, data_dir: &data_dir, logging: &logging };
        let cluster_id = storage::ready(&jvm, &config).await?;
        write_whole(&properties, &render::server_properties(&config, &data_dir.join(storage::LOG_DIR))?)?;
        // Native libraries that a killed JVM left unpacked.
        let temporary = jvm.temporary();
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary).map_err(StackError::io("create the folder", &temporary))?;

        let mut args = jvm.args();
        args.extend([
            format!("-Xms{}m", INITIAL_HEAP_MIB.min(config.heap_mib)).into(),
            format!("-Xmx{}m", config.heap_mib).into(),
            // A broker out of memory is restarted instead of running on impaired.
            "-XX:+ExitOnOutOfMemoryError".into(),
            MAIN_CLASS.into(),
            properties.into_os_string(),
        ]);
        let process = ProcessConfig {
            name: NAME.to_owned(),
            program: java.program.clone(),
            args,
            env: Vec::new(),
            identity,
            pid_file,
            log_file: data_dir.join("kafka.log"),
            stdin_held_open: false,
            kill_with_parent: true,
            start_timeout: config.start_timeout,
            stop_timeout: config.stop_timeout,
        };
        let process = Process::launch(process, slot).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
        process.wait_ready(|| probe::serves(address, &cluster_id)).await?;
        Ok(Self { process, port: config.port, cluster_id })
    }

    /// The broker's process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The address for clients, `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The identity of the storage; another id means another log.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The file with the broker's own output.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        self.process.log_file()
    }

    /// The last lines of this run's output.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Waits until the broker has ended, for any reason.
    pub async fn wait(&self) -> ExitStatus {
        self.process.wait().await
    }

    /// The broker's exit status, if it has ended.
    #[must_use]
    pub fn exited(&self) -> Option<ExitStatus> {
        self.process.exited()
    }

    /// Shuts the broker down (SIGTERM); kills it after the time limit.
    ///
    /// # Errors
    /// [`StackError::Stop`] if it does not end even when killed.
    pub async fn stop(&self) -> Result<Stopped, StackError> {
        self.process.stop().await
    }

    /// Kills the broker at once (SIGKILL), like a crash. Use [`Kafka::wait`] to wait for its end.
    pub fn kill_hard(&self) {
        self.process.kill_hard();
    }
}

/// The environment of Kafka's Java programs.
pub(crate) struct Jvm<'a> {
    pub(crate) java: &'a Java,
    pub(crate) libs_dir: &'a str,
    pub(crate) data_dir: &'a Path,
    pub(crate) logging: &'a Path,
}

impl Jvm<'_> {
    /// The folder for unpacked native libraries. In the system's folder a killed JVM would leave them forever.
    fn temporary(&self) -> PathBuf {
        self.data_dir.join("tmp")
    }

    /// The options before the class path.
    pub(crate) fn args(&self) -> Vec<OsString> {
        let joined = |option: &str, path: &Path| {
            let mut argument = OsString::from(option);
            argument.push(path);
            argument
        };
        vec![
            // A small heap needs no concurrent collector; the serial one starts fastest and has no threads.
            "-XX:+UseSerialGC".into(),
            "-XX:-UsePerfData".into(),
            "-Xshare:auto".into(),
            "-Djava.awt.headless=true".into(),
            joined("-Djava.io.tmpdir=", &self.temporary()),
            joined("-XX:ErrorFile=", &self.data_dir.join("jvm-crash-%p.log")),
            joined("-Dlog4j2.configurationFile=", self.logging),
            "-cp".into(),
            format!("{}/*", self.libs_dir).into(),
        ]
    }
}

/// The folder of jars in the form of a class path.
fn jars(libs_dir: &Path) -> Result<String, StackError> {
    let missing = || StackError::NoKafkaJars { libs_dir: libs_dir.to_owned() };
    let is_core = |name: &str| name.starts_with("kafka_2.13-") && name.ends_with(".jar");
    let found = fs::read_dir(libs_dir)
        .map_err(|_| missing())?
        .filter_map(Result::ok)
        .any(|entry| entry.file_name().to_str().is_some_and(is_core));
    if !found {
        return Err(missing());
    }
    let path = absolute(libs_dir)?;
    match path.to_str() {
        Some(text) if !text.contains(':') => Ok(text.to_owned()),
        _ => Err(StackError::UnusablePath {
            path,
            reason: "a class path cannot contain it (colon, or not UTF-8)",
        }),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, StackError> {
    path.canonicalize().map_err(StackError::io("find the folder", path))
}
