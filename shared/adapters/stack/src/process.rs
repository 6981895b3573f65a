//! A child process: starting, watching and stopping it.

use crate::{StackError, net::RETRY_PAUSE, slot::Slot, spawner, text::log_tail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// A larger log is renamed to `NAME.1` when its process starts, so that a child leaves at most two files.
const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// The time limit for the end of a killed child.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// How long a child that did not end with its standard input may take to end on SIGTERM.
const TERM_AFTER_STDIN: Duration = Duration::from_secs(2);

/// The configuration of a child and its supervision.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// The name for logs and errors.
    pub name: String,
    /// The executable, as a path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables added to this process's own.
    pub env: Vec<(OsString, OsString)>,
    /// Arguments that identify this child among other processes, ideally its data folder. A survivor of an earlier
    /// run is ended only if its command line contains all of them.
    pub identity: Vec<OsString>,
    /// The file for the pid; the lock has the same name plus `.lock`.
    pub pid_file: PathBuf,
    /// The file for the child's standard output and error.
    pub log_file: PathBuf,
    /// Whether the child's standard input is a pipe that stays open until [`Process::stop`]. Its end tells the child
    /// to shut down, even if this process was killed. Otherwise the standard input is `/dev/null`.
    pub stdin_held_open: bool,
    /// Whether the kernel kills the child when this process ends (if `setpriv` can do so). Leave it off for a child
    /// that shuts down at the end of its standard input.
    pub kill_with_parent: bool,
    /// The time limit until the child is ready.
    pub start_timeout: Duration,
    /// The time limit of a shutdown.
    pub stop_timeout: Duration,
}

/// How a stopped child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether it had to be killed.
    pub killed: bool,
}

/// A running child. It is killed when dropped without [`Process::stop`].
#[derive(Debug)]
pub struct Process {
    config: ProcessConfig,
    pid: u32,
    /// The offset in the log file at which this run's output begins.
    log_offset: u64,
    stdin: Mutex<Option<ChildStdin>>,
    child: Arc<Supervised>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// The child, shared by the waiting thread and the methods that send signals. A pid may be signalled only under this
/// lock and before the child is reaped; until then the kernel does not reuse it.
#[derive(Debug)]
struct Supervised {
    pid: Pid,
    unreaped: Mutex<Option<Child>>,
}

impl Supervised {
    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.unreaped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal, unless the child has ended.
    fn signal(&self, signal: Signal) -> Result<(), rustix::io::Errno> {
        match *self.lock() {
            Some(_) => kill_process(self.pid, signal),
            None => Ok(()),
        }
    }

    /// Blocks until the child has ended, then reaps it.
    fn reap(&self) -> ExitStatus {
        // Waits without reaping first, so that the pid stays valid until the lock is held.
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        let mut unreaped = self.lock();
        // Only this thread takes the child out, so it is present; the wait cannot fail for a child of ours.
        let status = unreaped.as_mut().and_then(|child| child.wait().ok()).unwrap_or_default();
        *unreaped = None;
        status
    }
}

impl Process {
    /// Ends a survivor of an earlier run and starts the child. The child may not be ready yet: see
    /// [`Process::wait_ready`].
    ///
    /// # Errors
    /// [`StackError::Owned`] if another supervisor runs it, [`StackError::StaleSurvives`], [`StackError::Spawn`] or
    /// [`StackError::Io`] for its files.
    pub async fn spawn(config: ProcessConfig) -> Result<Self, StackError> {
        let slot = Slot::claim(&config.name, &config.pid_file, &config.identity).await?;
        Self::launch(config, slot).await
    }

    /// Starts the child and waits until `ready` is true. A child that is not ready in time is killed, and the error
    /// includes the end of its log.
    ///
    /// # Errors
    /// Those of [`Process::spawn`] and [`Process::wait_ready`].
    pub async fn start<F, R>(config: ProcessConfig, ready: F) -> Result<Self, StackError>
    where
        F: Fn() -> R,
        R: Future<Output = bool>,
    {
        let process = Self::spawn(config).await?;
        process.wait_ready(ready).await?;
        Ok(process)
    }

