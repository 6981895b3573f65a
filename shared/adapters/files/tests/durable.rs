//! Atomic writes: the system calls, their order, and the result of a kill at each step.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use wb_files::{Access, Replacement, create, is_unfinished, make_folder, replace};

/// Marks the process that is to be killed, and gives its folder.
const FOLDER: &str = "WB_FILES_TEST_FOLDER";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    for content in ["one", "a longer two", ""] {
        replace(&path, content.as_bytes(), Access::Usual).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(folder.path()), ["state.json"]);
    }
    // Written in pieces; if it is abandoned, the old file stays.
    let mut file = Replacement::begin(&path, Access::Usual).unwrap();
    file.write_all(b"in ").unwrap();
    file.write_all(b"pieces").unwrap();
    file.put_in_place().unwrap();
    let mut given_up = Replacement::begin(&path, Access::Usual).unwrap();
    given_up.write_all(b"half").unwrap();
    let beside = names(folder.path());
    assert_eq!(beside.iter().filter(|name| is_unfinished(Path::new(name))).count(), 1, "{beside:?}");
    drop(given_up);
    assert_eq!(fs::read_to_string(&path).unwrap(), "in pieces");
    assert_eq!(names(folder.path()), ["state.json"]);
}

#[test]
fn a_secret_is_its_owners_also_where_the_file_before_was_everybodys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    replace(&path, b"open", Access::Usual).unwrap();
    assert_ne!(mode(), 0o600);
    replace(&path, b"secret", Access::Secret).unwrap();
    assert_eq!(mode(), 0o600);
    fs::remove_file(&path).unwrap();
    assert!(create(&path, b"secret", Access::Secret).unwrap());
    assert_eq!(mode(), 0o600);
}

#[test]
fn of_many_that_create_one_file_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let created: Vec<u8> = std::thread::scope(|scope| {
        let path = &path;
        let racers: Vec<_> = (0..16_u8)
            .map(|racer| scope.spawn(move || (racer, create(path, &[racer; 32], Access::Secret).unwrap())))
            .collect();
        let ended = racers.into_iter().map(|racer| racer.join().unwrap());
        ended.filter(|(_, created)| *created).map(|(racer, _)| racer).collect()
    });
    assert_eq!(created.len(), 1);
    assert_eq!(fs::read(&path).unwrap(), [created[0]; 32]);
    assert_eq!(names(folder.path()), ["key"]);
}

#[test]
fn what_cannot_be_done_is_told_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(replace(&folder.path().join("none/state"), b"x", Access::Usual).is_err());
    assert!(replace(Path::new("/"), b"x", Access::Usual).is_err());
    // There is a folder where the file should be.
    let taken = folder.path().join("taken");
    make_folder(&taken).unwrap();
    fs::write(taken.join("inside"), "").unwrap();
    assert!(replace(&taken, b"x", Access::Usual).is_err());
    assert!(!create(&taken, b"x", Access::Usual).unwrap());
    assert_eq!(names(folder.path()), ["taken"]);
    assert!(make_folder(&taken.join("inside/deeper")).is_err());
    make_folder(&folder.path().join("a/b/c")).unwrap();
    make_folder(&folder.path().join("a/b/c")).unwrap();
    assert!(folder.path().join("a/b/c").is_dir());
}

/// If `strace` kills the process at a system call, the file is completely the old or the new one.
#[test]
fn killed_at_any_step_the_old_file_or_the_new_one_is_there() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return replace(&Path::new(&folder).join("state"), b"the new one", Access::Secret).unwrap();
    }
    let whole = traced(None);
    let steps = ["openat(", "write(", "fsync(", "rename", "openat(", "fsync("];
    let mut rest = whole.calls.iter();
    for step in steps {
        assert!(rest.any(|call| call.starts_with(step)), "{step} is missing in {:#?}", whole.calls);
    }
    assert_eq!((whole.content.as_str(), whole.names.as_slice()), ("the new one", &["state".to_owned()][..]));

    for (call, nth, content, left) in
        [("fsync", 1, "the old one", 1), ("/^rename", 1, "the old one", 1), ("fsync", 2, "the new one", 0)]
    {
        let killed = traced(Some((call, nth)));
        assert!(killed.was_killed, "at {call} {nth}");
        assert_eq!(killed.content, content, "at {call} {nth}");
        let unfinished = killed.names.iter().filter(|name| is_unfinished(Path::new(name))).count();
        assert_eq!((unfinished, killed.names.len()), (left, left + 1), "at {call} {nth}: {:?}", killed.names);
    }
}

struct Traced {
    was_killed: bool,
    /// The system calls about the folder's files, in order.
    calls: Vec<String>,
    content: String,
    names: Vec<String>,
}

/// Replaces a file in a separate process, which is killed instead of the nth call of a kind (the test harness makes
/// none of these calls).
fn traced(kill_at: Option<(&str, u32)>) -> Traced {
    let folder = tempfile::tempdir().unwrap();
    let trace = tempfile::NamedTempFile::new().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("state"), "the old one").unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", "trace=openat,write,fsync,/^rename", "-o"]).arg(trace.path());
    if let Some((call, nth)) = kill_at {
        command.arg("-e").arg(format!("inject={call}:signal=KILL:error=EIO:when={nth}"));
    }
    command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "killed_at_any_step_the_old_file_or_the_new_one_is_there"])
        .env(FOLDER, &work);
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(kill_at.is_some() || ended.status.success(), "{said}");
    let place = work.to_str().unwrap();
    let calls = fs::read_to_string(trace.path()).unwrap();
    let calls = calls.lines().filter(|line| line.contains(place));
    Traced {
        was_killed: ended.status.signal() == Some(9) || ended.status.code() == Some(137),
        calls: calls
            .filter_map(|line| line.split_once(' '))
            .map(|(_, call)| call.trim().to_owned())
            .collect(),
        content: fs::read_to_string(work.join("state")).unwrap(),
        names: names(&work),
    }
}
