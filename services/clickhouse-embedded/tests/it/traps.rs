//! Traps of the engine's C interface, with one test each. The number in a test's name is the trap's number in
//! the README.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::server::{Server, within};

const ENDLESS: &str = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))";

#[test]
fn trap_01_format_and_values_in_an_insert_never_become_rows() {
    let server = Server::shared();
    server.ok("CREATE TABLE trap1 (s String) ENGINE = MergeTree ORDER BY s");
    server.ok("INSERT INTO trap1 FORMAT TSV\nfirst\nFORMAT CSV\n");
    server.ok("INSERT INTO trap1 VALUES ('VALUES (1)')");
    server.curl("query=INSERT%20INTO%20trap1%20FORMAT%20LineAsString", &[], Some(b"third\n"));
    assert_eq!(server.ok("SELECT * FROM trap1 ORDER BY s"), "FORMAT CSV\nVALUES (1)\nfirst\nthird");
}

#[test]
fn trap_02_a_header_comes_once_however_many_pieces_there_are() {
    let server = Server::shared();
    let lines = server.ok("SELECT number FROM numbers(300000) ORDER BY number FORMAT CSVWithNames");
    assert_eq!(lines.lines().filter(|l| *l == "\"number\"").count(), 1);
    assert_eq!(lines.lines().count(), 300_001);
    let body = server.sql("SELECT number FROM numbers(300000) FORMAT RowBinaryWithNamesAndTypes").body;
    let header = b"\x01\x06number\x06UInt64";
    assert!(body.starts_with(header));
    assert_eq!(body.len(), header.len() + 8 * 300_000);
    let totals = server.ok("SELECT number % 2 AS k, count() AS c FROM numbers(4) GROUP BY k WITH TOTALS ORDER BY k FORMAT CSVWithNames");
    assert_eq!(totals, "\"k\",\"c\"\n0,2\n1,2\n\n0,4");
    let array = server.ok(
        "SELECT number FROM numbers(200000) FORMAT JSONEachRow SETTINGS output_format_json_array_of_rows = 1",
    );
    assert_eq!((array.matches('[').count(), array.matches(']').count()), (1, 1));
    let json = server.ok("SELECT number FROM numbers(300000) FORMAT JSONCompact");
    assert_eq!(json.matches("\"meta\"").count(), 1);
    assert!(json.contains("\"rows\": 300000"));
    let parquet = server.sql("SELECT number FROM numbers(300000) FORMAT Parquet").body;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
fn trap_03_the_format_of_the_sql_wins_and_is_the_one_reported() {
    let server = Server::shared();
    for sql in [
        "SELECT 1 AS a FORMAT JSONEachRow",
        "SELECT 1 AS a FORMAT JSONEachRow SETTINGS max_threads = 1",
        "SELECT 1 AS a SETTINGS max_threads = 1 FORMAT JSONEachRow;",
    ] {
        let reply = server.curl("default_format=CSVWithNames", &[], Some(sql.as_bytes()));
        assert_eq!(reply.text(), "{\"a\":1}\n", "{sql}");
        assert_eq!(reply.header("X-ClickHouse-Format"), Some("JSONEachRow"), "{sql}");
    }
}

#[test]
fn trap_04_statements_that_cannot_be_streamed_work_as_well() {
    let server = Server::shared();
    server.ok("CREATE TABLE trap4 (a Int8) ENGINE = MergeTree ORDER BY a");
    assert!(server.ok("SHOW TABLES").lines().any(|l| l == "trap4"));
    assert!(server.ok("DESCRIBE TABLE trap4").starts_with("a\tInt8"));
    assert!(!server.ok("EXPLAIN SELECT * FROM trap4").is_empty());
    assert_eq!(server.ok("EXISTS TABLE trap4"), "1");
    assert!(server.ok("SHOW CREATE TABLE trap4 FORMAT TSVRaw").contains("MergeTree"));
    assert_eq!(server.ok("WITH 2 AS x SELECT x"), "2");
    assert_eq!(server.ok("(SELECT 3) UNION ALL (SELECT 3)"), "3\n3");
}

#[test]
fn trap_05_one_request_is_one_statement() {
    let server = Server::shared();
    server.ok("CREATE TABLE trap5 (a Int8) ENGINE = MergeTree ORDER BY a");
    for sql in [
        "SELECT 1; DROP TABLE trap5",
        "SELECT 1;; DROP TABLE trap5;",
        "SELECT 1 PARALLEL WITH DROP TABLE trap5",
        "DROP TABLE trap5; SELEC",
    ] {
        let reply = server.sql(sql);
        assert_eq!((reply.status, reply.code()), (400, Some(62)), "{sql}: {}", reply.text());
    }
    assert_eq!(server.ok("EXISTS TABLE trap5;"), "1");
}

#[test]
fn trap_06_no_statement_ends_the_process() {
    let server = Server::shared();
    for sql in ["SYSTEM SHUTDOWN", "system kill", "SYSTEM /* */ SHUTDOWN", "SYSTEM SUSPEND FOR 9 SECOND"] {
        assert_eq!(server.sql(sql).code(), Some(497), "{sql}");
    }
    assert_eq!(server.sql("KILL QUERY WHERE 1 SYNC").code(), Some(48));
    assert_eq!(server.ok("SELECT 1"), "1");
}

#[test]
fn trap_07_neither_files_nor_network_are_reached() {
    let server = Server::shared();
    for sql in [
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM `fi\\x6ce`('/etc/passwd', LineAsString)",
        "SELECT * FROM “file”('/etc/passwd', LineAsString)",
        "SELECT $'$ a' $'$, file('/etc/passwd') -- '",
        "SELECT * FROM url('http://127.0.0.1/', LineAsString)",
        "SELECT * FROM s3('http://127.0.0.1/x', LineAsString)",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM mysql('h:1', 'd', 't', 'u', 'p')",
        "SELECT * FROM executable('id', TSV, 's String')",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT * FROM merge('default', '.*')",
        "SELECT 1 INTO OUTFILE '/nonexistent/x'",
        "INSERT INTO FUNCTION file('/nonexistent/x', CSV, 'a Int8') VALUES (1)",
        "INSERT INTO x FROM INFILE '/etc/passwd' FORMAT CSV",
        "INSERT INTO x VALUES (file('/etc/passwd'))",
        "CREATE TABLE x (a String) ENGINE = File(CSV)",
        "CREATE TABLE x (a String) ENGINE = URL('http://127.0.0.1/', CSV)",
        "CREATE DATABASE x ENGINE = Filesystem('/')",
        "CREATE USER x",
        "CREATE NAMED COLLECTION x AS a = 1",
    ] {
        let reply = server.sql(sql);
        assert_eq!((reply.status, reply.code()), (403, Some(497)), "{sql}: {}", reply.text());
    }
    for url in ["database=default", "database=DEFAULT&x=1"] {
        assert_eq!(server.curl(url, &[], Some(b"SELECT * FROM `/etc/passwd`")).code(), Some(497), "{url}");
    }
    assert_eq!(
        server.curl("param_d=default", &[], Some(b"SELECT * FROM {d:Identifier}.`/etc/passwd`")).code(),
        Some(497)
    );
    assert_eq!(server.sql("SELECT * FROM `/etc/passwd`").code(), Some(60));
    assert_eq!(server.ok("SELECT currentDatabase()"), "weighbridge");
    assert_eq!(server.ok("SELECT engine FROM system.databases WHERE name = 'weighbridge'"), "Atomic");
}

#[test]
fn trap_07_values_too_long_to_be_looked_at_are_literals_only() {
    let server = Server::shared();
    server.ok("CREATE TABLE trap7 (s String) ENGINE = MergeTree ORDER BY tuple()");
    let mut sql = "INSERT INTO trap7 VALUES ".to_owned();
    sql.extend(std::iter::repeat_n("('some text'),", 30_000));
    let harmless = format!("{sql}('end')");
    assert_eq!(server.sql(&harmless).status, 200);
    assert_eq!(server.ok("SELECT count() FROM trap7"), "30001");
    let hostile = format!("{sql}(file('/etc/passwd'))");
    assert_ne!(server.sql(&hostile).status, 200);
    assert_eq!(server.ok("SELECT countIf(s LIKE '%root%') FROM trap7"), "0");
}

#[test]
fn trap_08_a_client_that_leaves_takes_its_query_along() {
    let server = Server::fresh(&[]);
    let running =
        || server.ok("SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'");
    let streaming = "SELECT number, sipHash64(number) FROM numbers(1000000000000)";
    for (body, read_first) in [(ENDLESS, false), (streaming, true)] {
        let mut stream = server
            .raw(&format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        if read_first {
            let mut some = [0; 100_000];
            stream.read_exact(&mut some).unwrap();
        }
        within(Duration::from_secs(5), "the query runs", || running() == "1");
        drop(stream);
        within(Duration::from_secs(5), "the query is gone", || running() == "0");
    }
}

#[test]
fn trap_08_no_query_runs_longer_than_allowed() {
    let server = Server::fresh(&["--max-execution-time-s", "1"]);
    let start = Instant::now();
    let reply = server.sql(ENDLESS);
    assert_eq!((reply.status, reply.code()), (408, Some(159)));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn trap_09_a_truncated_body_commits_nothing() {
    let server = Server::shared();
    server.ok("CREATE TABLE trap9 (a UInt32) ENGINE = MergeTree ORDER BY a");
    let head = "POST /?query=INSERT%20INTO%20trap9%20FORMAT%20CSV HTTP/1.1\r\nHost: x\r\n";
    for rest in
        ["Content-Length: 1000\r\n\r\n1\n2\n3\n", "Transfer-Encoding: chunked\r\n\r\n6\r\n1\n2\n3\n\r\n"]
    {
        let mut stream = server.raw(&format!("{head}{rest}"));
        stream.flush().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        drop(stream);
    }
    // A binary row that ends in the middle, in a complete body.
    let cut = server.curl("query=INSERT%20INTO%20trap9%20FORMAT%20RowBinary", &[], Some(&[1, 0, 0, 0, 2]));
    assert_eq!(cut.code(), Some(33));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.ok("SELECT count() FROM trap9"), "0");
    server.curl("query=INSERT%20INTO%20trap9%20FORMAT%20CSV", &[], Some(b"4\n"));
    assert_eq!(server.ok("SELECT * FROM trap9"), "4");
}

#[test]
fn trap_10_inserts_are_synchronous_unless_asked_otherwise() {
    let server = Server::shared();
    assert_eq!(server.ok("SELECT getSetting('async_insert')"), "false");
    assert_eq!(
        server.curl("async_insert=1", &[], Some(b"SELECT getSetting('async_insert')")).text(),
        "true\n"
    );
}

#[test]
fn trap_11_the_tag_of_a_query_travels_in_log_comment_with_the_clients_own() {
    let server = Server::shared();
    let reply = server.curl("log_comment=mine&query_id=abc", &[], Some(b"SELECT getSetting('log_comment')"));
    let comment = reply.text();
    assert!(comment.starts_with("wb:") && comment.trim_end().ends_with(" mine"), "{comment}");
    assert_eq!(reply.header("X-ClickHouse-Query-Id"), Some("abc"));
}

#[test]
fn trap_12_what_the_engine_has_not_is_said_clearly() {
    let server = Server::shared();
    assert_eq!(server.sql("CREATE USER someone IDENTIFIED BY 'x'").code(), Some(497));
    assert_eq!(server.sql("CREATE ROW POLICY p ON weighbridge.t USING 1 TO ALL").code(), Some(497));
    assert_eq!(server.sql("SELECT * FROM system.query_log").code(), Some(60));
    assert_eq!(server.curl("role=reader", &[], Some(b"SELECT 1")).code(), Some(48));
}

#[test]
fn trap_13_requests_stay_quick_beside_hundreds_of_parts() {
    let server = Server::fresh(&[]);
    server.ok("CREATE TABLE trap13 (a UInt32) ENGINE = MergeTree ORDER BY a PARTITION BY a SETTINGS parts_to_throw_insert = 9999");
    server.ok("SYSTEM STOP MERGES trap13");
    server.ok(
        "INSERT INTO trap13 SELECT number FROM numbers(400) SETTINGS max_partitions_per_insert_block = 0",
    );
    assert_eq!(server.ok("SELECT count() FROM system.parts WHERE table = 'trap13' AND active"), "400");
    let start = Instant::now();
    for _ in 0..20 {
        server.ok("SELECT 1");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?} for 20 requests", start.elapsed());
}

#[test]
fn trap_14_memory_has_a_limit() {
    let server = Server::fresh(&["--max-memory-usage-bytes", "50000000"]);
    let reply = server.sql("SELECT groupArray(number) FROM numbers(100000000) FORMAT Null");
    assert_eq!(reply.code(), Some(241), "{}", reply.text());
    assert_eq!(server.ok("SELECT 1"), "1");
}

#[test]
fn too_many_at_once_are_refused_with_clickhouses_code() {
    let server = Server::fresh(&["--max-concurrent-queries", "1", "--max-queue-wait-ms", "200"]);
    let _running = server
        .raw(&format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{ENDLESS}", ENDLESS.len()));
    std::thread::sleep(Duration::from_millis(300));
    let reply = server.sql("SELECT 1");
    assert_eq!((reply.status, reply.code()), (503, Some(202)));
}

#[test]
fn a_body_or_a_query_that_is_too_long_is_refused() {
    let server = Server::fresh(&["--max-body-bytes", "1000000"]);
    server.ok("CREATE TABLE long (s String) ENGINE = MergeTree ORDER BY s");
    let insert = "query=INSERT%20INTO%20long%20FORMAT%20TSV";
    let reply = server.curl(insert, &[], Some("x\n".repeat(600_000).as_bytes()));
    assert_eq!((reply.status, reply.code()), (413, Some(223)));
    assert_eq!(server.ok("SELECT count() FROM long"), "0");
    assert_eq!(server.sql(&format!("SELECT '{}'", "x".repeat(300_000))).code(), Some(223));
}

#[test]
fn a_large_answer_is_not_held_in_memory() {
    let server = Server::fresh(&[]);
    let resident_kib = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let body = "SELECT repeat('0123456789abcdef', 64) FROM numbers(400000) FORMAT RowBinary";
    let mut stream =
        server.raw(&format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let mut buffer = vec![0; 1 << 20];
    stream.read_exact(&mut buffer).unwrap();
    let before = resident_kib();
    let (mut total, mut peak) = (0, before);
    // The whole answer has 410 MB; some of it is read slowly, so that the test can measure.
    while total < 300 << 20 {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "the answer ended after {total} bytes");
        total += n;
        peak = peak.max(if total % 37 == 0 { resident_kib() } else { 0 });
    }
    let grown = resident_kib().max(peak).saturating_sub(before);
    assert!(grown < 250 << 10, "memory grew by {grown} KiB while 300 MiB were streamed");
}
