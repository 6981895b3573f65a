//! The thread that starts children.
//!
//! The kernel sends a parent-death signal when the forking *thread* ends, not the process. A worker of an async
//! runtime may end long before the process, so children are started from a thread that lives as long as the process.

use std::{
    io,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};
use tokio::sync::oneshot;

type Job = (Command, oneshot::Sender<io::Result<Child>>);

static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Starts a command from the long-lived thread.
pub(crate) async fn spawn(command: Command) -> io::Result<Child> {
    let (reply, child) = oneshot::channel();
    {
        let jobs = JOBS.get_or_init(start_thread).lock().unwrap_or_else(PoisonError::into_inner);
        jobs.send((command, reply)).map_err(|_| gone())?;
    }
    child.await.map_err(|_| gone())?
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts child processes could not be started")
}

fn start_thread() -> Mutex<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let started = thread::Builder::new().name("wb-spawner".to_owned()).spawn(move || {
        // The sender lives in a static, so this loop ends only with the process.
        for (mut command, reply) in jobs {
            let spawned = command.spawn();
            if let Err(Ok(mut orphan)) = reply.send(spawned) {
                // The caller is gone (a cancelled future), so the child would have no supervisor.
                let _ = orphan.kill();
                let _ = orphan.wait();
            }
        }
    });
    if let Err(error) = started {
        // The receiver is gone with the closure, so every send fails and returns an error to its caller.
        tracing::error!(%error, "could not start the thread that starts child processes");
    }
    Mutex::new(sender)
}

/// The `setpriv` that can set a parent-death signal (util-linux, not busybox), if there is one.
pub(crate) fn setpriv() -> Option<&'static PathBuf> {
    SETPRIV
        .get_or_init(|| {
            let path = find_on_path("setpriv")?;
            let works = Command::new(&path)
                .args(["--pdeathsig", "KILL", "--", "true"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            works.then_some(path)
        })
        .as_ref()
}

/// The first executable with that name on the PATH.
pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
