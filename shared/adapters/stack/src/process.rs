//! One child process: started, watched, stopped.

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

/// A log larger than this is set aside (as `NAME.1`) when its process starts: two files bound what a child leaves.
const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// How long a killed child may take to be gone.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// How long a child that had its standard input closed, and stayed, may take to end on SIGTERM.
const TERM_AFTER_STDIN: Duration = Duration::from_secs(2);

/// What to run, and how it is supervised.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// The name used in logs and errors.
    pub name: String,
    /// The executable, as a path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables added to this process's own.
    pub env: Vec<(OsString, OsString)>,
    /// Arguments that tell this child from any other process (best: one that names its data folder). A survivor of a
    /// former run is ended only if its command line holds them all.
    pub identity: Vec<OsString>,
    /// Where the pid is noted; a lock of the same name plus `.lock` goes with it.
    pub pid_file: PathBuf,
    /// Where the child's standard output and error are appended.
    pub log_file: PathBuf,
    /// Whether the child gets a pipe as standard input that is held open until [`Process::stop`]: its end tells the child
    /// to shut down, also when this process was killed. Otherwise its standard input is `/dev/null`.
    pub stdin_held_open: bool,
    /// Whether the kernel is to kill the child the moment this process ends (where `setpriv` can do so). Leave it off for a
    /// child that shuts down by itself at the end of its standard input.
    pub kill_with_parent: bool,
    /// How long the child may take to be ready.
    pub start_timeout: Duration,
    /// How long the child may take to shut down by itself.
    pub stop_timeout: Duration,
}

/// How a child that was told to stop did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// How it ended.
    pub status: ExitStatus,
    /// Whether it had to be killed.
    pub killed: bool,
}

/// A running child. Dropped without [`Process::stop`], it is killed.
#[derive(Debug)]
pub struct Process {
    config: ProcessConfig,
    pid: u32,
    /// Where this run's output begins in the log file.
    log_offset: u64,
    stdin: Mutex<Option<ChildStdin>>,
    child: Arc<Supervised>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// The child as the waiting thread and the signalling methods share it. A pid may be signalled only under this lock and
/// only while the child is unreaped: until then the kernel gives the pid to nobody else.
#[derive(Debug)]
struct Supervised {
    pid: Pid,
    unreaped: Mutex<Option<Child>>,
}

impl Supervised {
    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.unreaped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal; a child that has ended is left in peace.
    fn signal(&self, signal: Signal) -> Result<(), rustix::io::Errno> {
        match *self.lock() {
            Some(_) => kill_process(self.pid, signal),
            None => Ok(()),
        }
    }

    /// Blocks until the child has ended, then reaps it.
    fn reap(&self) -> ExitStatus {
        // Without reaping at first, so that the pid stays the child's until the lock is held.
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        let mut unreaped = self.lock();
        // Only this thread takes the child out, so it is here; a wait can fail only for what is no child of ours.
        let status = unreaped.as_mut().and_then(|child| child.wait().ok()).unwrap_or_default();
        *unreaped = None;
        status
    }
}

impl Process {
    /// Starts the child after ending whatever a former run left of it. It may not be ready yet: see
    /// [`Process::wait_ready`].
    ///
    /// # Errors
    /// [`StackError::Owned`] if another supervisor runs it, [`StackError::StaleSurvives`], [`StackError::Spawn`] or
    /// [`StackError::Io`] for the files around it.
    pub async fn spawn(config: ProcessConfig) -> Result<Self, StackError> {
        let slot = Slot::claim(&config.name, &config.pid_file, &config.identity).await?;
        Self::launch(config, slot).await
    }

    /// Starts the child and waits until `ready` says yes; a child that does not get there is killed and reported with the
    /// end of its log.
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

    /// Starts the child in a slot that is already claimed.
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
            // A child that no later run could find again is not left running.
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

    /// Waits until `ready` says yes. A child that ends first, or is not ready within its `start_timeout`, is an error; it is
    /// killed then.
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
            // Asked after readiness: whoever answered may have been somebody else, once this child is dead.
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

    /// The file its output goes to.
    #[must_use]
    pub fn log_file(&self) -> &std::path::Path {
        &self.config.log_file
    }

    /// The last lines of this run's output.
    #[must_use]
    pub fn log_tail(&self) -> String {
        log_tail(&self.config.log_file, self.log_offset)
    }

    /// How the child ended, if it has.
    #[must_use]
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until the child has ended, for whatever reason; also after the fact, and as often as one likes.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        // The waiting thread always sends before it ends.
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    /// Kills the child at once (SIGKILL). [`Process::wait`] tells when it is gone.
    pub fn kill_hard(&self) {
        self.send(Signal::KILL);
    }

    /// Tells the child to shut down, by the end of its standard input where that is held, else by SIGTERM; after
    /// `stop_timeout` it is killed.
    ///
    /// # Errors
    /// [`StackError::Stop`] if it does not even end when killed.
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

/// Waits for the child on a thread of its own: that needs no runtime, so a child is reaped and its pid file removed also
/// while one is shutting down.
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
        // The lock goes before the news: who hears of the end may start the next one at once.
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
    // In a group of its own: Ctrl-C in a terminal reaches the supervisor alone, which then stops its children in order.
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
