//! A simulated Bitcoin Core node with the headers of the first real blocks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use wb_connect::bitcoind::{self, Options, Summary};

use crate::support::{ingest, stop};

/// `user:password`, as basic authentication carries it.
const CREDENTIALS: &str = "Basic dXNlcjpwYXNzd29yZA==";

struct Row {
    hash: String,
    bits: String,
}

/// The state of the node, and its behaviour.
struct Node {
    rows: Vec<Row>,
    /// Height of the best block.
    best: usize,
    /// A block that replaces the best one of the chain.
    fork: Option<String>,
    downloading: bool,
    knows_next: bool,
    /// Statuses and bodies for the next calls.
    failures: Vec<(u16, String)>,
    calls: Vec<String>,
}

type Shared = Arc<Mutex<Node>>;

fn rows() -> Vec<Row> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/bitcoin/first_blocks_2009.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        Row { hash: fields[1].to_owned(), bits: fields[4].to_owned() }
    };
    text.lines().skip(1).map(row).collect()
}

async fn node(best: usize) -> (String, Shared) {
    let node = Node {
        rows: rows(),
        best,
        fork: None,
        downloading: false,
        knows_next: true,
        failures: Vec::new(),
        calls: Vec::new(),
    };
    let shared = Arc::new(Mutex::new(node));
    let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://user:password@{address}"), shared)
}

async fn answer(State(node): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let mut node = node.lock().unwrap();
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(CREDENTIALS) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !node.failures.is_empty() {
        let (status, text) = node.failures.remove(0);
        return (StatusCode::from_u16(status).unwrap(), text).into_response();
    }
    let call: Value = serde_json::from_str(&body).unwrap();
    let method = call["method"].as_str().unwrap().to_owned();
    node.calls.push(method.clone());
    let result = match method.as_str() {
        "getblockchaininfo" => json!({
            "chain": "main", "blocks": node.best, "headers": node.best, "bestblockhash": node.best_hash(),
            "difficulty": 1.0, "time": 1_231_006_505, "initialblockdownload": node.downloading, "warnings": "",
        }),
        "getblockheader" => node.header(call["params"][0].as_str().unwrap()),
        "getmininginfo" if node.knows_next => json!({
            "blocks": node.best, "difficulty": 1.0, "chain": "main",
            "next": {"height": node.best + 1, "bits": "1d00ffff", "difficulty": 1.0},
        }),
        "getmininginfo" => json!({"blocks": node.best, "difficulty": 1.0, "chain": "main"}),
        other => panic!("{other} is not needed"),
    };
    axum::Json(json!({"result": result, "error": null, "id": call["id"]})).into_response()
}

impl Node {
    fn best_hash(&self) -> String {
        self.fork.clone().unwrap_or_else(|| self.rows[self.best].hash.clone())
    }

    fn header(&self, hash: &str) -> Value {
        let height = if self.fork.as_deref() == Some(hash) {
            self.best
        } else {
            self.rows.iter().position(|row| row.hash == hash).unwrap()
        };
        json!({
            "hash": hash, "confirmations": 1, "height": height, "version": 1, "versionHex": "00000001",
            "time": 1_231_006_505, "bits": self.rows[height].bits, "difficulty": 1.0, "nTx": 1,
            "previousblockhash": (height > 0).then(|| self.rows[height - 1].hash.clone()),
        })
    }
}

fn options(url: &str) -> Options {
    Options { url: url.to_owned(), chain: None, poll: Duration::from_millis(10), once: false }
}

#[tokio::test]
async fn new_blocks_become_tips_in_their_order_through_failures_and_a_fork() {
    let (url, node) = node(100).await;
    let (ingest, taken) = ingest().await;
    let (tell, stop) = stop();
    node.lock().unwrap().failures = vec![
        (
            500,
            r#"{"result":null,"error":{"code":-28,"message":"Loading block index"},"id":"weighbridge"}"#
                .into(),
        ),
        (200, "{".into()),
        (200, "x".repeat(300 * 1024)),
    ];
    let options = options(&url);
    let running = tokio::spawn(async move { bitcoind::run(&options, &ingest, &stop).await });
    let until = async |what: &str, tips: usize| {
        for _ in 0..500 {
            if taken.lock().unwrap().facts("tip").len() == tips {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}: {} tips", taken.lock().unwrap().facts("tip").len());
    };
    until("the best block at the start", 1).await;
    taken.lock().unwrap().failures = vec![200, 503];
    node.lock().unwrap().best = 103;
    until("three blocks at once", 4).await;
    let fork = "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb60ff".to_owned();
    node.lock().unwrap().fork = Some(fork.clone());
    until("another block of the same height", 5).await;
    node.lock().unwrap().fork = None;
    tokio::time::sleep(Duration::from_millis(100)).await;
    tell.send(true).unwrap();
    running.await.unwrap().unwrap();
    let taken = taken.lock().unwrap();
    let tips: Vec<(u64, String)> = taken
        .facts("tip")
        .iter()
        .map(|(_, body)| (body["height"].as_u64().unwrap(), body["hash"].as_str().unwrap().to_owned()))
        .collect();
    let hash = |height: usize| rows()[height].hash.clone();
    let in_order = [(100, hash(100)), (101, hash(101)), (102, hash(102)), (103, hash(103)), (103, fork)];
    assert_eq!(tips[..5], in_order);
    let mut times: Vec<i64> = Vec::new();
    for event in &taken.events {
        if !times.contains(&event.event_time_us) {
            times.push(event.event_time_us);
        }
    }
    assert!(times.is_sorted(), "{times:?}");
    let bits = taken.facts("network_difficulty");
    assert_eq!(bits, [("main".to_owned(), json!({"chain": "main", "height": 0, "nbits": "1d00ffff"}))]);
}

#[tokio::test]
async fn one_look_tells_the_best_block_and_the_target_of_its_epoch() {
    let (url, node) = node(399).await;
    node.lock().unwrap().knows_next = false;
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let options = Options { once: true, chain: Some("historic".to_owned()), ..options(&url) };
    let summary = bitcoind::run(&options, &ingest, &stop).await.unwrap();
    assert_eq!(summary, Summary { facts: 2, refused: 0 });
    let taken = taken.lock().unwrap();
    assert_eq!(taken.facts("tip")[0].0, "historic");
    assert_eq!(taken.facts("network_difficulty")[0].1["height"], 0);
    assert_eq!(node.lock().unwrap().calls, ["getblockchaininfo", "getblockheader", "getmininginfo"]);
}

#[tokio::test]
async fn a_node_that_is_downloading_says_nothing_and_a_wrong_password_ends_it() {
    let (url, node) = node(399).await;
    node.lock().unwrap().downloading = true;
    let (ingest, taken) = ingest().await;
    let (_tell, stop) = stop();
    let once = Options { once: true, ..options(&url) };
    assert_eq!(bitcoind::run(&once, &ingest, &stop).await.unwrap(), Summary::default());
    assert_eq!(taken.lock().unwrap().requests, 0);
    let wrong = Options { url: url.replace("password", "guess"), ..once };
    assert_eq!(bitcoind::run(&wrong, &ingest, &stop).await.unwrap_err().code(), "WB-5707");
}
