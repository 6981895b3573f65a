//! The destination and format of log lines, seen from outside: the test starts itself as a child that logs.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::process::{Command, Output};

use wb_observe::{LOG_VARIABLE, LogFormat, ObserveError, init};

/// The child's log format; without it the child's test does nothing.
const CHILD: &str = "WB_OBSERVE_TEST_CHILD";

fn child(format: &str, filter: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_logs", "--nocapture"])
        .env(CHILD, format)
        .env(LOG_VARIABLE, filter)
        .output()
        .unwrap()
}

#[test]
fn the_child_logs() {
    let Some(format) = std::env::var_os(CHILD) else { return };
    init(if format == "json" { LogFormat::Json } else { LogFormat::Text }, "info").unwrap();
    tracing::info!(block = 7, "sealed");
    tracing::debug!("the details");
    assert!(
        matches!(init(LogFormat::Text, "info"), Err(ObserveError::Started(_))),
        "a second start is refused"
    );
}

#[test]
fn lines_go_to_standard_error_in_the_format_asked_for() {
    let text = child("text", "");
    let (stdout, stderr) = (String::from_utf8_lossy(&text.stdout), String::from_utf8_lossy(&text.stderr));
    assert!(text.status.success(), "{stderr}");
    let line = stderr.lines().find(|line| line.contains("sealed")).unwrap_or_else(|| panic!("{stderr}"));
    assert!(line.contains("INFO") && line.contains("block=7") && !line.contains('\u{1b}'), "{line}");
    assert!(!stdout.contains("sealed") && !stderr.contains("the details"), "{stdout}{stderr}");

    let json = child("json", "");
    let stderr = String::from_utf8_lossy(&json.stderr);
    let line = stderr.lines().find(|line| line.contains("sealed")).unwrap_or_else(|| panic!("{stderr}"));
    let object: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&object["level"], &object["message"], &object["block"]),
        (&"INFO".into(), &"sealed".into(), &7.into())
    );
}

#[test]
fn the_variable_says_which_lines_are_written() {
    let stderr = |filter| String::from_utf8_lossy(&child("text", filter).stderr).into_owned();
    assert!(stderr("debug").contains("the details"));
    assert!(!stderr("warn").contains("sealed"));
}
