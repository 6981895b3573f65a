//! A process of the product, with its output.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::until;

/// A running process. Dropped, it is killed; its children go with it.
pub(crate) struct Running {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a process ended, and all it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts a command whose output goes to files of the folder.
    pub(crate) fn start(name: &str, mut command: Command, folder: &std::path::Path) -> Self {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.err"));
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn send(&self, signal: Signal) {
        signal_to(self.child.id(), signal);
    }

    /// All it has written to standard error.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until standard error holds a text.
    pub(crate) fn wait_for(&mut self, text: &str, limit: Duration) {
        let what = format!("{} says {text:?}", self.name);
        until(&what, limit, || {
            if self.stderr().contains(text) {
                return Ok(());
            }
            let ended = self.child.try_wait().unwrap();
            // Its last output counts, too.
            if let Some(status) = ended {
                assert!(self.stderr().contains(text), "{what}: it ended with {status}\n{}", self.stderr());
                return Ok(());
            }
            Err("it runs and does not say so".to_owned())
        });
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, limit: Duration) -> Ended {
        let what = format!("{} ends", self.name);
        let status =
            until(&what, limit, || self.child.try_wait().unwrap().ok_or_else(|| "it runs on".to_owned()));
        Ended { code: status.code(), stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }

    /// Kills it at once, as a crash would, and reaps it.
    pub(crate) fn kill(mut self) {
        self.send(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// The end, where it must be a success.
    pub(crate) fn success(self, what: &str) -> Self {
        assert_eq!(self.code, Some(0), "{what}\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Sends a signal to a process of ours.
pub(crate) fn signal_to(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot send {signal:?} to {pid:?}: {error}"));
}

fn read(path: &std::path::Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
