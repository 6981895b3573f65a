//! `GET /v1/exports/NAME?period=2026-10&format=csv`: the billing data of a month as a file.
//!
//! The bytes are those of `weighbridge export` on the same ledger, because both use `wb_export`. A customer's token
//! gets the customer's own rows, as with `--customer`; only an operator's token gets the journal. The control totals
//! are at `/v1/exports/NAME.control.json` with the same parameters. Pass the file's header `weighbridge-ledger-end`
//! as their `ledger_end`, so that both are of the same ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use wb_auth::{TenantScope, Verifier};
use wb_clickhouse::read::RecordPlace;
use wb_clickhouse::{Cut, Read, Store};
use wb_export::{Control, Entry, ExportError, Exporter, Format, JournalOption, Request, Table};

use crate::config::Limits;
use crate::error::ApiError;

/// The suffix of a table's name that requests its control totals.
const CONTROL: &str = ".control.json";

/// The most pieces of a file that wait for a slow reader.
const PIECES_WAITING_MAX: usize = 2;

/// Bytes per piece.
const PIECE_BYTES: usize = 64 * 1024;

/// The header with the offset up to which a file holds the ledger.
const LEDGER_END: &str = "weighbridge-ledger-end";

struct Exports {
    store: Store,
    verifier: Verifier,
    places: Arc<Semaphore>,
    time_ms: u64,
}

/// The most options of a journal in a request; accounts, customers and subsidiaries may be many.
const OPTIONS_MAX: usize = 1_024;

#[derive(Debug, Default)]
struct Parameters {
    period: Option<String>,
    format: Option<String>,
    customer: Option<String>,
    ledger_end: Option<u64>,
    profile: Option<String>,
    legal_entity: Option<String>,
    /// Options of a journal. Accounts, customer names and subsidiaries may be given more than once.
    options: Vec<(JournalOption, String)>,
}

impl Parameters {
    fn read(pairs: Vec<(String, String)>) -> Result<Self, ExportError> {
        let refuse = |problem: String| Err(ExportError::Request { problem });
        let mut read = Self::default();
        for (name, value) in pairs {
            if let Ok(option) = name.parse::<JournalOption>() {
                let may_repeat = matches!(
                    option,
                    JournalOption::Account | JournalOption::CustomerName | JournalOption::Subsidiary
                );
                if !may_repeat && read.options.iter().any(|(known, _)| *known == option) {
                    return refuse(format!("{name} is given twice; give it once"));
                }
                if read.options.len() >= OPTIONS_MAX {
                    return refuse(format!("a request has at most {OPTIONS_MAX} options of a journal"));
                }
                read.options.push((option, value));
                continue;
            }
            let place = match name.as_str() {
                "ledger_end" if read.ledger_end.is_none() => {
                    let Ok(end) = value.parse() else {
                        return refuse(format!(
                            "ledger_end: {:?} is not an offset; write the whole number of the header {LEDGER_END}",
                            Self::short(&value)
                        ));
                    };
                    read.ledger_end = Some(end);
                    continue;
                }
                "period" => &mut read.period,
                "format" => &mut read.format,
                "customer" => &mut read.customer,
                "profile" => &mut read.profile,
                "legal_entity" => &mut read.legal_entity,
                "ledger_end" => return refuse("ledger_end is given twice; give it once".to_owned()),
                _ => {
                    return refuse(format!(
                        "there is no parameter {:?}: known are period, format, customer, legal_entity, ledger_end, \
                         profile, {}",
                        Self::short(&name),
                        JournalOption::ALL
                            .iter()
                            .map(|option| option.as_str())
                            .collect::<Vec<_>>()
                            .join(", ")
                    ));
                }
            };
            if place.replace(value).is_some() {
                return refuse(format!("{name} is given twice; give it once"));
            }
        }
        Ok(read)
    }

    fn short(text: &str) -> String {
        text.chars().take(40).collect()
    }
}

