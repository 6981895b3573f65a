//! Requests with curl.

use crate::server::Server;

#[test]
fn signs_of_life_need_no_query() {
    let server = Server::shared();
    assert_eq!(server.curl("ping", &[], None).text(), "Ok.\n");
    let reply = server.curl("query=SELECT%201%2B1", &[], None);
    assert_eq!((reply.status, reply.text().as_str()), (200, "2\n"));
    assert_eq!(reply.header("X-ClickHouse-Query-Id").map(str::len), Some(36));
    assert_eq!(reply.header("X-ClickHouse-Format"), Some("TabSeparated"));
}

#[test]
fn get_only_reads() {
    let server = Server::shared();
    let reply = server.curl("query=CREATE%20TABLE%20got%20(a%20Int8)%20ENGINE=Memory", &[], None);
    assert_eq!((reply.status, reply.code()), (403, Some(164)));
    assert_eq!(server.ok("EXISTS TABLE got"), "0");
}

#[test]
fn formats_settings_database_and_parameters_are_taken_from_the_url() {
    let server = Server::shared();
    let reply = server.curl(
        "default_format=JSONEachRow&max_threads=1&param_x=7",
        &[],
        Some(b"SELECT getSetting('max_threads') AS t, {x:UInt8} AS x"),
    );
    assert_eq!(reply.text().trim_end(), r#"{"t":1,"x":7}"#);
    assert_eq!(server.curl("database=system", &[], Some(b"SELECT currentDatabase()")).text(), "system\n");
    assert_eq!(server.curl("no_such_setting=1", &[], Some(b"SELECT 1")).code(), Some(115));
    assert_eq!(server.curl("session_id=x", &[], Some(b"SELECT 1")).code(), Some(48));
    let reads = server.curl("readonly=1", &[], Some(b"SELECT 5 FORMAT JSON"));
    assert_eq!(reads.status, 200, "{}", reads.text());
    let writes = server.curl("readonly=1", &[], Some(b"CREATE TABLE ro (a Int8) ENGINE = Memory"));
    assert_eq!(writes.code(), Some(164));
    let form = server.curl("", &["-F", "query=SELECT {a:String}", "-F", "param_a=b"], None);
    assert_eq!(form.text(), "b\n", "{}", form.head);
}

#[test]
fn inserts_take_data_from_the_body_in_any_format() {
    let server = Server::shared();
    server.ok("CREATE TABLE formats (a UInt32, b String) ENGINE = MergeTree ORDER BY a");
    for (query, body) in [
        ("query=INSERT%20INTO%20formats%20FORMAT%20CSV", "1,\"x\"\n2,y\n"),
        ("query=INSERT%20INTO%20formats%20(b,a)%20FORMAT%20JSONEachRow", "{\"a\":3,\"b\":\"z\"}\n"),
        ("", "INSERT INTO formats FORMAT TSV\n4\tt\n"),
        ("", "INSERT INTO formats VALUES (5, 'five'), (3 + 3, upper('six'))"),
        ("query=INSERT%20INTO%20formats%20VALUES", "(7, 'seven')"),
        ("", "INSERT INTO formats SELECT 8, 'eight'"),
        ("", "INSERT INTO formats (a) FORMAT CSV SETTINGS format_csv_delimiter=';'\n9\n"),
    ] {
        let reply = server.curl(query, &[], Some(body.as_bytes()));
        assert_eq!(reply.status, 200, "{query} {body}: {}", reply.text());
        assert!(
            reply.header("X-ClickHouse-Summary").is_some_and(|s| !s.contains("\"written_rows\":\"0\"")),
            "{}",
            reply.head
        );
    }
    assert_eq!(
        server.ok("SELECT groupArray(a), groupArray(b) FROM (SELECT * FROM formats ORDER BY a) FORMAT TSV"),
        "[1,2,3,4,5,6,7,8,9]\t['x','y','z','t','five','SIX','seven','eight','']"
    );
    let bad = server.curl("query=INSERT%20INTO%20formats%20FORMAT%20CSV", &[], Some(b"not a number,x\n"));
    assert_eq!((bad.status, bad.code()), (400, Some(27)));
}

#[test]
fn blocks_of_an_answer_can_be_inserted_and_a_changed_byte_is_noticed() {
    let server = Server::shared();
    server.ok("CREATE TABLE blocks (n UInt64, s String) ENGINE = MergeTree ORDER BY n");
    let packed = server
        .curl(
            "compress=1",
            &[],
            Some(b"SELECT number AS n, toString(number) AS s FROM numbers(300000) FORMAT Native"),
        )
        .body;
    assert!(packed.len() < 3_000_000, "{} bytes", packed.len());
    let insert = "decompress=1&query=INSERT%20INTO%20blocks%20FORMAT%20Native";
    let mut broken = packed.clone();
    broken[1000] ^= 1;
    assert_eq!(server.curl(insert, &[], Some(&broken)).code(), Some(40));
    assert_eq!(server.curl(insert, &[], Some(&packed[..packed.len() - 10])).code(), Some(33));
    assert_eq!(server.ok("SELECT count() FROM blocks"), "0");
    assert_eq!(server.curl(insert, &[], Some(&packed)).status, 200);
    assert_eq!(server.ok("SELECT count(), sum(n) FROM blocks"), "300000\t44999850000");
}

#[test]
fn an_accepted_lz4_answer_is_a_standard_frame() {
    let reply = Server::shared().curl(
        "",
        &["-H", "Accept-Encoding: gzip, lz4;q=1"],
        Some(b"SELECT repeat('x', 100000)"),
    );
    assert_eq!(reply.header("Content-Encoding"), Some("lz4"));
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut lz4_flex::frame::FrameDecoder::new(&reply.body[..]), &mut plain)
        .unwrap();
    assert_eq!(plain.trim_end(), "x".repeat(100_000));
}

#[test]
fn a_password_is_asked_for_in_every_form_clickhouse_knows() {
    let server = Server::fresh(&["--user", "meter", "--password", "s3cret"]);
    let ask = |query: &str, arguments: &[&str]| server.curl(query, arguments, Some(b"SELECT 1"));
    for (query, arguments) in [
        ("", vec!["-H", "X-ClickHouse-User: meter", "-H", "X-ClickHouse-Key: s3cret"]),
        ("", vec!["-u", "meter:s3cret"]),
        ("", vec!["-H", "Authorization: Bearer s3cret"]),
        ("user=meter&password=s3cret", vec![]),
    ] {
        assert_eq!(ask(query, &arguments).status, 200, "{query} {arguments:?}");
    }
    for (query, arguments) in [
        ("", vec![]),
        ("", vec!["-u", "meter:wrong"]),
        ("", vec!["-u", "other:s3cret"]),
        ("user=meter&password=", vec![]),
        ("", vec!["-H", "Authorization: Bearer s3cre"]),
    ] {
        let reply = ask(query, &arguments);
        assert_eq!((reply.status, reply.code()), (403, Some(516)), "{query} {arguments:?}");
    }
    assert_eq!(server.curl("ping", &[], None).status, 200);
}

#[test]
fn a_web_page_is_refused_where_no_password_is_set() {
    let reply = Server::shared().curl("", &["-H", "Origin: https://example.org"], Some(b"SELECT 1"));
    assert_eq!((reply.status, reply.code()), (403, Some(497)));
}
