//! `strace`, attached to a running process to count its calls, to kill it at one, or to make one fail.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// The program.
const STRACE: &str = "strace";
/// How long it may take to attach to all threads.
const ATTACH_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to detach.
const DETACH_LIMIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(10);

/// An attached `strace`. Dropped, it detaches.
pub struct Tracer {
    child: Child,
    output: PathBuf,
}

impl Tracer {
    /// Attaches to a process, or with `whole` false to one thread alone; what is traced goes to a file.
    ///
    /// # Errors
    /// Where it does not attach: because the process has ended, or because it may not.
    pub async fn attach(id: u32, whole: bool, rules: &[String], output: &Path) -> Result<Self> {
        // Its messages before the trace go to standard error, which is a file of its own.
        let told = output.with_extension("told");
        let mut command = Command::new(STRACE);
        if whole {
            command.arg("-f");
        }
        for rule in rules {
            command.args(["-e", rule]);
        }
        command.arg("-s").arg("256").arg("-o").arg(output).arg("-p").arg(id.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&told)?);
        let mut child =
            command.kill_on_drop(true).spawn().context("strace cannot be run; infra/setup.sh installs it")?;
        let deadline = Instant::now() + ATTACH_LIMIT;
        loop {
            let text = std::fs::read_to_string(&told).unwrap_or_default();
            if text.contains("attached") {
                return Ok(Self { child, output: output.to_owned() });
            }
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("strace did not attach to {id}: {}", text.trim());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Detaches from the process, and returns the trace.
    ///
    /// # Errors
    /// Where `strace` does not end.
    pub async fn detach(mut self) -> Result<String> {
        let pid =
            self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It has ended by itself if the traced process has.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let ended = tokio::time::timeout(DETACH_LIMIT, self.child.wait()).await;
        ended.context("strace does not let go")??;
        Ok(String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned())
    }

    /// What was traced so far.
    #[must_use]
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }
}

/// Fails where processes may not be traced: without tracing there would silently be no enumerated points.
///
/// # Errors
/// Where `strace` is missing or may not attach.
pub async fn must_be_allowed(folder: &Path) -> Result<()> {
    let mut sleeper = Command::new("sleep").arg("30").kill_on_drop(true).spawn()?;
    let id = sleeper.id().context("sleep has no pid")?;
    let rules = ["trace=none".to_owned()];
    let attached = Tracer::attach(id, true, &rules, &folder.join("allowed.trace")).await;
    let let_go = match attached {
        Ok(tracer) => tracer.detach().await.map(|_| ()),
        Err(error) => Err(error),
    };
    sleeper.kill().await?;
    let_go.context(
        "processes may not be traced here, so no system call can be chosen: run as root, give CAP_SYS_PTRACE, \
         or set kernel.yama.ptrace_scope to 0",
    )
}
