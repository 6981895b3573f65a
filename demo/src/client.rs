//! The demonstration's client: it sends events over HTTP and queries over GraphQL.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Events in one request.
const BATCH: usize = 500;
/// How long a request is retried while the stack is away.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Retries until success or the time limit, because a backend may restart at any moment. Every request of the
/// demonstration may be repeated.
pub(crate) async fn patiently<T, F>(what: &'static str, mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error).context(what),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), what, "the attempt failed and is repeated")
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The answers to the events that were sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) events: usize,
    pub(crate) refused: usize,
    pub(crate) first_refused: Option<Value>,
}

/// Which shares to count: those of a site, or all.
pub(crate) struct Window {
    site: Option<&'static str>,
    from: &'static str,
    to: &'static str,
    bucket_minutes: u32,
}

const FROM: &str = "2009-01-01T00:00:00Z";
const TO: &str = "2027-01-01T00:00:00Z";
/// Thirty days, so that all years fit into about two hundred buckets.
const BUCKET_MINUTES: u32 = 43_200;

impl Window {
    pub(crate) fn all() -> Self {
        Self { site: None, from: FROM, to: TO, bucket_minutes: BUCKET_MINUTES }
    }

    pub(crate) fn genesis() -> Self {
        Self { site: Some("genesis"), ..Self::all() }
    }

    pub(crate) fn historic() -> Self {
        Self { site: Some("pool-historic"), ..Self::all() }
    }
}

/// The API's figures for shares in a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) verdicts: Vec<VerdictCount>,
    pub(crate) blocks: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerdictCount {
    pub(crate) chain: String,
    pub(crate) verdict: String,
    pub(crate) reason: String,
    pub(crate) shares: String,
    pub(crate) work_q32: String,
}

impl Totals {
    /// The shares of a verdict; with a reason, only those.
    pub(crate) fn shares(&self, verdict: &str, reason: Option<&str>) -> u64 {
        self.verdicts
            .iter()
            .filter(|count| count.verdict == verdict && reason.is_none_or(|reason| count.reason == reason))
            .filter_map(|count| count.shares.parse::<u64>().ok())
            .sum()
    }

    /// Credited work on a chain in units of 2^-32 difficulty.
    pub(crate) fn work_q32(&self, chain: &str) -> u128 {
        self.verdicts
            .iter()
            .filter(|count| count.chain == chain && count.verdict == "accepted")
            .filter_map(|count| count.work_q32.parse::<u128>().ok())
            .sum()
    }

    /// The totals without duplicates, which a second sending must not change.
    pub(crate) fn without_duplicates(&self) -> Self {
        let kept = self.verdicts.iter().filter(|count| count.verdict != "duplicate").cloned();
        Self { verdicts: kept.collect(), blocks: self.blocks }
    }
}

/// An invoice as the API returns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvoiceView {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) customer_id: String,
    pub(crate) period: String,
    pub(crate) bill_digest: String,
    pub(crate) evidence_digest: String,
    pub(crate) lines: Vec<LineView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineView {
    pub(crate) component: String,
    pub(crate) description: String,
    pub(crate) quantity: String,
    pub(crate) unit: String,
    pub(crate) amount: Option<String>,
    pub(crate) amount_minor: String,
    pub(crate) currency: String,
}

/// Ingest and the API of the running stack.
pub(crate) struct StackClient {
    http: reqwest::Client,
    events_url: String,
    graphql_url: String,
    operator_token: String,
}

