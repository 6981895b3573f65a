//! Requests that are refused before any row is read: without a token, beyond a limit, or of another form. There is no
//! store here, which also shows the answer when the store is away.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wb_api::{ApiConfig, CommitsAt, Limits};
use wb_auth::{Access, Grant, Issuer};
use wb_clickhouse::{Store, StoreConfig};

struct Api {
    address: SocketAddr,
    token: String,
    client: Client,
    _keys: tempfile::TempDir,
}

async fn start(config: ApiConfig) -> Api {
    let keys = tempfile::tempdir().unwrap();
    let issuer = Issuer::create_or_load(keys.path()).unwrap();
    let grant = Grant { subject: "ops".to_owned(), access: Access::Operator };
    let token = issuer.issue(&grant, Duration::from_secs(60)).unwrap();
    // A free port, so that nothing listens there.
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let store = Store::new(StoreConfig::new(format!("http://{unused}"), "nothing")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let verifier = issuer.verifier().unwrap();
    tokio::spawn(wb_api::run(listener, config, store, no_log(), verifier, std::future::pending()));
    Api { address, token, client: Client::new(), _keys: keys }
}

/// A log that does not answer.
fn no_log() -> CommitsAt {
    Arc::new(|_| Box::pin(async { Err("the broker is away".into()) }))
}

impl Api {
    fn post(&self) -> RequestBuilder {
        self.client.post(format!("http://{}/graphql", self.address))
    }

    async fn ask(&self, query: &str) -> (StatusCode, Value) {
        read(self.post().bearer_auth(&self.token).json(&json!({ "query": query }))).await
    }
}

async fn read(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn without_a_good_token_nothing_is_answered() {
    let api = start(ApiConfig::default()).await;
    let query = json!({"query": "{ __typename }"});
    for (request, expected) in [
        (api.post(), "WB-3001"),
        (api.post().header("Authorization", "Basic b3Bz"), "WB-3002"),
        (api.post().bearer_auth("a.b.c"), "WB-3010"),
        (api.post().bearer_auth(&api.token[..api.token.len() - 4]), "WB-3010"),
    ] {
        let (status, answer) = read(request.json(&query)).await;
        assert_eq!((status, answer["code"].as_str().unwrap()), (StatusCode::UNAUTHORIZED, expected));
        assert!(!answer["message"].as_str().unwrap().is_empty());
    }
    let (status, answer) = api.ask("{ me { subject role customer { id } } }").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["data"]["me"], json!({"subject": "ops", "role": "OPERATOR", "customer": null}));
}

#[tokio::test]
async fn what_is_no_graphql_request_is_refused() {
    let api = start(ApiConfig::default()).await;
    let limits = Limits::default();
    let authorised = || api.post().bearer_auth(&api.token);
    let json_body = |body: String| authorised().header("Content-Type", "application/json").body(body);
    for (request, status, expected) in [
        (json_body("{".to_owned()), 400, "WB-3302"),
        (json_body("[{\"query\":\"{ cut }\"}]".to_owned()), 400, "WB-3302"),
        (json_body("{}".to_owned()), 400, "WB-3302"),
        (authorised().header("Content-Type", "text/plain").body("{\"query\":\"{ cut }\"}"), 400, "WB-3302"),
        (authorised(), 400, "WB-3302"),
        (json_body(" ".repeat(limits.body_bytes + 1)), 413, "WB-3301"),
        (json_body(json!({"query": "x".repeat(limits.query_bytes + 1)}).to_string()), 400, "WB-3303"),
        (json_body(json!({"query": format!("{{ {} }}", "me ".repeat(3_000))}).to_string()), 400, "WB-3303"),
        (json_body(json!({"query": "{a".repeat(100)}).to_string()), 400, "WB-3303"),
    ] {
        let (actual, answer) = read(request).await;
        assert_eq!(
            (actual.as_u16(), answer["code"].as_str().unwrap_or_default()),
            (status, expected),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn queries_that_would_cost_too_much_are_not_run() {
    let api = start(ApiConfig::default()).await;
    let aliases: String = (0..16).map(|index| format!("a{index}: cut ")).collect();
    let month = "from: \"2026-10-01T00:00:00Z\", to: \"2026-10-08T00:00:00Z\"";
    let series: String =
        (0..15).map(|index| format!("s{index}: hashrate({month}) {{ start end shares workQ32 }} ")).collect();
    for (query, expected) in [
        (format!("{{ {aliases} }}"), "WB-3304"),
        (format!("{{ {series} }}"), "WB-3305"),
        ("{ nothing }".to_owned(), "WB-3306"),
        ("{ cut".to_owned(), "WB-3306"),
        ("mutation { x }".to_owned(), "WB-3306"),
        ("{ sites(first: 1001) { nodes { id } } }".to_owned(), "WB-3307"),
        ("{ sites(first: 0) { nodes { id } } }".to_owned(), "WB-3307"),
        ("{ sites(first: -1) { nodes { id } } }".to_owned(), "WB-3307"),
        (format!("{{ hashrate({month}, bucketMinutes: 7) {{ shares }} }}"), "WB-3307"),
        (format!("{{ hashrate({month}, siteId: \"a\", machineId: \"b\") {{ shares }} }}"), "WB-3307"),
        (
            "{ hashrate(from: \"2026-10-01T00:00:00Z\", to: \"2026-10-09T00:00:00Z\") { shares } }"
                .to_owned(),
            "WB-3307",
        ),
        ("{ hashrate(from: \"yesterday\", to: \"2026-10-09T00:00:00Z\") { shares } }".to_owned(), "WB-3306"),
    ] {
        let (status, answer) = api.ask(&query).await;
        assert_eq!((status, code(&answer)), (StatusCode::OK, expected), "{query}: {answer}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_said_without_its_details() {
    let api = start(ApiConfig::default()).await;
    let (status, answer) = api.ask("{ cut }").await;
    assert_eq!((status, code(&answer)), (StatusCode::OK, "WB-3202"));
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("cannot answer") && !message.contains("127.0.0.1"), "{message}");
    let (status, answer) = read(api.client.get(format!("http://{}/health", api.address))).await;
    assert_eq!(
        (status, answer["status"].as_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    );
}

#[tokio::test]
async fn the_graphiql_page_is_there_only_where_it_is_wanted() {
    for (graphiql, expected) in [(true, 200), (false, 405)] {
        let api = start(ApiConfig { graphiql, ..ApiConfig::default() }).await;
        let response = api.client.get(format!("http://{}/graphql", api.address)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
        assert_eq!(response.text().await.unwrap().contains("GraphiQL"), graphiql);
    }
}

#[tokio::test]
async fn a_slow_sender_and_a_full_house_are_sent_away() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let limits = Limits { time_ms: 400, concurrent_requests: 1, ..Limits::default() };
    let api = start(ApiConfig { limits, ..ApiConfig::default() }).await;
    let mut slow = tokio::net::TcpStream::connect(api.address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        api.token
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let response =
        api.post().bearer_auth(&api.token).json(&json!({"query": "{ __typename }"})).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.status().as_u16(), 503);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "WB-3309");
    let mut answer = vec![0_u8; 4096];
    let length = slow.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 504") && answer.contains("WB-3308"), "{answer}");
    assert_eq!(api.ask("{ __typename }").await.0, StatusCode::OK, "the place is free again");
}

#[tokio::test]
async fn a_report_as_of_an_instant_needs_the_log() {
    let api = start(ApiConfig::default()).await;
    let (status, answer) =
        api.ask("{ report(period: \"2026-10\", asOf: \"2026-10-03T00:00:00Z\") { zone } }").await;
    assert_eq!(
        (status, answer["errors"][0]["extensions"]["code"].as_str()),
        (StatusCode::OK, Some("WB-5418"))
    );
    // Each costs as much as a report, whenever it is of.
    let reports: String = (0..9)
        .map(|day| {
            format!(
                "r{day}: report(period: \"2026-10\", asOf: \"2026-10-0{}T00:00:00Z\") {{ zone }} ",
                day + 1
            )
        })
        .collect();
    let (_, answer) = api.ask(&format!("{{ {reports} }}")).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "WB-3305", "{answer}");
}
