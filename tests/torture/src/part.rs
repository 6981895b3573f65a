//! One process of the stack under a supervisor: whatever ends it, it is started again at once, unless it is to be
//! down.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use wb_stack::{Kafka, KafkaConfig, Process, ProcessConfig};

/// The pause before something that did not start is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(100);
/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(20);

/// What a part runs.
#[derive(Debug, Clone)]
pub enum Runs {
    /// Any process.
    Process(Box<ProcessConfig>),
    Broker(Box<KafkaConfig>),
}

enum Alive {
    Process(Process),
    Broker(Kafka),
}

impl Alive {
    fn pid(&self) -> u32 {
        match self {
            Self::Process(process) => process.pid(),
            Self::Broker(broker) => broker.pid(),
        }
    }

    fn ended(&self) -> bool {
        match self {
            Self::Process(process) => process.exited().is_some(),
            Self::Broker(broker) => broker.exited().is_some(),
        }
    }

    async fn wait(&self) {
        match self {
            Self::Process(process) => process.wait().await,
            Self::Broker(broker) => broker.wait().await,
        };
    }

    async fn stop(&self) {
        let stopped = match self {
            Self::Process(process) => process.stop().await,
            Self::Broker(broker) => broker.stop().await,
        };
        if let Err(error) = stopped {
            crate::tell(&format!("{error}"));
        }
    }
}

struct Shared {
    name: String,
    runs: Runs,
    alive: Mutex<Option<(Arc<Alive>, Instant)>>,
    wanted: AtomicBool,
    ended: AtomicBool,
    changed: Notify,
    kills: AtomicU64,
    starts: AtomicU64,
}

/// A supervised process. Cheap to clone.
#[derive(Clone)]
pub struct Part {
    shared: Arc<Shared>,
    keeper: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Part {
    /// Begins to keep it running, or waits until it is to be up.
    #[must_use]
    pub fn keep(runs: Runs, wanted: bool) -> Self {
        let name = match &runs {
            Runs::Process(process) => process.name.clone(),
            Runs::Broker(_) => "broker".to_owned(),
        };
        let shared = Arc::new(Shared {
            name,
            runs,
            alive: Mutex::new(None),
            wanted: AtomicBool::new(wanted),
            ended: AtomicBool::new(false),
            changed: Notify::new(),
            kills: AtomicU64::new(0),
            starts: AtomicU64::new(0),
        });
        let keeper = tokio::spawn(keep_running(Arc::clone(&shared)));
        Self { shared, keeper: Arc::new(Mutex::new(Some(keeper))) }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// How often it was killed by [`Part::kill`].
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.shared.kills.load(Ordering::Relaxed)
    }

    /// How often it was started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.shared.starts.load(Ordering::Relaxed)
    }

    fn running(&self) -> Option<(Arc<Alive>, Instant)> {
        let alive = self.shared.alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        alive.filter(|(alive, _)| !alive.ended())
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running().map(|(alive, _)| alive.pid())
    }

    /// For how long it has run.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.running().map(|(_, since)| since.elapsed())
    }

    /// Sends a signal; false where it does not run.
    pub fn signal(&self, signal: Signal) -> bool {
        let Some((alive, _)) = self.running() else { return false };
        let pid = i32::try_from(alive.pid()).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Kills it at once; false where it does not run.
    pub fn kill(&self) -> bool {
        let killed = self.signal(Signal::KILL);
        if killed {
            self.shared.kills.fetch_add(1, Ordering::Relaxed);
        }
        killed
    }

    /// Whether it is to run. Down, it is asked to end and not started again.
    pub fn want(&self, wanted: bool) {
        self.shared.wanted.store(wanted, Ordering::Relaxed);
        self.shared.changed.notify_one();
    }

    /// Asks it to end as an operator would, and starts it again.
    pub fn ask_to_end(&self) -> bool {
        self.signal(Signal::TERM)
    }

    /// Waits until the process with this id is gone; false at the limit.
    pub async fn gone(&self, pid: u32, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.pid() == Some(pid) {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// Waits until it has run for a while; false at the limit.
    pub async fn up_for(&self, age: Duration, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.age().is_none_or(|now| now < age) {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// Ends it for good.
    pub async fn end(&self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // A stopped process takes no other signal.
        self.signal(Signal::CONT);
        self.shared.changed.notify_one();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    }
}

impl Shared {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed)
    }

    async fn start(&self) -> Result<Alive, wb_stack::StackError> {
        match &self.runs {
            Runs::Process(process) => Process::spawn((**process).clone()).await.map(Alive::Process),
            Runs::Broker(broker) => Kafka::start((**broker).clone()).await.map(Alive::Broker),
        }
    }
}

async fn keep_running(shared: Arc<Shared>) {
    loop {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        if !shared.is_wanted() {
            shared.changed.notified().await;
            continue;
        }
        let alive = match shared.start().await {
            Ok(alive) => Arc::new(alive),
            Err(error) => {
                crate::tell(&format!("{} did not start: {error}", shared.name));
                tokio::time::sleep(RESTART_PAUSE).await;
                continue;
            }
        };
        shared.starts.fetch_add(1, Ordering::Relaxed);
        *shared.alive.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(&alive), Instant::now()));
        loop {
            tokio::select! {
                () = alive.wait() => break,
                () = shared.changed.notified() => {
                    if !shared.is_wanted() {
                        alive.stop().await;
                        break;
                    }
                }
            }
        }
        *shared.alive.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
