//! The HTTP interface: `POST /v1/events`, `POST /v1/prometheus/write`, `GET /health`.

mod devices;
mod observed;
mod pods;
mod prometheus;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, oneshot};
use wb_auth::{Source, SourceKeys};
use wb_events::facts::CONTRACT_WITHDRAWAL;
use wb_events::frame::FrameKey;
use wb_events::input::InputError;
use wb_events::wire::event::Body as EventBody;
use wb_events::{Event, identity, topics};
use wb_kafka::topics::Partitions;
use wb_kafka::{Log, LogError};
use wb_units::Micros;

use crate::answer::{self, EventAnswer, Refusal};
use crate::decode::{self, Form};
use crate::reference::ReferenceView;
use crate::resolve::{self, Unresolved};
use crate::writer::{FrameWriter, Parcel};
use crate::{body, limits};

/// What ingest needs to run.
pub struct IngestConfig {
    pub listener: TcpListener,
    /// The sources that may send.
    pub sources: SourceKeys,
    /// The key that frames are signed with.
    pub frame_key: FrameKey,
    /// The name of this ingest in its frames.
    pub name: String,
}

/// Why ingest ended.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The facts could not be read at the start.
    #[code("WB-5601")]
    #[error("ingest could not read the facts recorded so far")]
    Reference(#[source] LogError),
    /// The HTTP server failed.
    #[code("WB-5602")]
    #[error("ingest's HTTP server failed")]
    Http(#[source] std::io::Error),
}

struct IngestState {
    sources: SourceKeys,
    reference: ReferenceView,
    writer: FrameWriter,
    requests: Semaphore,
    /// GPU allocations of pods, by source.
    pods: Mutex<HashMap<String, Arc<Mutex<pods::Pods>>>>,
}

/// Serves until the shutdown future completes; requests in progress are answered first.
///
/// # Errors
/// [`IngestError`].
pub async fn run(
    config: IngestConfig,
    log: Log,
    partitions: &Partitions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), IngestError> {
    let reference =
        ReferenceView::start(log.clone(), config.frame_key.clone()).await.map_err(IngestError::Reference)?;
    let writer = FrameWriter::start(&log, partitions, &config.frame_key, &config.name);
    let requests = Semaphore::new(limits::REQUESTS_MAX);
    let state = Arc::new(IngestState {
        sources: config.sources,
        reference,
        writer,
        requests,
        pods: Mutex::default(),
    });
    let router = Router::new()
        .route("/v1/events", post(take_events))
        .route("/v1/prometheus/write", post(prometheus::take))
        .route("/health", get(|| async { "ok\n" }))
        .with_state(state);
    axum::serve(config.listener, router).with_graceful_shutdown(shutdown).await.map_err(IngestError::Http)
}

async fn take_events(State(state): State<Arc<IngestState>>, request: Request) -> Response {
    let began = Instant::now();
    let taken = state.take(request).await;
    note(began, &taken);
    match taken {
        Ok(events) => answer::events(events),
        Err(refusal) => refusal.into_response(),
    }
}

/// Counts a request in the metrics.
fn note(began: Instant, taken: &Result<Vec<EventAnswer>, Refusal>) {
    metrics::histogram!("weighbridge_ingest_request_seconds").record(began.elapsed());
    let Ok(events) = taken else {
        metrics::counter!("weighbridge_ingest_events_total", "answer" => "request refused").increment(1);
        return;
    };
    let accepted = events.iter().filter(|event| matches!(event, EventAnswer::Accepted { .. })).count();
    for (answer, count) in [("accepted", accepted), ("refused", events.len() - accepted)] {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        metrics::counter!("weighbridge_ingest_events_total", "answer" => answer).increment(count);
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn now_us() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// An event that is ready for the log, or why it is refused.
type Ready = Result<Event, InputError>;
/// Receives the offset of a parcel's frame once it is durable.
type Told = oneshot::Receiver<Result<u64, String>>;

/// A parcel, with the indexes of its events in the request.
#[derive(Default)]
struct Outgoing {
    parcel: Parcel,
    indices: Vec<usize>,
}

impl IngestState {
    async fn take(&self, request: Request) -> Result<Vec<EventAnswer>, Refusal> {
        let (parts, request_body) = request.into_parts();
        let source = self
            .sources
            .authenticate(header(&parts.headers, &header::AUTHORIZATION))
            .map_err(Refusal::Auth)?;
        let _permit = self.requests.try_acquire().map_err(|_| Refusal::Busy)?;
        let events = Self::read(source, &parts.headers, request_body).await?;
        let now_us = now_us();
        let mut answers = Vec::with_capacity(events.len());
        let mut caught_up = false;
        // Facts hold for later events of the same request: each run of facts is durable and applied here before the
        // next event is resolved.
        let mut rest = events.into_iter().enumerate().peekable();
        while let Some(kind) = rest.peek().map(|(_, event)| RunKind::of(event)) {
            let mut run = Vec::new();
            let mut contracts = HashSet::new();
            // A contract stated twice is judged by what was said of it first, so that is recorded before.
            let belongs = |event: &Ready, contracts: &mut HashSet<String>| {
                RunKind::of(event) == kind
                    && contract_of(event).is_none_or(|contract_id| contracts.insert(contract_id.to_owned()))
            };
            while let Some((index, event)) = rest.next_if(|(_, event)| belongs(event, &mut contracts)) {
                run.push((index, event));
            }
            let facts = kind != RunKind::Events;
            answers.extend(self.take_run(source, run, facts, now_us, &mut caught_up).await?);
        }
        Ok(answers)
    }

    async fn read(source: &Source, headers: &HeaderMap, request_body: Body) -> Result<Vec<Ready>, Refusal> {
        let form = Form::of(header(headers, &header::CONTENT_TYPE))?;
        let encoding = header(headers, &header::CONTENT_ENCODING).map(str::to_owned);
        let raw = body::read(request_body).await?;
        let id = source.id.clone();
        // Decompresses and parses tens of megabytes, so it runs on a blocking thread.
        let parsed = tokio::task::spawn_blocking(move || {
            let raw = body::decompress(encoding.as_deref(), raw)?;
            decode::events(&id, form, &raw)
        });
        parsed.await.map_err(|error| Refusal::Malformed(error.to_string()))?
    }

    async fn take_run(
        &self,
        source: &Source,
        run: Vec<(usize, Ready)>,
        facts: bool,
        now_us: Micros,
        caught_up: &mut bool,
    ) -> Result<Vec<EventAnswer>, Refusal> {
        let mut answers = Vec::with_capacity(run.len());
        let mut open: BTreeMap<(&'static str, u32), Outgoing> = BTreeMap::new();
        let mut under_way = Vec::new();
        let (mut indices, mut ready) = (Vec::with_capacity(run.len()), Vec::with_capacity(run.len()));
        for (index, event) in run {
            let resolved = match event {
                Ok(event) => self.resolve(source, event, now_us, caught_up).await?,
                Err(error) => Err(error),
            };
            match resolved {
                Ok(event) => {
                    indices.push(index);
                    ready.push(event);
                }
                Err(error) => answers.push(EventAnswer::refused(index, error)),
            }
        }
        let partitions = identity::partitions_of(&ready, |topic| self.writer.partitions_of(topic));
        for ((index, event), partition) in indices.into_iter().zip(ready).zip(partitions) {
            let topic = event.body.as_ref().map_or(topics::REFERENCE, topics::of_body);
            let place = (topic, partition);
            let outgoing = open.entry(place).or_default();
            outgoing.parcel.push(event.encode_to_vec());
            outgoing.indices.push(index);
            if outgoing.parcel.is_full() {
                under_way.push(self.hand_over(place, std::mem::take(outgoing)).await?);
            }
        }
        for (place, outgoing) in open {
            if !outgoing.indices.is_empty() {
                under_way.push(self.hand_over(place, outgoing).await?);
            }
        }
        let mut last_offset = None;
        for (indices, told) in under_way {
            let offset = told
                .await
                .map_err(|_| Refusal::NotDurable("the writer has ended".to_owned()))?
                .map_err(Refusal::NotDurable)?;
            last_offset = last_offset.max(Some(offset));
            answers.extend(indices.into_iter().map(|index| EventAnswer::Accepted { index }));
        }
        if facts && let Some(offset) = last_offset {
            self.wait_for_facts(self.reference.wait_until(offset.saturating_add(1))).await?;
        }
        answers.sort_by_key(|answer| match answer {
            EventAnswer::Accepted { index } | EventAnswer::Refused { index, .. } => *index,
        });
        Ok(answers)
    }

    async fn pods_of(&self, source_id: &str) -> Arc<Mutex<pods::Pods>> {
        Arc::clone(self.pods.lock().await.entry(source_id.to_owned()).or_default())
    }

    async fn wait_for_facts(&self, wait: impl Future<Output = Result<(), LogError>>) -> Result<(), Refusal> {
        match tokio::time::timeout(limits::REFERENCE_TIMEOUT, wait).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal::ReferenceBehind(error.to_string())),
            Err(_) => Err(Refusal::ReferenceBehind("it takes longer than usual".to_owned())),
        }
    }

    /// Resolves an event. If it refers to something unknown, another ingest may have just recorded it, so all facts
    /// recorded by now are read first. This is done once per request, because its events arrived before that.
    async fn resolve(
        &self,
        source: &Source,
        mut event: Event,
        now_us: Micros,
        caught_up: &mut bool,
    ) -> Result<Ready, Refusal> {
        if let Err(error) = resolve::admit(source, &event, now_us) {
            return Ok(Err(error));
        }
        if RunKind::of_event(&event) == RunKind::Contracts && !*caught_up {
            // Another ingest may have recorded its version.
            self.wait_for_facts(self.reference.catch_up()).await?;
            *caught_up = true;
        }
        // A second attempt overwrites the result of the first.
        let look = |event: &mut Event| {
            self.reference.with(|reference| resolve::resolve(reference, source, event, now_us))
        };
        let mut found = look(&mut event);
        let unknown = match &found {
            Ok(()) => names_unknown_job(&event),
            Err(Unresolved::Unknown(_)) => true,
            Err(Unresolved::Wrong(_)) => false,
        };
        if unknown && !*caught_up {
            self.wait_for_facts(self.reference.catch_up()).await?;
            *caught_up = true;
            found = look(&mut event);
        }
        Ok(match found {
            Ok(()) => Ok(event),
            Err(Unresolved::Unknown(error) | Unresolved::Wrong(error)) => Err(error),
        })
    }

    async fn hand_over(
        &self,
        (topic, partition): (&str, u32),
        outgoing: Outgoing,
    ) -> Result<(Vec<usize>, Told), Refusal> {
        let told = self
            .writer
            .hand_over(topic, partition, outgoing.parcel)
            .await
            .map_err(|error| Refusal::NotDurable(error.to_string()))?;
        Ok((outgoing.indices, told))
    }
}

/// Whether a share was refused because its job is unknown here.
fn names_unknown_job(event: &Event) -> bool {
    let Some(EventBody::Share(share)) = &event.body else { return false };
    let unknown = u32::from(wb_proof::Reason::UnknownJob.code());
    share.resolution.as_ref().is_some_and(|resolution| resolution.refusal == unknown)
}

/// Consecutive events of a request that are processed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunKind {
    /// Facts that depend on no other fact.
    Facts,
    /// Sessions: facts that are refused if their machine is unknown, so a machine in the same request must be applied
    /// before.
    Sessions,
    /// Contracts and their withdrawals: facts that are judged by the versions recorded before.
    Contracts,
    /// Everything that is not a fact or cannot be parsed.
    Events,
}

impl RunKind {
    fn of(event: &Ready) -> Self {
        event.as_ref().map_or(Self::Events, Self::of_event)
    }

    fn of_event(event: &Event) -> Self {
        let Some(EventBody::Fact(fact)) = &event.body else { return Self::Events };
        match fact.kind.as_str() {
            "session" => Self::Sessions,
            "contract" | CONTRACT_WITHDRAWAL => Self::Contracts,
            _ => Self::Facts,
        }
    }
}

/// The contract that a fact states or withdraws a version of.
fn contract_of(event: &Ready) -> Option<&str> {
    match event {
        Ok(Event { body: Some(EventBody::Fact(fact)), .. })
            if matches!(fact.kind.as_str(), "contract" | CONTRACT_WITHDRAWAL) =>
        {
            Some(&fact.entity)
        }
        _ => None,
    }
}
