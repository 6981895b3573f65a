//! Supervision of children, tested with small shell scripts; and what happens to children when their supervisor is
//! killed.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::{
    ffi::OsString,
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use wb_stack::{Process, ProcessConfig, StackError};

/// Makes this test binary, started a second time, act as a supervisor on the given folder.
const SUPERVISE: &str = "WB_STACK_TEST_SUPERVISE";

fn script(dir: &Path, name: &str, text: &str) -> ProcessConfig {
    let marker = dir.join(name).into_os_string();
    ProcessConfig {
        name: name.to_owned(),
        program: PathBuf::from("/bin/bash"),
        args: vec!["-c".into(), text.into(), marker.clone()],
        env: vec![("READY_FILE".into(), dir.join("ready").into_os_string())],
        identity: vec![marker],
        pid_file: dir.join(format!("{name}.pid")),
        log_file: dir.join(format!("{name}.log")),
        stdin_held_open: false,
        kill_with_parent: true,
        start_timeout: Duration::from_secs(20),
        stop_timeout: Duration::from_secs(10),
    }
}

const SLEEPER: &str = "while :; do sleep 0.05; done";

fn is_alive(pid: u32) -> bool {
    // A zombie whose new parent has not reaped it yet is dead.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn a_child_is_started_found_ready_and_stopped_by_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let config = script(dir.path(), "a", &format!("echo up; sleep 0.2; touch \"$READY_FILE\"; {SLEEPER}"));
    let process = Process::start(config, || async { ready.exists() }).await.unwrap();
    assert!(is_alive(process.pid()));
    let noted = fs::read_to_string(dir.path().join("a.pid")).unwrap();
    assert!(noted.starts_with(&format!("{} ", process.pid())), "{noted}");
    assert_eq!(process.log_tail(), "  up");

    let stopped = process.stop().await.unwrap();
    assert_eq!((stopped.status.signal(), stopped.killed), (Some(15), false));
    assert!(!dir.path().join("a.pid").exists());
    // Stopping an ended child is not an error, and signals no process.
    assert_eq!(process.stop().await.unwrap().status, stopped.status);
    process.kill_hard();
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_killed_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let mut config = script(dir.path(), "a", &format!("trap '' TERM; touch \"$READY_FILE\"; {SLEEPER}"));
    config.stop_timeout = Duration::from_millis(300);
    let process = Process::start(config, || async { ready.exists() }).await.unwrap();
    let began = Instant::now();
    let stopped = process.stop().await.unwrap();
    assert_eq!((stopped.status.signal(), stopped.killed), (Some(9), true));
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_end_of_its_standard_input_stops_a_child_that_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = script(dir.path(), "a", "trap '' TERM; read -r line; echo ended; exit 7");
    config.stdin_held_open = true;
    config.kill_with_parent = false;
    let process = Process::spawn(config).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(process.exited(), None, "the pipe is held");
    let stopped = process.stop().await.unwrap();
    assert_eq!((stopped.status.code(), stopped.killed), (Some(7), false));
    assert_eq!(process.log_tail(), "  ended");
}

#[tokio::test]
async fn a_child_that_dies_or_dawdles_while_starting_is_reported_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let config = script(dir.path(), "dies", "echo 'out of luck' >&2; exit 3");
    // Another process answers, not this child.
    let slow_yes = || async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        true
    };
    let error = Process::start(config, slow_yes).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StackError::Died { .. }), "{text}");
    assert!(
        text.contains("exit status: 3") && text.contains("dies.log") && text.contains("out of luck"),
        "{text}"
    );

    let mut config = script(dir.path(), "dawdles", &format!("echo thinking; {SLEEPER}"));
    config.start_timeout = Duration::from_millis(500);
    let error = Process::start(config, || async { false }).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StackError::NotReady { .. }), "{text}");
    assert!(text.contains("thinking"), "{text}");

    let mut config = script(dir.path(), "none", "");
    config.program = dir.path().join("no-such-program");
    config.kill_with_parent = false;
    let error = Process::spawn(config).await.unwrap_err();
    assert!(matches!(error, StackError::Spawn { .. }), "{error}");
}

