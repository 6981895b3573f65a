//! The demonstration: real proof of work through the whole road, twice, and the bills for it.

mod client;
mod report;
mod sites;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use wb_auth::{Access, CustomerId, Grant, Role, SourceEntry, SourceKeys};
use wb_billing::ports::CutSource as _;
use wb_config::Config;
use wb_testkit::DemoInput;

use crate::console::{end_signal, print, tell};
use crate::wiring::services::Connected;
use crate::wiring::stack::Stack;
use client::{Sent, StackClient, Window, patiently};
use report::Summary;

/// The seed of the simulated fleet unless another is given.
const SEED: u64 = 20_261_001;
/// The months that the demonstration's usage lies in.
const PERIODS: [&str; 2] = ["2009-01", "2026-10"];

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder of the real test data.
    #[arg(long, default_value = "tests/data")]
    data: PathBuf,
    /// The seed of the simulated fleet.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// End once the result is printed (also DEMO_EXIT=1).
    #[arg(long)]
    exit: bool,
}

/// API keys of the demonstration's sources, drawn anew at each run.
struct DemoKeys {
    entries: Vec<SourceEntry>,
    keys: Vec<(&'static str, String)>,
}

impl DemoKeys {
    fn draw() -> Result<Self> {
        let mut entries = Vec::new();
        let mut keys = Vec::new();
        for (id, role) in wb_testkit::SOURCES {
            let key = wb_auth::GeneratedKey::random()?;
            let role = match role {
                "operator" => Role::Operator,
                "replay" => Role::Replay,
                "pool" => Role::Pool,
                "telemetry" => Role::Telemetry,
                "scheduler" => Role::Scheduler,
                "meter" => Role::Meter,
                other => anyhow::bail!("the demonstration knows no role {other:?}"),
            };
            entries.push(SourceEntry {
                id: id.to_owned(),
                key_sha256_hex: key.key_sha256_hex.clone(),
                roles: vec![role],
            });
            keys.push((id, key.key.clone()));
        }
        Ok(Self { entries, keys })
    }

    fn of(&self, source: &str) -> Result<&str> {
        let found = self.keys.iter().find(|(id, _)| *id == source);
        found.map(|(_, key)| key.as_str()).with_context(|| format!("no key for the source {source:?}"))
    }
}

/// Runs the demonstration. The exit code is 1 where a total is not the expected one.
pub(crate) async fn run(
    config: Config,
    child_arguments: &[OsString],
    arguments: DemoArguments,
) -> Result<ExitCode> {
    let end = end_signal(false)?;
    tokio::pin!(end);
    let exits = arguments.exit || std::env::var("DEMO_EXIT").is_ok_and(|value| value == "1");
    tell("demo 1/6: reading real blocks and mining the simulated fleet's shares");
    let (data, seed) = (arguments.data.clone(), arguments.seed);
    let input = tokio::task::spawn_blocking(move || wb_testkit::demo_input(&data, seed)).await??;
    let demo_keys = DemoKeys::draw()?;
    let mut entries = config.ingest.sources.clone();
    entries.extend(demo_keys.entries.iter().cloned());
    let sources = SourceKeys::from_entries(entries).context("the sources of the demonstration")?;
    tell("demo 2/6: starting Kafka, the ClickHouse engine and the services");
    let mut stack = Stack::start(&config, child_arguments, sources).await?;
    let ended = tokio::select! {
        () = &mut end => Ok(None),
        ended = stack.running.any_ended() => ended.map(|()| None),
        summary = weigh(&config, &stack.connected, &demo_keys, &input, seed) => summary.map(Some),
    };
    let code = match ended {
        Ok(Some(summary)) => {
            let right = summary.is_right();
            if !exits {
                tell("the stack runs on; Ctrl-C ends");
                tokio::select! {
                    () = &mut end => {}
                    ended = stack.running.any_ended() => ended?,
                }
            }
            Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Ok(None) => Ok(ExitCode::FAILURE),
        Err(error) => Err(error),
    };
    tell("stopping");
    stack.stop().await;
    code
}

async fn weigh(
    config: &Config,
    connected: &Connected,
    demo_keys: &DemoKeys,
    input: &DemoInput,
    seed: u64,
) -> Result<Summary> {
    let issuer = connected.keys.issuer()?;
    let hours = std::time::Duration::from_secs(8 * 3_600);
    let operator = issuer.issue(&Grant { subject: "demo".to_owned(), access: Access::Operator }, hours)?;
    let client = StackClient::new(config, operator)?;
    let biller = connected.biller("weighbridge-demo").await?;
    let cuts = connected.cuts().await?;

    tell("demo 3/6: sending everything once");
    let first_sent = send_all(&client, demo_keys, input).await?;
    patiently("waiting for names", async || Ok(cuts.settled_cut().await?)).await?;
    let first = client.totals(&Window::all()).await?;
    tell("demo 4/6: sending everything a second time");
    send_all(&client, demo_keys, input).await?;
    patiently("waiting for names", async || Ok(cuts.settled_cut().await?)).await?;
    let second = client.totals(&Window::all()).await?;

    tell("demo 5/6: sealing the days, closing the months and issuing invoices");
    patiently("sealing days", || crate::commands::seal::pass(connected)).await?;
    let mut issued = BTreeSet::new();
    for period in PERIODS {
        // A repeat goes on where the one before ended, and returns what exists already.
        let of_period = patiently("closing a month", async || Ok(biller.close(period, None).await?)).await?;
        issued.extend(of_period.into_iter().map(|invoice| invoice.invoice_id));
    }
    let invoices = client.invoices(&issued).await?;
    let mut recomputed = true;
    for invoice in &invoices {
        let again = patiently("computing again", async || Ok(biller.recompute(&invoice.id).await?)).await?;
        recomputed &= again.bill_matches && again.evidence_matches;
    }
    tell("demo 6/6: the result");
    let reports = patiently("reading the reports", || sites::reports(&connected.store)).await?;
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
    let path = config.data_dir.join("demo-summary.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&summary)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    print(&summary.text())?;
    for customer in summary.customers() {
        let id = CustomerId::new(customer.as_str()).context("a customer id of an invoice is not one")?;
        let grant = Grant { subject: customer.clone(), access: Access::Customer(id) };
        let token = issuer.issue(&grant, hours)?;
        let token_path = config.data_dir.join(format!("demo-token-{customer}"));
        std::fs::write(&token_path, &token)
            .with_context(|| format!("cannot write {}", token_path.display()))?;
        print(&format!("token of {customer}: {}", token_path.display()))?;
    }
    print(&format!(
        "try: curl -s http://{}/graphql -H \"Authorization: Bearer $(cat {})\" -H 'Content-Type: application/json' \
         -d '{{\"query\":\"{{ invoices {{ nodes {{ number customerId totals {{ amount currency }} }} }} }}\"}}'",
        config.api.listen,
        config.data_dir.join("demo-token-hal-desk").display()
    ))?;
    Ok(summary)
}

async fn send_all(client: &StackClient, demo_keys: &DemoKeys, input: &DemoInput) -> Result<Sent> {
    let mut all = Sent::default();
    for part in &input.parts {
        let sent = client.send(demo_keys.of(part.source)?, &part.events).await?;
        tell(&format!("  {:<18} {:>5} events", part.name, sent.events));
        all.events += sent.events;
        all.refused += sent.refused;
    }
    Ok(all)
}
