//! The demonstration: real proof of work through the whole stack, twice, and the bills for it.
//!
//! It is a client that sends over HTTP and queries over GraphQL. What only an operator can do, such as sealing days
//! and closing months, goes through its [`Host`], so the crate depends on no service.

mod client;
mod keys;
mod sites;
mod summary;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use wb_auth::{Access, CustomerId, Grant, Issuer};
use wb_testkit::DemoInput;

use client::{Sent, StackClient, Window, patiently};
pub use keys::DemoKeys;
pub use sites::SiteReport;
pub use summary::Summary;

/// The default seed of the simulated fleet.
pub const SEED: u64 = 20_261_001;
/// The months of the demonstration's usage.
const PERIODS: [&str; 2] = ["2009-01", "2026-10"];
/// How long the demonstration's tokens are valid.
const TOKENS_HOLD: Duration = Duration::from_secs(8 * 3_600);

/// The stack and the console of the demonstration.
pub trait Host {
    /// Prints a message.
    fn tell(&self, text: &str);

    /// Prints a part of the result.
    ///
    /// # Errors
    /// If standard output is closed.
    fn print(&self, text: &str) -> Result<()>;

    /// Waits until everything acknowledged is committed.
    fn settle(&self) -> impl Future<Output = Result<()>>;

    /// Seals the days of everything that is committed.
    fn seal(&self) -> impl Future<Output = Result<()>>;

    /// Closes a month and issues its invoices; returns the ids of all of them.
    fn close(&self, period: &str) -> impl Future<Output = Result<Vec<String>>>;

    /// Computes an invoice again; returns whether both digests are the same.
    fn recompute(&self, invoice_id: &str) -> impl Future<Output = Result<bool>>;

    /// A site's report of a period, in UTC.
    fn report(&self, site_id: &str, period: &str) -> impl Future<Output = Result<SiteReport>>;
}

/// The addresses of the stack, its data folder, and the issuer of tokens.
pub struct Place {
    /// The address of ingest.
    pub ingest: SocketAddr,
    /// The address of the API.
    pub api: SocketAddr,
    /// The folder for the summary and the customers' tokens.
    pub data_dir: PathBuf,
    /// The issuer of this installation's tokens.
    pub issuer: Issuer,
}

/// Reads the real blocks and mines the shares of the simulated fleet.
///
/// # Errors
/// If a file is missing from the folder.
pub async fn input(data: &Path, seed: u64) -> Result<DemoInput> {
    let data = data.to_owned();
    Ok(tokio::task::spawn_blocking(move || wb_testkit::demo_input(&data, seed)).await??)
}

/// Sends everything twice, bills it, and shows the result.
///
/// # Errors
/// If the stack is away for too long or refuses something.
pub async fn run<H: Host>(
    host: &H,
    place: &Place,
    demo_keys: &DemoKeys,
    input: &DemoInput,
    seed: u64,
) -> Result<Summary> {
    let operator = Grant { subject: "demo".to_owned(), access: Access::Operator };
    let client = StackClient::new(place.ingest, place.api, place.issuer.issue(&operator, TOKENS_HOLD)?)?;

    host.tell("demo 3/6: sending everything once");
    let first_sent = send_all(host, &client, demo_keys, input).await?;
    patiently("waiting for commits", || host.settle()).await?;
    let first = client.totals(&Window::all()).await?;
    host.tell("demo 4/6: sending everything a second time");
    send_all(host, &client, demo_keys, input).await?;
    patiently("waiting for commits", || host.settle()).await?;
    let second = client.totals(&Window::all()).await?;

    host.tell("demo 5/6: sealing the days, closing the months and issuing invoices");
    patiently("sealing days", || host.seal()).await?;
    let mut issued = BTreeSet::new();
    for period in PERIODS {
        // A repeat continues the close before it and returns the existing invoices, too.
        issued.extend(patiently("closing a month", || host.close(period)).await?);
    }
    let invoices = client.invoices(&issued).await?;
    let mut recomputed = true;
    for invoice in &invoices {
        recomputed &= patiently("computing again", || host.recompute(&invoice.id)).await?;
    }
    host.tell("demo 6/6: the result");
    let mut reports = Vec::new();
    for (site_id, period) in sites::REPORTS {
        reports.push(patiently("reading the reports", || host.report(site_id, period)).await?);
    }
    let summary = Summary {
        seed_note: format!("fleet mined with seed {seed}"),
        events_sent: first_sent.events,
        events_refused_at_the_door: first_sent.refused,
        genesis: client.totals(&Window::genesis()).await?,
        historic: client.totals(&Window::historic()).await?,
        first,
        second,
        invoices,
        recomputed,
        reports,
        expected: input.expect().into(),
    };
    show(host, place, &summary)?;
    Ok(summary)
}

/// Writes the summary and a token for each customer, and prints the result.
fn show<H: Host>(host: &H, place: &Place, summary: &Summary) -> Result<()> {
    let written = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    written(&place.data_dir.join("demo-summary.json"), &serde_json::to_vec_pretty(summary)?)?;
    host.print(&summary.text())?;
    for customer in summary.customers() {
        let id = CustomerId::new(customer.as_str()).context("a customer id of an invoice is not one")?;
        let grant = Grant { subject: customer.clone(), access: Access::Customer(id) };
        let path = place.data_dir.join(format!("demo-token-{customer}"));
        written(&path, place.issuer.issue(&grant, TOKENS_HOLD)?.as_bytes())?;
        host.print(&format!("token of {customer}: {}", path.display()))?;
    }
    host.print(&format!(
        "try: curl -s http://{}/graphql -H \"Authorization: Bearer $(cat {})\" -H 'Content-Type: application/json' \
         -d '{{\"query\":\"{{ invoices {{ nodes {{ number customerId totals {{ amount currency }} }} }} }}\"}}'",
        place.api,
        place.data_dir.join("demo-token-hal-desk").display()
    ))
}

async fn send_all<H: Host>(
    host: &H,
    client: &StackClient,
    demo_keys: &DemoKeys,
    input: &DemoInput,
) -> Result<Sent> {
    let mut all = Sent::default();
    for part in &input.parts {
        let sent = client.send(demo_keys.of(part.source)?, &part.events).await?;
        if let Some(first) = &sent.first_refused {
            host.tell(&format!("  refused at the client: {first}"));
        }
        host.tell(&format!("  {:<18} {:>5} events", part.name, sent.events));
        all.events += sent.events;
        all.refused += sent.refused;
    }
    Ok(all)
}
