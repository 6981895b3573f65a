//! `weighbridge demo`: starts everything on this machine and runs the demonstration.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use wb_auth::{SourceKeys, TenantScope};
use wb_billing::ports::CutSource as _;
use wb_config::Config;
use wb_demo::{DemoKeys, Host, Place, SiteReport};

use crate::commands::report::{Format, now_us, render, sheet_of};
use crate::commands::{Configuration, Run, seal};
use crate::console::{end_signal, print, tell};
use crate::wiring::adapters::CommittedCuts;
use crate::wiring::services::{Connected, LiveBiller};
use crate::wiring::stack::Stack;

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder with the test data.
    #[arg(long, default_value = "tests/data")]
    data: PathBuf,
    /// The seed of the simulated fleet.
    #[arg(long, default_value_t = wb_demo::SEED)]
    seed: u64,
    /// Exit once the result is printed (also DEMO_EXIT=1).
    #[arg(long)]
    exit: bool,
}

/// The stack of this machine, for the demonstration.
struct Here<'a> {
    connected: &'a Connected,
    biller: LiveBiller,
    cuts: CommittedCuts,
}

impl Host for Here<'_> {
    fn tell(&self, text: &str) {
        tell(text);
    }

    fn print(&self, text: &str) -> Result<()> {
        print(text)
    }

    async fn settle(&self) -> Result<()> {
        self.cuts.settled_cut().await?;
        Ok(())
    }

    async fn seal(&self) -> Result<()> {
        seal::pass(self.connected).await?;
        Ok(())
    }

    async fn close(&self, period: &str) -> Result<Vec<String>> {
        let issued = self.biller.close(period, None).await?;
        Ok(issued.into_iter().map(|invoice| invoice.invoice_id).collect())
    }

    async fn recompute(&self, invoice_id: &str) -> Result<bool> {
        let again = self.biller.recompute(invoice_id).await?;
        Ok(again.bill_matches && again.evidence_matches)
    }

    async fn report(&self, site_id: &str, period: &str) -> Result<SiteReport> {
        let store = &self.connected.store;
        let read = store.read(TenantScope::Operator, store.cut().await?);
        let (head, sheet) = sheet_of(&read, Some(site_id), period, Some("UTC"), now_us()?).await?;
        let (csv, text) = (render(Format::Csv, &head, &sheet), render(Format::Table, &head, &sheet));
        Ok(SiteReport::new(site_id, period, &sheet, csv, text))
    }
}

impl Run for DemoArguments {
    type Needs = Configuration;

    async fn run(self, given: Configuration) -> Result<ExitCode> {
        demo(given.config, &given.child_arguments, self).await
    }
}

/// Runs the demonstration. The exit code is 1 if a total is not as expected.
async fn demo(config: Config, child_arguments: &[OsString], arguments: DemoArguments) -> Result<ExitCode> {
    let end = end_signal(false)?;
    tokio::pin!(end);
    let exits = arguments.exit || std::env::var("DEMO_EXIT").is_ok_and(|value| value == "1");
    tell("demo 1/6: reading real blocks and mining the simulated fleet's shares");
    let input = wb_demo::input(&arguments.data, arguments.seed).await?;
    let demo_keys = DemoKeys::draw()?;
    let mut entries = config.ingest.sources.clone();
    entries.extend(demo_keys.entries().iter().cloned());
    let sources = SourceKeys::from_entries(entries).context("the sources of the demonstration")?;
    tell("demo 2/6: starting Kafka, the ClickHouse engine and the services");
    let mut stack = Stack::start(&config, child_arguments, sources).await?;
    let connected = &stack.connected;
    let weighed = async {
        let biller = connected.biller("weighbridge-demo").await?;
        let here = Here { connected, biller, cuts: connected.cuts().await? };
        let place = Place {
            ingest: config.ingest.listen,
            api: config.api.listen,
            data_dir: config.data_dir.clone(),
            issuer: connected.keys.issuer()?,
        };
        wb_demo::run(&here, &place, &demo_keys, &input, arguments.seed).await
    };
    let ended = tokio::select! {
        () = &mut end => Ok(None),
        ended = stack.running.any_ended() => ended.map(|()| None),
        summary = weighed => summary.map(Some),
    };
    let code = match ended {
        Ok(Some(summary)) => {
            if !exits {
                tell("the stack keeps running; Ctrl-C ends");
                tokio::select! {
                    () = &mut end => {}
                    ended = stack.running.any_ended() => ended?,
                }
            }
            Ok(if summary.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Ok(None) => Ok(ExitCode::FAILURE),
        Err(error) => Err(error),
    };
    tell("stopping");
    stack.stop().await;
    code
}
