//! A slot for one child: its lock, its pid file, and the end of a survivor of an earlier run.
//!
//! A pid file alone is no proof, because pids are reused. So the file also holds the process's start time, which
//! together with the pid identifies one process of this boot, and the command line is compared before any signal is
//! sent. The signal goes through a pidfd that was opened before the comparison, so it cannot reach another process.

use crate::{StackError, net::RETRY_PAUSE, text};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long a survivor of an earlier run may take to end by itself.
const STALE_TERM: Duration = Duration::from_secs(10);
/// How long it may take to end once killed.
const STALE_KILL: Duration = Duration::from_secs(5);
/// How long a predecessor in this process may take to release the lock.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The lock of a pid file, held until this is dropped. The kernel releases it with the process.
#[derive(Debug)]
pub(crate) struct Slot {
    pid_file: PathBuf,
    _lock: File,
}

impl Slot {
    /// Takes the lock and ends a survivor of an earlier run. All arguments in `identity` must appear in that
    /// process's command line.
    pub(crate) async fn claim(
        name: &str,
        pid_file: &Path,
        identity: &[OsString],
    ) -> Result<Self, StackError> {
        if let Some(dir) = pid_file.parent() {
            fs::create_dir_all(dir).map_err(StackError::io("create the folder", dir))?;
        }
        let lock = lock(name, pid_file).await?;
        let slot = Self { pid_file: pid_file.to_owned(), _lock: lock };
        if let Some(stale) = Stale::find(pid_file, identity) {
            tracing::warn!(name, pid = stale.pid, "ending a process of an earlier run");
            stale.end(name).await?;
        }
        slot.forget();
        Ok(slot)
    }

    /// Writes the pid of the running process.
    pub(crate) fn note(&self, pid: u32) -> Result<(), StackError> {
        let started = start_ticks(pid).unwrap_or_default();
        text::write_whole(&self.pid_file, &format!("{pid} {started}\n"))
    }

    /// Removes the pid file, after the process has ended and was reaped.
    pub(crate) fn forget(&self) {
        if let Err(error) = fs::remove_file(&self.pid_file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            // Harmless: its start time matches no process.
            tracing::warn!(file = %self.pid_file.display(), %error, "could not remove a pid file");
        }
    }
}

async fn lock(name: &str, pid_file: &Path) -> Result<File, StackError> {
    let mut lock_file = pid_file.as_os_str().to_owned();
    lock_file.push(".lock");
    let lock_file = PathBuf::from(lock_file);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_file)
        .map_err(StackError::io("open the lock", &lock_file))?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                return Err(StackError::Owned { name: name.to_owned(), lock_file });
            }
            Err(TryLockError::Error(source)) => {
                return Err(StackError::Io { action: "lock", path: lock_file, source });
            }
        }
    }
}

/// A running process of an earlier run.
struct Stale {
    pid: u32,
    pidfd: OwnedFd,
}

impl Stale {
    fn find(pid_file: &Path, identity: &[OsString]) -> Option<Self> {
        let noted = fs::read_to_string(pid_file).ok()?;
        let mut words = noted.split_whitespace();
        let pid: u32 = words.next()?.parse().ok()?;
        let started: u64 = words.next()?.parse().ok()?;
        let pidfd = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
        // From here on the pidfd refers to one process; if the checks match, it is the right one.
        let same = start_ticks(pid) == Some(started) && runs_with(pid, identity);
        same.then_some(Self { pid, pidfd })
    }

    async fn end(&self, name: &str) -> Result<(), StackError> {
        for (signal, patience) in [(Signal::TERM, STALE_TERM), (Signal::KILL, STALE_KILL)] {
            // An error means that it has just ended, which the wait below notices.
            let _ = pidfd_send_signal(&self.pidfd, signal);
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if self.has_ended() {
                    return Ok(());
                }
                sleep(RETRY_PAUSE).await;
            }
        }
        Err(StackError::StaleSurvives {
            name: name.to_owned(),
            pid: self.pid,
            waited: STALE_TERM + STALE_KILL,
        })
    }

    fn has_ended(&self) -> bool {
        // A pidfd becomes readable when its process ends, reaped or not.
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec::default())), Ok(ready) if ready > 0)
    }
}

/// When a process started, in clock ticks since boot: field 22 of /proc/PID/stat.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 2, the name in parentheses, may contain spaces and parentheses, so fields are counted from its end.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

/// Whether the process's command line contains all of these arguments.
fn runs_with(pid: u32, identity: &[OsString]) -> bool {
    let Ok(command_line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    let arguments: Vec<&[u8]> = command_line.split(|byte| *byte == 0).collect();
    identity.iter().all(|wanted| arguments.contains(&wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    struct Sleeper(Child);

    impl Sleeper {
        fn start(command: &str) -> Self {
            Self(Command::new("bash").args(["-c", command, "the-marker"]).spawn().unwrap())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn marker() -> Vec<OsString> {
        vec!["the-marker".into()]
    }

    /// Waits until bash has replaced the forked copy of this process.
    async fn settle(pid: u32) {
        while !runs_with(pid, &marker()) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_process_of_a_former_run_is_ended_before_the_slot_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("x.pid");
        let mut sleeper = Sleeper::start("while :; do sleep 0.1; done");
        let pid = sleeper.0.id();
        settle(pid).await;
        Slot::claim("x", &pid_file, &marker()).await.unwrap().note(pid).unwrap();

        let _slot = Slot::claim("x", &pid_file, &marker()).await.unwrap();
        let status = sleeper.0.try_wait().unwrap().expect("it was ended");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
        assert!(!pid_file.exists());
    }

    #[tokio::test]
    async fn another_process_that_has_the_noted_pid_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("x.pid");
        let mut sleeper = Sleeper::start("while :; do sleep 0.1; done");
        let pid = sleeper.0.id();
        settle(pid).await;
        let ticks = start_ticks(pid).unwrap();
        for (noted, identity, case) in [
            (format!("{pid} {}", ticks + 1), marker(), "another start time"),
            (format!("{pid} {ticks}"), vec!["other".into()], "another command line"),
            (format!("{pid}"), marker(), "a torn pid file"),
            ("garbage".to_owned(), marker(), "not a pid file"),
        ] {
            fs::write(&pid_file, noted).unwrap();
            let slot = Slot::claim("x", &pid_file, &identity).await.unwrap();
            assert!(sleeper.0.try_wait().unwrap().is_none(), "{case}: must live");
            drop(slot);
        }
    }

    #[tokio::test]
    async fn one_slot_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("x.pid");
        let first = Slot::claim("x", &pid_file, &[]).await.unwrap();
        let second = Slot::claim("x", &pid_file, &[]).await;
        assert!(matches!(second, Err(StackError::Owned { .. })), "{second:?}");
        drop(first);
        Slot::claim("x", &pid_file, &[]).await.unwrap();
    }
}