#[tokio::test]
async fn a_hanging_readiness_check_does_not_outlast_the_start_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = script(dir.path(), "a", SLEEPER);
    config.start_timeout = Duration::from_millis(300);
    let began = Instant::now();
    let error = Process::start(config, std::future::pending::<bool>).await.unwrap_err();
    assert!(matches!(error, StackError::NotReady { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_dropped_child_is_killed_and_its_place_is_free_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = Process::spawn(script(dir.path(), "a", SLEEPER)).await.unwrap();
    let pid = first.pid();
    drop(first);
    let second = Process::spawn(script(dir.path(), "a", SLEEPER)).await.unwrap();
    assert!(!is_alive(pid));
    let noted = fs::read_to_string(dir.path().join("a.pid")).unwrap();
    assert!(noted.starts_with(&format!("{} ", second.pid())), "the second one's pid file stays: {noted}");
}

#[tokio::test]
async fn a_large_log_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let config = script(dir.path(), "a", "echo new");
    fs::File::create(&config.log_file).unwrap().set_len(17 << 20).unwrap();
    let process = Process::spawn(config.clone()).await.unwrap();
    process.wait().await;
    assert_eq!(fs::read_to_string(&config.log_file).unwrap(), "new\n");
    assert_eq!(fs::metadata(dir.path().join("a.log.1")).unwrap().len(), 17 << 20);
}

/// Acts as a supervisor, if this binary was started by one of the tests below.
#[tokio::test(flavor = "multi_thread")]
async fn supervisor_of_the_tests_below() {
    let Some(dir) = std::env::var_os(SUPERVISE).map(PathBuf::from) else {
        return;
    };
    let tethered = script(&dir, "tethered", SLEEPER);
    let mut piped = script(&dir, "piped", "read -r line; echo 'saw the end'");
    (piped.stdin_held_open, piped.kill_with_parent) = (true, false);
    let mut free = script(&dir, "free", SLEEPER);
    free.kill_with_parent = false;
    // Started from a task whose worker thread may end at any time.
    let children = tokio::spawn(async move {
        let mut children = Vec::new();
        for config in [tethered, piped, free] {
            children.push(Process::spawn(config).await.unwrap());
        }
        children
    });
    let children = children.await.unwrap();
    fs::write(dir.join("started"), "").unwrap();
    for child in &children {
        child.wait().await;
    }
}

struct Supervisor(Child);

impl Supervisor {
    fn start(dir: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::supervisor_of_the_tests_below"])
            .env(SUPERVISE, dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let supervisor = Self(child);
        wait_until("the supervisor's children run", || dir.join("started").exists());
        supervisor
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn noted_pid(dir: &Path, name: &str) -> u32 {
    let noted = fs::read_to_string(dir.join(format!("{name}.pid"))).unwrap();
    noted.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_killed_supervisor_die_and_a_survivor_is_ended_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::start(dir.path());
    let [tethered, piped, free] = ["tethered", "piped", "free"].map(|name| noted_pid(dir.path(), name));
    std::thread::sleep(Duration::from_millis(300));
    for pid in [tethered, piped, free] {
        assert!(is_alive(pid), "a child lives as long as its supervisor");
    }
    supervisor.kill();

    wait_until("the tethered child dies with its supervisor", || !is_alive(tethered));
    wait_until("the piped child sees the end of its input", || !is_alive(piped));
    assert_eq!(fs::read_to_string(dir.path().join("piped.log")).unwrap(), "saw the end\n");
    assert!(is_alive(free), "the untethered child survives, or this test shows nothing");

    let next = Process::spawn(script(dir.path(), "free", SLEEPER)).await.unwrap();
    assert!(!is_alive(free), "the next start ends what a former run left");
    assert_ne!(next.pid(), free);
    next.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_a_live_supervisor_are_not_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::start(dir.path());
    let pid = noted_pid(dir.path(), "tethered");
    let refused = Process::spawn(script(dir.path(), "tethered", SLEEPER)).await;
    assert!(matches!(refused, Err(StackError::Owned { .. })), "{refused:?}");
    assert!(is_alive(pid));
    let free: OsString = noted_pid(dir.path(), "free").to_string().into();
    supervisor.kill();
    let _ = Command::new("bash").arg("-c").arg("kill -9 \"$0\"").arg(free).status();
}
