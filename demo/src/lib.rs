//! The demonstration: real proof of work through the whole stack, twice, and the bills for it.
//!
//! It is a client: it sends over HTTP and asks over GraphQL, as anyone would. What only the operator of a stack can do -
//! sealing days, closing months - it asks of its [`Host`], so it knows no service.

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

/// The seed of the simulated fleet unless another is given.
pub const SEED: u64 = 20_261_001;
/// The months that the demonstration's usage lies in.
const PERIODS: [&str; 2] = ["2009-01", "2026-10"];
/// How long the demonstration's tokens hold.
const TOKENS_HOLD: Duration = Duration::from_secs(8 * 3_600);

/// The stack that the demonstration runs through, and the console that it tells its result on.
pub trait Host {
    /// Says something to a person.
    fn tell(&self, text: &str);

    /// Prints a part of the result.
    ///
    /// # Errors
    /// Where standard output is closed.
    fn print(&self, text: &str) -> Result<()>;

    /// Waits until everything that was acknowledged is committed.
    fn settle(&self) -> impl Future<Output = Result<()>>;

    /// Seals the days of everything that is committed.
    fn seal(&self) -> impl Future<Output = Result<()>>;

    /// Closes a month and issues its invoices; gives the ids of all that it has.
    fn close(&self, period: &str) -> impl Future<Output = Result<Vec<String>>>;

    /// Computes an invoice again, and says whether both digests are the same.
    fn recompute(&self, invoice_id: &str) -> impl Future<Output = Result<bool>>;

    /// A site's report of a period, in UTC.
    fn report(&self, site_id: &str, period: &str) -> impl Future<Output = Result<SiteReport>>;
}

/// Where the stack is reached, and who signs the demonstration's tokens.
pub struct Place {
    /// Where ingest listens.
    pub ingest: SocketAddr,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where the summary and the customers' tokens are written.
    pub data_dir: PathBuf,
    /// Who signs tokens of this installation.
    pub issuer: Issuer,
}

/// Reads the real blocks and mines the simulated fleet's shares.
///
/// # Errors
/// Where the folder lacks what it should hold.
pub async fn input(data: &Path, seed: u64) -> Result<DemoInput> {
    let data = data.to_owned();
    Ok(tokio::task::spawn_blocking(move || wb_testkit::demo_input(&data, seed)).await??)
}

/// Sends everything twice, bills it, and shows what came of it.
///
/// # Errors
/// Where the stack is away for longer than it should be, or refuses something.
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
        // A repeat goes on where the one before ended, and returns what exists already.
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

/// Writes the summary and a token for each customer, and prints what a person reads.
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