impl StackClient {
    pub(crate) fn new(ingest: SocketAddr, api: SocketAddr, operator_token: String) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(PATIENCE).build().context("the HTTP client")?,
            events_url: format!("http://{ingest}/v1/events"),
            graphql_url: format!("http://{api}/graphql"),
            operator_token,
        })
    }

    /// Sends events as zstd-compressed NDJSON, and again until they are acknowledged.
    pub(crate) async fn send(&self, key: &str, events: &[Value]) -> Result<Sent> {
        let mut sent = Sent::default();
        for batch in events.chunks(BATCH) {
            let mut lines = Vec::new();
            for event in batch {
                serde_json::to_writer(&mut lines, event)?;
                lines.push(b'\n');
            }
            let body = zstd::encode_all(lines.as_slice(), 0).context("compressing events")?;
            let answer = self.post_until_durable(key, &body).await?;
            let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
            sent.events += batch.len();
            sent.refused += usize::try_from(count("refused"))?;
            if count("refused") > 0 && sent.first_refused.is_none() {
                let events = answer.get("events").and_then(Value::as_array);
                let first =
                    events.and_then(|events| events.iter().find(|event| event["status"] == "refused"));
                sent.first_refused = Some(first.cloned().unwrap_or_default());
            }
        }
        Ok(sent)
    }

    async fn post_until_durable(&self, key: &str, body: &[u8]) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let sent = self
                .http
                .post(&self.events_url)
                .bearer_auth(key)
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", "zstd")
                .body(body.to_vec())
                .send()
                .await;
            match sent {
                Ok(answer) if answer.status().is_success() || answer.status() == 422 => {
                    return answer.json().await.context("the answer of ingest is not JSON");
                }
                Ok(answer) if answer.status() != 429 && answer.status() != 503 => {
                    let status = answer.status();
                    bail!("ingest refused a request: {status} {}", answer.text().await.unwrap_or_default());
                }
                Ok(_) | Err(_) if tokio::time::Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Ok(answer) => bail!("ingest is still away: {}", answer.status()),
                Err(error) => return Err(error).context("ingest is still away"),
            }
        }
    }

    async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        patiently("asking the API", || self.ask_once(query, variables.clone())).await
    }

    async fn ask_once(&self, query: &str, variables: Value) -> Result<Value> {
        let answer: Value = self
            .http
            .post(&self.graphql_url)
            .bearer_auth(&self.operator_token)
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await
            .context("the API does not answer")?
            .json()
            .await
            .context("the answer of the API is not JSON")?;
        if let Some(errors) = answer.get("errors") {
            bail!("the API refused a query: {errors}");
        }
        answer.get("data").cloned().context("the API answered without data")
    }

    /// Verdicts and blocks in a window.
    pub(crate) async fn totals(&self, window: &Window) -> Result<Totals> {
        let query = "query ($site: String, $from: Time!, $to: Time!, $bucket: Int) {
            verdictCounts(siteId: $site, from: $from, to: $to) { chain verdict reason shares workQ32 }
            hashrate(siteId: $site, from: $from, to: $to, bucketMinutes: $bucket) { blocks }
        }";
        let variables = json!({
            "site": window.site, "from": window.from, "to": window.to, "bucket": window.bucket_minutes,
        });
        let data = self.ask(query, variables).await?;
        let blocks = data["hashrate"].as_array().map_or(0, |points| {
            points.iter().filter_map(|point| point["blocks"].as_str()?.parse::<u64>().ok()).sum()
        });
        let mut verdicts: Vec<VerdictCount> = serde_json::from_value(data["verdictCounts"].clone())?;
        verdicts.sort_by(|left, right| {
            (&left.chain, &left.verdict, &left.reason).cmp(&(&right.chain, &right.verdict, &right.reason))
        });
        Ok(Totals { verdicts, blocks })
    }

    /// All invoices, once the projection of the ledger shows the issued ones.
    pub(crate) async fn invoices(&self, issued: &BTreeSet<String>) -> Result<Vec<InvoiceView>> {
        let query = "{ invoices(first: 1000) { nodes {
            id number customerId period billDigest evidenceDigest
            lines { component description quantity unit amount amountMinor currency }
        } } }";
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let data = self.ask(query, Value::Null).await?;
            let invoices: Vec<InvoiceView> = serde_json::from_value(data["invoices"]["nodes"].clone())?;
            let shown: BTreeSet<&str> = invoices.iter().map(|invoice| invoice.id.as_str()).collect();
            if issued.iter().all(|id| shown.contains(id.as_str())) {
                return Ok(invoices);
            }
            if tokio::time::Instant::now() > deadline {
                bail!("the API shows only {} of {} issued invoices", shown.len(), issued.len());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
