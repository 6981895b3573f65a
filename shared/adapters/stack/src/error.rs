//! What can go wrong while a child process is started, found ready or stopped.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// A failure to start, ready or stop a child process. The text says what, where and what would be right; [`Self::code`] is
/// the stable code of the error's page.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// No Java runtime that Kafka can run on.
    #[code("WB-8001")]
    #[error(
        "no Java runtime of version {minimum} or newer was found (looked at: {looked_at}); install one \
         (Debian: apt-get install default-jre-headless) or set JAVA_HOME"
    )]
    NoJava {
        /// The oldest major version that would do.
        minimum: u32,
        /// Each place looked at and what was found there.
        looked_at: String,
    },
    /// Kafka's jars are not where they were said to be.
    #[code("WB-8002")]
    #[error("no Kafka jars (kafka_2.13-*.jar) in {}; run `make setup`, or name the folder they are in", libs_dir.display())]
    NoKafkaJars {
        /// The folder that should hold them.
        libs_dir: PathBuf,
    },
    /// A path that a Kafka or Java setting cannot express.
    #[code("WB-8003")]
    #[error("Kafka cannot use the folder {}: {reason}; choose another", path.display())]
    UnusablePath {
        /// The path in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another live supervisor owns this pid file (and so the data beside it).
    #[code("WB-8004")]
    #[error(
        "another running weighbridge process owns {name} ({} is locked); stop that one first, or use another data folder",
        lock_file.display()
    )]
    Owned {
        /// The child's name.
        name: String,
        /// The lock that is held.
        lock_file: PathBuf,
    },
    /// A port is in use by somebody else.
    #[code("WB-8005")]
    #[error("{name} cannot listen on 127.0.0.1:{port}: stop what uses the port or choose another")]
    PortTaken {
        /// The child's name.
        name: String,
        /// The port wanted.
        port: u16,
        /// Why binding it failed.
        source: io::Error,
    },
    /// No free port could be had.
    #[code("WB-8006")]
    #[error("no free port on 127.0.0.1")]
    NoFreePort(#[source] io::Error),
    /// The program could not be started at all.
    #[code("WB-8007")]
    #[error("{name} could not be started: {} did not execute", program.display())]
    Spawn {
        /// The child's name.
        name: String,
        /// The program that was to run.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The child ended before it was ready.
    #[code("WB-8008")]
    #[error("{name} ended while starting ({status}); its log {} ends with:\n{log_tail}", log_file.display())]
    Died {
        /// The child's name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Where its output is.
        log_file: PathBuf,
        /// The last lines of this run's output.
        log_tail: String,
    },
    /// The child lives but was not ready in time; it has been killed.
    #[code("WB-8009")]
    #[error(
        "{name} was not ready within {} s and was killed; its log {} ends with:\n{log_tail}",
        waited.as_secs(), log_file.display()
    )]
    NotReady {
        /// The child's name.
        name: String,
        /// How long it was waited for.
        waited: Duration,
        /// Where its output is.
        log_file: PathBuf,
        /// The last lines of this run's output.
        log_tail: String,
    },
    /// Kafka's storage formatter failed.
    #[code("WB-8010")]
    #[error("Kafka's storage could not be formatted in {} ({reason}); the formatter said:\n{output}", dir.display())]
    Format {
        /// The folder that was to be formatted.
        dir: PathBuf,
        /// Its exit status, or that it took too long.
        reason: String,
        /// The last lines of its output.
        output: String,
    },
    /// Storage that exists but does not look like Kafka's.
    #[code("WB-8011")]
    #[error("{} is not a Kafka storage folder's identity ({reason}); restore it, or move the folder away to begin anew", path.display())]
    BadStorage {
        /// The `meta.properties` in question.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// A child of a former run is still alive and would not end.
    #[code("WB-8012")]
    #[error("process {pid}, a {name} of a former run, did not end within {} s even when killed; see why it hangs (state D is a disk that does not answer)", waited.as_secs())]
    StaleSurvives {
        /// The child's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Nothing listened on an address in time.
    #[code("WB-8013")]
    #[error("nothing answered on {address} within {} ms", waited.as_millis())]
    NoAnswer {
        /// The address tried.
        address: std::net::SocketAddr,
        /// How long it was tried.
        waited: Duration,
    },
    /// A file or system call that has to work did not.
    #[code("WB-8014")]
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A signal could not be delivered, or the child did not end when killed.
    #[code("WB-8015")]
    #[error("{name} (process {pid}) could not be stopped: {reason}")]
    Stop {
        /// The child's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// Why.
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
