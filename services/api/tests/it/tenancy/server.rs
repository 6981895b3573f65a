//! The real engine and the real API, in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wb_api::{ApiConfig, CommitsAt};
use wb_auth::{Access, CustomerId, Grant, Issuer};
use wb_clickhouse::Store;
use wb_clickhouse_embedded::EngineConfig;

use super::fixture::{self, Contents};

#[derive(Clone, Copy)]
pub(crate) enum Reader {
    CustomerA,
    CustomerB,
    Operator,
}

/// An engine and an issuer of tokens, in their own folder. A process can hold only one engine, so this file has one
/// test.
pub(crate) struct World {
    folder: tempfile::TempDir,
    address: SocketAddr,
    issuer: Issuer,
    /// Created once, so that both stores are queried with the same token.
    tokens: [String; 3],
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = EngineConfig::new(library(), folder.path().join("engine"));
        let bound = wb_clickhouse_embedded::bind(config).await.unwrap();
        let address = bound.local_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            bound.run(shutdown).await.unwrap();
        });
        let issuer = Issuer::create_or_load(&folder.path().join("keys")).unwrap();
        let token = |subject: &str, access| {
            let grant = Grant { subject: subject.to_owned(), access };
            issuer.issue(&grant, Duration::from_secs(600)).unwrap()
        };
        let customer = |id: &str| Access::Customer(CustomerId::new(id).unwrap());
        let tokens = [
            token("ann-aaa", customer(fixture::CUSTOMER_A)),
            token("bob-bbb", customer(fixture::CUSTOMER_B)),
            token("ops", Access::Operator),
        ];
        Self { folder, address, issuer, tokens, stop, running }
    }

    /// An API over its own database with the given rows.
    pub(crate) async fn api(&self, database: &str, contents: Contents) -> Api {
        let store = self.store(database).await;
        fixture::fill(&store, contents).await;
        self.serve(store).await
    }

    /// A separate database without rows.
    pub(crate) async fn store(&self, database: &str) -> Store {
        let url = format!("http://{}", self.address);
        let store = Store::connect(&url, database, None, None).await.unwrap();
        store.migrate().await.unwrap();
        store.check_columns().await.unwrap();
        store
    }

    /// An API over a store.
    pub(crate) async fn serve(&self, store: Store) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let verifier = self.issuer.verifier().unwrap();
        let server = wb_api::run(
            listener,
            ApiConfig::default(),
            store,
            commits_at(),
            verifier,
            std::future::pending(),
        );
        let serving = tokio::spawn(async move { server.await.unwrap() });
        let tokens = self.tokens.clone();
        Api { address, tokens, serving, client: reqwest::Client::new() }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.running.await.unwrap();
        self.folder.close().unwrap();
    }
}

/// The log's answer: the fixture's first block, of facts, was committed in the first second of 2026-10-01, the second
/// one in the next.
fn commits_at() -> CommitsAt {
    const FIRST_US: i64 = 1_790_812_800_000_000;
    Arc::new(|at_us| {
        Box::pin(async move {
            Ok(match at_us - FIRST_US {
                i64::MIN..=0 => 0,
                1..=1_000_000 => 41,
                _ => 42,
            })
        })
    })
}

/// One API over one store.
pub(crate) struct Api {
    address: SocketAddr,
    tokens: [String; 3],
    serving: JoinHandle<()>,
    client: reqwest::Client,
}

impl Api {
    fn token(&self, reader: Reader) -> &str {
        match reader {
            Reader::CustomerA => &self.tokens[0],
            Reader::CustomerB => &self.tokens[1],
            Reader::Operator => &self.tokens[2],
        }
    }

    /// The answer to `GET /v1/exports/` followed by `rest`.
    pub(crate) async fn export(&self, reader: Reader, rest: &str) -> reqwest::Response {
        let request = self.client.get(format!("http://{}/v1/exports/{rest}", self.address));
        request.bearer_auth(self.token(reader)).send().await.unwrap()
    }

    /// The same without a token.
    pub(crate) async fn export_of_nobody(&self, rest: &str) -> reqwest::Response {
        self.client.get(format!("http://{}/v1/exports/{rest}", self.address)).send().await.unwrap()
    }

    pub(crate) async fn ask(&self, reader: Reader, query: &str) -> Value {
        let token = self.token(reader);
        let request = self.client.post(format!("http://{}/graphql", self.address)).bearer_auth(token);
        let response = request.json(&json!({ "query": query })).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, 200, "{query}: {answer}");
        answer
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn library() -> PathBuf {
    std::env::var_os("WEIGHBRIDGE_CHDB_LIB").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.stack/chdb/libchdb.so")),
        PathBuf::from,
    )
}
