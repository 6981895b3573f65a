//! Errors of starting, checking and stopping child processes.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// A failure to start, check or stop a child process. The text states what failed, where, and what to do;
/// [`Self::code`] is the code of the error's page.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// There is no Java runtime that can run Kafka.
    #[code("WB-8001")]
    #[error(
        "no Java runtime of version {minimum} or newer was found (looked at: {looked_at}); install one \
         (Debian: apt-get install default-jre-headless) or set JAVA_HOME"
    )]
    NoJava {
        /// The oldest suitable major version.
        minimum: u32,
        /// The places that were searched, and what was found at each.
        looked_at: String,
    },
    /// The folder has no Kafka jars.
    #[code("WB-8002")]
    #[error(
        "no Kafka jars (kafka_2.13-*.jar) in {}; run `make setup`, or give the folder they are in",
        libs_dir.display()
    )]
    NoKafkaJars {
        /// The folder.
        libs_dir: PathBuf,
    },
    /// Kafka or Java settings cannot express a path.
    #[code("WB-8003")]
    #[error("Kafka cannot use the folder {}: {reason}; choose another", path.display())]
    UnusablePath {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// Another supervisor owns this pid file, and thus the data beside it.
    #[code("WB-8004")]
    #[error(
        "another running weighbridge process owns {name} ({} is locked); stop that one first, or use another data folder",
        lock_file.display()
    )]
    Owned {
        /// The child's name.
        name: String,
        /// The held lock.
        lock_file: PathBuf,
    },
    /// The port is in use.
    #[code("WB-8005")]
    #[error("{name} cannot listen on 127.0.0.1:{port}: stop what uses the port or choose another")]
    PortTaken {
        /// The child's name.
        name: String,
        /// The port.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// There is no free port.
    #[code("WB-8006")]
    #[error("no free port on 127.0.0.1")]
    NoFreePort(#[source] io::Error),
    /// The program could not be executed.
    #[code("WB-8007")]
    #[error("{name} could not be started: {} did not execute", program.display())]
    Spawn {
        /// The child's name.
        name: String,
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The child ended before it was ready.
    #[code("WB-8008")]
    #[error("{name} ended while starting ({status}); its log {} ends with:\n{log_tail}", log_file.display())]
    Died {
        /// The child's name.
        name: String,
        /// Its exit status.
        status: ExitStatus,
        /// The file with its output.
        log_file: PathBuf,
        /// The last lines of this run's output.
        log_tail: String,
    },
    /// The child was not ready in time and was killed.
    #[code("WB-8009")]
    #[error(
        "{name} was not ready within {} s and was killed; its log {} ends with:\n{log_tail}",
        waited.as_secs(), log_file.display()
    )]
    NotReady {
        /// The child's name.
        name: String,
        /// The time limit.
        waited: Duration,
        /// The file with its output.
        log_file: PathBuf,
        /// The last lines of this run's output.
        log_tail: String,
    },
    /// Formatting Kafka's storage failed.
    #[code("WB-8010")]
    #[error("Kafka's storage could not be formatted in {} ({reason}); the formatter said:\n{output}", dir.display())]
    Format {
        /// The folder.
        dir: PathBuf,
        /// The exit status, or that it took too long.
        reason: String,
        /// The last lines of its output.
        output: String,
    },
    /// The existing storage is not Kafka's.
    #[code("WB-8011")]
    #[error(
        "{} does not identify a Kafka storage folder ({reason}); restore it, or move the folder away to start with \
         an empty one",
        path.display()
    )]
    BadStorage {
        /// The path of its `meta.properties`.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// A child of an earlier run does not end.
    #[code("WB-8012")]
    #[error(
        "process {pid}, a {name} of an earlier run, did not end within {} s of being killed; check why it hangs \
         (state D means that a disk does not answer)",
        waited.as_secs()
    )]
    StaleSurvives {
        /// The child's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// The time limit.
        waited: Duration,
    },
    /// Nothing accepted connections in time.
    #[code("WB-8013")]
    #[error("nothing answered on {address} within {} ms", waited.as_millis())]
    NoAnswer {
        /// The address.
        address: std::net::SocketAddr,
        /// The time limit.
        waited: Duration,
    },
    /// A file operation or system call failed.
    #[code("WB-8014")]
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Nothing answers where the stack should be.
    #[code("WB-8016")]
    #[error("nothing answers at {addresses}, where {name} should be; is the stack running (weighbridge up)?")]
    NothingAnswers {
        /// What should answer.
        name: &'static str,
        /// Where it was looked for.
        addresses: String,
    },
    /// The data folder has no keys.
    #[code("WB-8017")]
    #[error(
        "{} is missing: {} is not the data folder of a stack that ran; give its configuration (--config) or data folder",
        key.display(),
        data_dir.display()
    )]
    NoKeys {
        /// The key that was wanted.
        key: PathBuf,
        /// The folder.
        data_dir: PathBuf,
    },
    /// A signal could not be sent, or the child did not end when killed.
    #[code("WB-8015")]
    #[error("{name} (process {pid}) could not be stopped: {reason}")]
    Stop {
        /// The child's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// The reason.
        reason: String,
    },
}

impl StackError {
    /// For `map_err`: an [`StackError::Io`] of this action and path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