    /// Starts the child in a claimed slot.
    pub(crate) async fn launch(config: ProcessConfig, slot: Slot) -> Result<Self, StackError> {
        let (log, log_offset) = open_log(&config)?;
        let stderr = log.try_clone().map_err(StackError::io("open the log", &config.log_file))?;
        let mut command = command(&config);
        command
            .stdin(if config.stdin_held_open { Stdio::piped() } else { Stdio::null() })
            .stdout(log)
            .stderr(stderr);
        let mut child = spawner::spawn(command).await.map_err(|source| StackError::Spawn {
            name: config.name.clone(),
            program: config.program.clone(),
            source,
        })?;
        let pid = child.id();
        if let Err(error) = slot.note(pid) {
            // A child that a later run could not find again is killed.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        let stdin = Mutex::new(child.stdin.take());
        let supervised =
            Arc::new(Supervised { pid: Pid::from_child(&child), unreaped: Mutex::new(Some(child)) });
        let exit = watch_exit(&config.name, Arc::clone(&supervised), slot)?;
        tracing::info!(name = config.name, pid, log = %config.log_file.display(), "started");
        Ok(Self { config, pid, log_offset, stdin, child: supervised, exit })
    }

    /// Waits until `ready` is true. It is an error if the child ends first or is not ready within its
    /// `start_timeout`; it is then killed.
    ///
    /// # Errors
    /// [`StackError::Died`] or [`StackError::NotReady`], each with the last lines of the log.
    pub async fn wait_ready<F, R>(&self, ready: F) -> Result<(), StackError>
    where
        F: Fn() -> R,
        R: Future<Output = bool>,
    {
        let began = Instant::now();
        let deadline = began + self.config.start_timeout;
        loop {
            let answered = timeout(deadline.saturating_duration_since(Instant::now()), ready()).await;
            // Checked after readiness, because another process may have answered if this child is dead.
            if let Some(status) = self.exited() {
                return Err(StackError::Died {
                    name: self.config.name.clone(),
                    status,
                    log_file: self.config.log_file.clone(),
                    log_tail: log_tail(&self.config.log_file, self.log_offset),
                });
            }
            if answered == Ok(true) {
                tracing::info!(
                    name = self.config.name,
                    pid = self.pid,
                    after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "ready"
                );
                return Ok(());
            }
            if Instant::now() + RETRY_PAUSE > deadline {
                self.kill_hard();
                return Err(StackError::NotReady {
                    name: self.config.name.clone(),
                    waited: began.elapsed(),
                    log_file: self.config.log_file.clone(),
                    log_tail: log_tail(&self.config.log_file, self.log_offset),
                });
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// The child's process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with its output.
    #[must_use]
    pub fn log_file(&self) -> &std::path::Path {
        &self.config.log_file
    }

    /// The last lines of this run's output.
    #[must_use]
    pub fn log_tail(&self) -> String {
        log_tail(&self.config.log_file, self.log_offset)
    }

    /// The child's exit status, if it has ended.
    #[must_use]
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until the child has ended, for any reason. May be called repeatedly and after the end.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        // The waiting thread always sends a value before it ends.
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    /// Kills the child at once (SIGKILL). Use [`Process::wait`] to wait for its end.
    pub fn kill_hard(&self) {
        self.send(Signal::KILL);
    }

    /// Tells the child to shut down: by closing its standard input if it is held open, otherwise by SIGTERM. Kills it
    /// after `stop_timeout`.
    ///
    /// # Errors
    /// [`StackError::Stop`] if it does not end even when killed.
    pub async fn stop(&self) -> Result<Stopped, StackError> {
        let stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut steps = Vec::with_capacity(3);
        if stdin.is_some() {
            drop(stdin);
            steps.push((None, self.config.stop_timeout));
            steps.push((Some(Signal::TERM), TERM_AFTER_STDIN));
        } else {
            steps.push((Some(Signal::TERM), self.config.stop_timeout));
        }
        steps.push((Some(Signal::KILL), KILL_WAIT));
        for (signal, patience) in steps {
            if let Some(signal) = signal {
                self.send(signal);
            }
            if let Ok(status) = timeout(patience, self.wait()).await {
                let killed = signal == Some(Signal::KILL);
                tracing::info!(name = self.config.name, pid = self.pid, %status, killed, "stopped");
                return Ok(Stopped { status, killed });
            }
            tracing::warn!(name = self.config.name, pid = self.pid, "did not end in time");
        }
        Err(StackError::Stop {
            name: self.config.name.clone(),
            pid: self.pid,
            reason: format!("it did not end within {} s of being killed", KILL_WAIT.as_secs()),
        })
    }

    fn send(&self, signal: Signal) {
        if let Err(error) = self.child.signal(signal) {
            tracing::error!(name = self.config.name, pid = self.pid, ?signal, %error, "a signal could not be sent");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_hard();
    }
}

/// Waits for the child on a separate thread. This needs no runtime, so the child is reaped and its pid file removed
/// even while the runtime shuts down.
fn watch_exit(
    name: &str,
    child: Arc<Supervised>,
    slot: Slot,
) -> Result<watch::Receiver<Option<ExitStatus>>, StackError> {
    let (sender, exit) = watch::channel(None);
    let watched = Arc::clone(&child);
    let started = thread::Builder::new().name(format!("wb-wait-{name}")).spawn(move || {
        let status = watched.reap();
        slot.forget();
        // The lock is released first, because a caller that sees the end may start the next child at once.
        drop(slot);
        sender.send_replace(Some(status));
    });
    match started {
        Ok(_) => Ok(exit),
        Err(source) => {
            let _ = child.signal(Signal::KILL);
            child.reap();
            Err(StackError::Spawn {
                name: name.to_owned(),
                program: PathBuf::from("(waiting thread)"),
                source,
            })
        }
    }
}

fn command(config: &ProcessConfig) -> Command {
    let mut command = match spawner::setpriv() {
        Some(setpriv) if config.kill_with_parent => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(&config.program);
            command
        }
        _ => Command::new(&config.program),
    };
    command.args(&config.args).envs(config.env.iter().map(|(name, value)| (name, value)));
    // A separate process group: Ctrl-C in a terminal reaches only the supervisor, which then stops its children in
    // order.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

fn open_log(config: &ProcessConfig) -> Result<(fs::File, u64), StackError> {
    let path = &config.log_file;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(StackError::io("create the folder", dir))?;
    }
    if fs::metadata(path).is_ok_and(|log| log.len() > LOG_LIMIT_BYTES) {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".1");
        fs::rename(path, aside).map_err(StackError::io("set aside the log", path))?;
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(StackError::io("open the log", path))?;
    let offset = log.metadata().map_err(StackError::io("open the log", path))?.len();
    Ok((log, offset))
}
