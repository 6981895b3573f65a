//! How the process ends: kill -9 during inserts, SIGTERM, a second process.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::server::{Server, command};

#[test]
fn after_kill_9_exactly_the_acknowledged_inserts_are_there() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    server.ok("CREATE TABLE acknowledged (insert UInt64, row UInt64) ENGINE = MergeTree ORDER BY insert \
         SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1");
    let acknowledged = Mutex::new(Vec::new());
    let begun = AtomicU64::new(0);
    let server_ref = Mutex::new(&mut server);
    let address = server_ref.lock().unwrap().address;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let n = begun.fetch_add(1, Ordering::SeqCst);
                    let rows: String = (0..1000).map(|row| format!("{n},{row}\n")).collect();
                    let url = format!("http://{address}/?query=INSERT%20INTO%20acknowledged%20FORMAT%20CSV");
                    let sent = Command::new("curl")
                        .args(["-sS", "-f", "--data-binary", &rows, &url])
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .status()
                        .unwrap();
                    if !sent.success() {
                        return;
                    }
                    acknowledged.lock().unwrap().push(n);
                }
            });
        }
        let start = Instant::now();
        while acknowledged.lock().unwrap().len() < 40 && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        server_ref.lock().unwrap().kill();
    });
    let mut acknowledged = acknowledged.into_inner().unwrap();
    acknowledged.sort_unstable();
    assert!(acknowledged.len() >= 40, "only {} inserts were acknowledged", acknowledged.len());

    let server = Server::start(data.path(), &[]);
    let stored =
        server.ok("SELECT insert, count(), uniqExact(row) FROM acknowledged GROUP BY insert ORDER BY insert");
    let mut found = Vec::new();
    for line in stored.lines() {
        let (insert, counts) = line.split_once('\t').unwrap();
        assert_eq!(counts, "1000\t1000", "insert {insert} is there in part or twice");
        found.push(insert.parse::<u64>().unwrap());
    }
    let lost: Vec<_> = acknowledged.iter().filter(|n| !found.contains(n)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // In flight at the kill: at most one per writer may be there unacknowledged.
    let unsaid = found.iter().filter(|n| !acknowledged.contains(n)).count();
    assert!(unsaid <= 3, "{unsaid} inserts are there that nobody acknowledged");
}

#[test]
fn sigterm_and_the_end_of_stdin_stop_it_cleanly_and_the_rows_stay() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    server.ok("CREATE TABLE kept (a Int8) ENGINE = MergeTree ORDER BY a");
    server.ok("INSERT INTO kept VALUES (1)");
    Command::new("kill").args(["-TERM", &server.pid().to_string()]).status().unwrap();
    assert_eq!(server.wait(), Some(0));
    let mut server = Server::start(data.path(), &[]);
    assert_eq!(server.ok("SELECT * FROM kept"), "1");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn sigterm_kills_a_query_that_would_run_for_hours() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &["--shutdown-grace-ms", "300"]);
    let body = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))";
    let _running =
        server.raw(&format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_second_process_on_the_same_data_is_told_why_it_cannot_start() {
    let data = tempfile::tempdir().unwrap();
    let _first = Server::start(data.path(), &[]);
    let second = command(data.path(), &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = second.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("WB-7002") && said.contains("another process"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_missing_library_is_named() {
    let data = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_clickhouse-embedded"))
        .args(["--lib", "/nonexistent/libchdb.so", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("WB-7001") && said.contains("/nonexistent/libchdb.so"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
