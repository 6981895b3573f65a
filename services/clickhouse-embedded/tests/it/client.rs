//! The unchanged `clickhouse` crate with LZ4.

use clickhouse::{Row, error::Error};
use serde::{Deserialize, Serialize};

use crate::server::Server;

#[derive(Row, Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Everything {
    id: u32,
    wide: u128,
    work: clickhouse::types::UInt256,
    hash: [u8; 32],
    kind: String,
    note: Option<String>,
    list: Vec<u64>,
    at_us: i64,
    amount: i128,
    flag: bool,
    ratio: f64,
}

fn everything(id: u32) -> Everything {
    Everything {
        id,
        wide: u128::MAX - u128::from(id),
        work: clickhouse::types::UInt256::from_le_bytes([u8::try_from(id % 251).unwrap(); 32]),
        hash: [u8::try_from(id % 256).unwrap(); 32],
        kind: format!("kind {}", id % 3),
        note: id.is_multiple_of(2).then(|| "a\nb\0'\\".to_owned()),
        list: (0..u64::from(id % 5)).collect(),
        at_us: 1_795_000_000_000_000 + i64::from(id),
        amount: -10_i128.pow(30) - i128::from(id),
        flag: id % 2 == 1,
        ratio: 0.5,
    }
}

#[tokio::test]
async fn rows_of_every_type_come_back_as_they_went() {
    let client = Server::shared().client();
    client
        .query(
            "CREATE TABLE everything (id UInt32, wide UInt128, work UInt256, hash FixedString(32), \
             kind LowCardinality(String), note Nullable(String), list Array(UInt64), at_us DateTime64(6, 'UTC'), \
             amount Decimal(38, 8), flag Bool, ratio Float64) ENGINE = MergeTree ORDER BY id \
             SETTINGS fsync_after_insert = 1, fsync_part_directory = 1",
        )
        .execute()
        .await
        .unwrap();
    let rows: Vec<Everything> = (0..5000).map(everything).collect();
    let mut insert = client.insert::<Everything>("everything").await.unwrap();
    for row in &rows {
        insert.write(row).await.unwrap();
    }
    insert.end().await.unwrap();
    let back =
        client.query("SELECT ?fields FROM everything ORDER BY id").fetch_all::<Everything>().await.unwrap();
    assert!(back == rows, "{} rows came back", back.len());
    let none = client
        .query("SELECT ?fields FROM everything WHERE id = 9999")
        .fetch_all::<Everything>()
        .await
        .unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn parameters_are_bound_by_the_engine() {
    let client = Server::shared().client();
    let hostile = "a\tb\nc\\d'; DROP TABLE x --";
    let (text, number): (String, u64) = client
        .query("SELECT {text: String}, {number: UInt64} + 1")
        .param("text", hostile)
        .param("number", 41_u64)
        .fetch_one()
        .await
        .unwrap();
    assert_eq!((text.as_str(), number), (hostile, 42));
    let lists: Vec<String> = client
        .query("SELECT arrayJoin({list: Array(String)})")
        .param("list", vec!["x", "y'z"])
        .fetch_all()
        .await
        .unwrap();
    assert_eq!(lists, ["x", "y'z"]);
}

#[tokio::test]
async fn errors_carry_the_engines_code() {
    let client = Server::shared().client();
    for (sql, code) in [("SELECT * FROM no_such_table", 60), ("SELEC 1 FROM", 62), ("SELECT throwIf(1)", 395)]
    {
        let error = client.query(sql).fetch_all::<u8>().await.unwrap_err();
        assert!(
            matches!(&error, Error::BadResponse(text) if text.starts_with(&format!("Code: {code}."))),
            "{sql}: {error}"
        );
    }
}

#[tokio::test]
async fn an_error_in_mid_stream_ends_the_rows_with_its_text() {
    for client in
        [Server::shared().client(), Server::shared().client().with_compression(clickhouse::Compression::None)]
    {
        let mut cursor = client
            .query("SELECT toUInt64(number + throwIf(number = 2000000)) FROM numbers(3000000) SETTINGS max_block_size = 10000, max_threads = 1")
            .fetch::<u64>()
            .unwrap();
        let mut rows = 0_u64;
        let error = loop {
            match cursor.next().await {
                Ok(Some(n)) => {
                    assert_eq!(n, rows);
                    rows += 1;
                }
                Ok(None) => panic!("the stream ended as if it were whole after {rows} rows"),
                Err(error) => break error,
            }
        };
        assert!(rows > 0, "no rows came before the error");
        assert!(error.to_string().contains("Code: 395"), "{error}");
    }
}

#[tokio::test]
async fn a_million_rows_are_streamed_in_order() {
    let client = Server::shared().client();
    let mut cursor = client.query("SELECT number FROM numbers(1000000)").fetch::<u64>().unwrap();
    let mut next = 0;
    while let Some(n) = cursor.next().await.unwrap() {
        assert_eq!(n, next);
        next += 1;
    }
    assert_eq!(next, 1_000_000);
}

#[tokio::test]
async fn many_clients_at_once_each_get_their_own_answer() {
    let client = Server::shared().client();
    client.query("CREATE TABLE crowd (n UInt64) ENGINE = MergeTree ORDER BY n").execute().await.unwrap();
    let tasks: Vec<_> = (0..24_u64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                #[derive(Row, Serialize)]
                struct One {
                    n: u64,
                }
                let mut insert = client.insert::<One>("crowd").await.unwrap();
                insert.write(&One { n }).await.unwrap();
                insert.end().await.unwrap();
                let sum = client
                    .query("SELECT sum(number) + ? FROM numbers(10000)")
                    .bind(n)
                    .fetch_one::<u64>()
                    .await
                    .unwrap();
                assert_eq!(sum, 49_995_000 + n);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (count, sum): (u64, u64) =
        client.query("SELECT count(), sum(n) FROM crowd").fetch_one().await.unwrap();
    assert_eq!((count, sum), (24, 276));
}
