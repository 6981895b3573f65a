//! Small servers that simulate machines: over TCP as cgminer and Whatsminer do, with their quirks, and over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The answers of an invented machine, by command.
pub(crate) fn answers(name: &str) -> BTreeMap<String, Value> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/miner-answers/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// How a machine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A NUL byte behind the answer, then the end.
    Nul,
    /// The answer, then the end of the sending direction only.
    HalfClosing,
    /// The answer, and the connection stays open.
    Lingering,
    /// The answer in pieces of seven bytes.
    Pieces,
    /// Twice the same answer.
    Twice,
    /// Bytes that are no JSON.
    Garbage,
    /// JSON without an end.
    Huge,
    /// No answer.
    Mute,
    /// Half an answer, and the connection stays open.
    Stuck,
    /// No comma between the elements of arrays, and one after the last.
    Commas,
}

/// A machine with a changeable behaviour.
#[derive(Clone)]
pub(crate) struct Played {
    pub(crate) address: SocketAddr,
    pub(crate) manner: Arc<Mutex<Manner>>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// The most connections at one time, over all machines that share it.
    pub(crate) busiest: Arc<AtomicUsize>,
}

/// Simulates cgminer's interface.
pub(crate) async fn cgminer(answers: BTreeMap<String, Value>, manner: Manner) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let played = Played {
        address: listener.local_addr().unwrap(),
        manner: Arc::new(Mutex::new(manner)),
        connections: Arc::default(),
        busiest: Arc::default(),
    };
    let (answers, shown) = (Arc::new(answers), played.clone());
    let open = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            played.connections.fetch_add(1, Ordering::SeqCst);
            let now = open.fetch_add(1, Ordering::SeqCst) + 1;
            played.busiest.fetch_max(now, Ordering::SeqCst);
            let (answers, open) = (Arc::clone(&answers), Arc::clone(&open));
            let manner = *played.manner.lock().unwrap();
            tokio::spawn(async move {
                // A client may close the connection once it has its answer.
                let _ = answer(stream, &answers, manner).await;
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    shown
}

async fn answer(
    mut stream: TcpStream,
    answers: &BTreeMap<String, Value>,
    manner: Manner,
) -> std::io::Result<()> {
    let mut request = vec![0; 1_024];
    let size = stream.read(&mut request).await?;
    if size == 0 {
        return Ok(());
    }
    let asked: Value = serde_json::from_slice(&request[..size]).unwrap_or_default();
    let command = asked["command"].as_str().unwrap_or_default();
    let refusal =
        r#"{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command","Description":"cgminer"}],"id":1}"#;
    let text = answers.get(command).map_or_else(|| refusal.to_owned(), Value::to_string);
    match manner {
        Manner::Nul => stream.write_all(format!("{text}\0").as_bytes()).await,
        Manner::HalfClosing => {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            wait_for_end(&mut stream).await
        }
        Manner::Lingering => {
            stream.write_all(text.as_bytes()).await?;
            wait_for_end(&mut stream).await
        }
        Manner::Pieces => {
            for piece in text.as_bytes().chunks(7) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        Manner::Twice => stream.write_all(format!("{text}{text}\0").as_bytes()).await,
        Manner::Garbage => stream.write_all(b"\x16\x03\x01 what is it?").await,
        Manner::Huge => {
            stream.write_all(b"{\"a\":\"").await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
        }
        Manner::Mute => wait_for_end(&mut stream).await,
        Manner::Stuck => {
            stream.write_all(&text.as_bytes()[..text.len() / 2]).await?;
            wait_for_end(&mut stream).await
        }
        Manner::Commas => {
            let odd = text.replace("},{", "}{").replace("}]", "},]");
            stream.write_all(format!("{odd}\0").as_bytes()).await
        }
    }
}

async fn wait_for_end(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut rest = vec![0; 1_024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Simulates Whatsminer's third interface.
pub(crate) async fn whatsminer(answers: BTreeMap<String, Value>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let mut size = [0; 4];
                if stream.read_exact(&mut size).await.is_err() {
                    return;
                }
                let size = usize::try_from(u32::from_le_bytes(size)).unwrap();
                if size > 4_096 {
                    return;
                }
                let mut request = vec![0; size];
                if stream.read_exact(&mut request).await.is_err() {
                    return;
                }
                let asked: Value = serde_json::from_slice(&request).unwrap_or_default();
                let command = asked["cmd"].as_str().unwrap_or_default().replace('.', "_");
                let name = match asked["param"].as_str() {
                    Some(param) => format!("{command}_{param}"),
                    None => command,
                };
                let text = answers.get(&name).map_or_else(|| r#"{"code":-1}"#.to_owned(), Value::to_string);
                let mut message = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
                message.extend_from_slice(text.as_bytes());
                let _ = stream.write_all(&message).await;
            });
        }
    });
    address
}

/// The authentication of a web interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    Open,
    Digest,
    Token,
}

#[derive(Clone)]
struct Site {
    pages: Arc<BTreeMap<String, String>>,
    guard: Guard,
}

/// Simulates a web interface: pages by path.
pub(crate) async fn web(pages: BTreeMap<String, String>, guard: Guard) -> SocketAddr {
    let site = Site { pages: Arc::new(pages), guard };
    let router = Router::new().fallback(page).with_state(site);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn page(State(site): State<Site>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let shown = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let body: Bytes = axum::body::to_bytes(body, 65_536).await.unwrap();
    if site.guard == Guard::Token && path == "/api/v1/auth/login" {
        let login: Value = serde_json::from_slice(&body).unwrap_or_default();
        let known = login["username"] == "root" && login["password"] == "secret";
        let answer =
            if known { (StatusCode::OK, r#"{"token":"t0k3n"}"#) } else { (StatusCode::UNAUTHORIZED, "") };
        return answer.into_response();
    }
    let allowed = match site.guard {
        Guard::Open => true,
        Guard::Token => shown == Some("t0k3n"),
        // The digest itself is tested with the standard's example, next to its code.
        Guard::Digest => shown.is_some_and(|text| {
            text.starts_with("Digest username=\"root\"") && text.contains("nonce=\"n1\"")
        }),
    };
    if !allowed {
        let challenge = [(
            header::WWW_AUTHENTICATE,
            "Digest realm=\"antMiner Configuration\", nonce=\"n1\", qop=\"auth\"",
        )];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let key = if path == "/graphql" { format!("/graphql {}", first_section(&body)) } else { path };
    match site.pages.get(&key) {
        Some(text) => text.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Which of the three queries this is.
fn first_section(body: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(body);
    match () {
        () if text.contains("uptime") => "gql_system",
        () if text.contains("poolGroups") => "gql_pools",
        () => "gql_boards",
    }
}
