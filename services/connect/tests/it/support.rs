//! A simulated ingest: it parses events like the real one, answers as it does, and remembers what it accepted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use wb_connect::{Ingest, Stop};
use wb_events::Event;
use wb_events::wire::event::Body;
use wb_events::{identity, input};

/// What it accepted, and its behaviour.
#[derive(Default)]
pub(crate) struct Taken {
    /// Every accepted event, including repeats.
    pub(crate) events: Vec<Event>,
    /// Statuses for the next requests. 200 accepts the events and loses the answer.
    pub(crate) failures: Vec<u16>,
    /// Machines whose sessions are refused as unknown.
    pub(crate) unknown_machines: BTreeSet<String>,
    /// How many requests arrived.
    pub(crate) requests: usize,
}

impl Taken {
    /// The shares, each identity once.
    pub(crate) fn shares(&self) -> Vec<Event> {
        self.once(|event| matches!(event.body, Some(Body::Share(_))))
    }

    /// The facts of a kind, each identity once: entity and inner body.
    pub(crate) fn facts(&self, kind: &str) -> Vec<(String, Value)> {
        let facts = self.once(|event| matches!(&event.body, Some(Body::Fact(fact)) if fact.kind == kind));
        facts
            .into_iter()
            .map(|event| match event.body {
                Some(Body::Fact(fact)) => (fact.entity, serde_json::from_str(&fact.body).unwrap()),
                _ => panic!("no fact"),
            })
            .collect()
    }

    fn once(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = std::collections::BTreeMap::new();
        let mut found = Vec::new();
        for event in self.events.iter().filter(|event| wanted(event)) {
            let tag = identity::content_tag(event);
            match seen.insert(identity::event_id(event), tag) {
                None => found.push(event.clone()),
                Some(before) => assert_eq!(before, tag, "one identity, two contents: {event:?}"),
            }
        }
        found
    }
}

pub(crate) type Shared = Arc<Mutex<Taken>>;

/// Starts the stand-in on a free port.
pub(crate) async fn ingest() -> (Ingest, Shared) {
    let taken = Shared::default();
    let router = Router::new().route("/v1/events", post(take)).with_state(Arc::clone(&taken));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (Ingest::new(&url, "wbk_test".to_owned()).unwrap(), taken)
}

async fn take(State(taken): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let mut taken = taken.lock().unwrap();
    taken.requests += 1;
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some("Bearer wbk_test") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let failure = if taken.failures.is_empty() { None } else { Some(taken.failures.remove(0)) };
    if let Some(status) = failure.filter(|status| *status != 200) {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let mut answers = Vec::new();
    for (index, line) in body.lines().enumerate() {
        let refused = |code: &str, reason: String| json!({"status": "refused", "index": index, "code": code, "field": "f", "reason": reason});
        answers.push(match input::parse_json("connector", line) {
            Err(error) => refused(error.code, error.reason),
            Ok(event) => match names_unknown(&taken, &event) {
                Some(machine) => refused("WB-2011", format!("machine {machine} is unknown")),
                None => {
                    taken.events.push(event);
                    json!({"status": "accepted", "index": index})
                }
            },
        });
    }
    if failure.is_some() {
        return (StatusCode::OK, "{\"events\":").into_response();
    }
    let accepted = answers.iter().any(|answer| answer["status"] == "accepted");
    let status = if accepted { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    (status, axum::Json(json!({"events": answers}))).into_response()
}

/// The unknown machine of a session.
fn names_unknown(taken: &Taken, event: &Event) -> Option<String> {
    let Some(Body::Fact(fact)) = &event.body else { return None };
    let body: Value = serde_json::from_str(&fact.body).unwrap();
    let machine = body.get("machine_id")?.as_str()?.to_owned();
    (fact.kind == "session" && taken.unknown_machines.contains(&machine)).then_some(machine)
}

/// A stop signal that is not sent, and its sender.
pub(crate) fn stop() -> (tokio::sync::watch::Sender<bool>, Stop) {
    let (tell, told) = tokio::sync::watch::channel(false);
    (tell, Stop::new(told))
}