pub(crate) fn router(limits: &Limits, store: Store, verifier: Verifier) -> Router {
    let places = Arc::new(Semaphore::new(limits.concurrent_exports));
    let exports = Exports { store, verifier, places, time_ms: limits.export_time_ms };
    Router::new().route("/v1/exports/{name}", get(answer)).with_state(Arc::new(exports))
}

async fn answer(
    State(exports): State<Arc<Exports>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, ApiError> {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let principal = exports.verifier.authenticate(authorization)?;
    let Query(pairs) = pairs.map_err(|refused| ExportError::Request { problem: refused.body_text() })?;
    let parameters = Parameters::read(pairs)?;
    let (table, is_control) = match name.strip_suffix(CONTROL) {
        Some(table) => (table, true),
        None => (name.as_str(), false),
    };
    let request = request_of(table, &parameters, &principal.scope)?;
    let place = Arc::clone(&exports.places).try_acquire_owned().map_err(|_| ApiError::Busy)?;
    let limit_ms = exports.time_ms;
    let deadline = Instant::now() + Duration::from_millis(limit_ms);
    let begin = Export::begin(&exports.store, principal.scope, request, parameters.ledger_end);
    let late = |_| ApiError::Time { limit_ms };
    let export = tokio::time::timeout_at(deadline, begin).await.map_err(late)??;
    if is_control {
        let control = tokio::time::timeout_at(deadline, export.control()).await.map_err(late)??;
        return Ok(control_response(&control)?);
    }
    Ok(file_response(export, place, deadline))
}

/// Makes an export request, limited to the scope.
fn request_of(table: &str, parameters: &Parameters, scope: &TenantScope) -> Result<Request, ExportError> {
    let table: Table = table.parse()?;
    if table == Table::Journal && scope.customer().is_some() {
        let problem = "the journal is only for the operator; a customer's token can export invoices, \
                       lines, usage and focus";
        return Err(ExportError::Request { problem: problem.to_owned() });
    }
    let Some(period) = parameters.period.as_deref() else {
        return Err(ExportError::Request {
            problem: "the parameter period is missing: a month, such as 2026-10".to_owned(),
        });
    };
    let format: Format = parameters.format.as_deref().unwrap_or("csv").parse()?;
    let customer = match (scope.customer(), parameters.customer.as_deref()) {
        (None, asked) => asked,
        (Some(own), None) => Some(own.as_str()),
        (Some(own), Some(asked)) if own.as_str() == asked => Some(asked),
        (Some(_), Some(_)) => {
            let problem = "this is a customer's token: leave out the parameter customer";
            return Err(ExportError::Request { problem: problem.to_owned() });
        }
    };
    let mut request = Request::new(table, format, period, customer)?;
    if let Some(profile) = &parameters.profile {
        request = request.with_profile(profile.parse()?)?;
    }
    if let Some(legal_entity) = &parameters.legal_entity {
        request = request.with_legal_entity(legal_entity)?;
    }
    for (option, text) in &parameters.options {
        request = request.with_option(*option, text)?;
    }
    Ok(request)
}

/// An export and the places of its records.
struct Export {
    read: Read,
    exporter: Exporter,
    places: Vec<RecordPlace>,
    ledger_end: u64,
}

impl Export {
    async fn begin(
        store: &Store,
        scope: TenantScope,
        request: Request,
        ledger_end: Option<u64>,
    ) -> Result<Self, ApiError> {
        // The ledger is read by its own offsets; the cut is irrelevant.
        let read = store.read(scope, Cut(0));
        let held = read.ledger_end().await?;
        let ledger_end = ledger_end.unwrap_or(held);
        if ledger_end > held {
            let problem = format!("ledger_end is {ledger_end}, but the ledger is known only below {held}");
            return Err(ExportError::Request { problem }.into());
        }
        let (kinds, period, customer) = (request.table().kinds(), request.period(), request.customer());
        let mut places = match request.table() {
            Table::Journal => read.dated_places(kinds, period, customer, ledger_end).await?,
            _ => read.invoice_places(kinds, period, customer, ledger_end).await?,
        };
        // Revenue of a service month is accrued in it and reversed in the next one.
        for service in request.service_periods() {
            places.extend(read.invoice_places(kinds, &service, customer, ledger_end).await?);
        }
        places.sort_unstable_by_key(|place| place.ledger_offset);
        places.dedup_by_key(|place| place.ledger_offset);
        let is_journal = request.table() == Table::Journal;
        let mut exporter = Exporter::new(request)?;
        if is_journal {
            // Records such as an allocation state no legal entity; it is that of an invoice or payment of any month.
            for owner in read.owners(ledger_end).await? {
                exporter.own(&owner.id, &owner.legal_entity);
            }
        }
        Ok(Self { read, exporter, places, ledger_end })
    }

    /// Reads the next records and writes their rows; false at the end.
    async fn step(&mut self) -> Result<bool, ApiError> {
        if self.places.is_empty() {
            return Ok(false);
        }
        let kinds = self.exporter.request().table().kinds();
        for entry in self.read.entries_at(kinds, &mut self.places).await? {
            let (ledger_offset, record_hash) = (entry.ledger_offset, entry.record_hash);
            self.exporter.push(&Entry { ledger_offset, record_hash, event: &entry.event })?;
        }
        Ok(true)
    }

    async fn control(mut self) -> Result<Control, ApiError> {
        while self.step().await? {
            self.exporter.take();
        }
        Ok(self.exporter.finish(self.ledger_end)?.control)
    }

    /// Sends the file. Waits for a slow reader; ends when the reader is gone.
    async fn send(mut self, pieces: &mpsc::Sender<Piece>) -> Result<(), ApiError> {
        let mut piece = Vec::new();
        while self.step().await? {
            piece.append(&mut self.exporter.take());
            if piece.len() >= PIECE_BYTES && pieces.send(std::mem::take(&mut piece).into()).await.is_err() {
                return Ok(());
            }
        }
        piece.append(&mut self.exporter.finish(self.ledger_end)?.bytes);
        let _ = pieces.send(piece.into()).await;
        Ok(())
    }
}

type Piece = Bytes;

/// The file as a stream. On an error the connection is aborted, so that no reader takes a part for the whole.
fn file_response(export: Export, place: OwnedSemaphorePermit, deadline: Instant) -> Response {
    let request = export.exporter.request();
    let media_type = HeaderValue::from_static(request.format().media_type());
    let disposition = format!("attachment; filename=\"{}\"", request.file_name());
    let ledger_end = HeaderValue::from(export.ledger_end);
    let (sender, receiver) = mpsc::channel::<Piece>(PIECES_WAITING_MAX);
    let is_whole = Arc::new(AtomicBool::new(false));
    let sent_whole = Arc::clone(&is_whole);
    tokio::spawn(async move {
        match tokio::time::timeout_at(deadline, export.send(&sender)).await {
            Ok(Ok(())) => sent_whole.store(true, Ordering::Release),
            Ok(Err(error)) => tracing::error!(code = error.code(), %error, "an export failed"),
            Err(_) => tracing::warn!("an export was aborted: its reader is too slow"),
        }
        drop(place);
    });
    let body =
        futures_util::stream::unfold((receiver, is_whole, false), async |(mut receiver, is_whole, ended)| {
            if ended {
                return None;
            }
            let piece = match receiver.recv().await {
                Some(piece) => Ok(piece),
                None if is_whole.load(Ordering::Acquire) => return None,
                None => Err(std::io::Error::other("the export was aborted")),
            };
            let ended = piece.is_err();
            Some((piece, (receiver, is_whole, ended)))
        });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(LEDGER_END, ledger_end);
    // A name of letters, digits, `-`, `_` and `.` is a valid header value.
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

fn control_response(control: &Control) -> Result<Response, ExportError> {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut response = (headers, control.to_text()?).into_response();
    response.headers_mut().insert(LEDGER_END, HeaderValue::from(control.ledger_end));
    Ok(response)
}
