//! `weighbridge webhooks`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use wb_config::Config;
use wb_webhooks::{Disabled, Endpoint, Order, WebhookError};

use crate::commands::{Configuration, Run};
use crate::console::{print, tell};
use crate::wiring::webhooks::{endpoints, states};

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List endpoints with their progress and last failure.
    List,
    /// Enable an endpoint and retry at once.
    Retry {
        /// The endpoint's id.
        id: String,
    },
    /// Send an endpoint everything again from a ledger offset on, with the same ids.
    Replay {
        /// The endpoint's id.
        id: String,
        /// The ledger offset.
        #[arg(long)]
        from: u64,
    },
}

impl Run for WebhooksCommand {
    type Needs = Configuration;

    async fn run(self, given: Configuration) -> Result<ExitCode> {
        webhooks(&given.config, &self)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows deliveries or orders new ones. An order is a file in the data folder, which the dispatcher reads.
fn webhooks(config: &Config, command: &WebhooksCommand) -> Result<()> {
    let (states, endpoints) = (states(config)?, endpoints(config)?);
    let known = |id: &str| {
        if endpoints.iter().any(|endpoint| endpoint.id() == id) {
            return Ok(());
        }
        let known: Vec<&str> = endpoints.iter().map(Endpoint::id).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(WebhookError::Unknown { endpoint: id.chars().take(64).collect(), known })
    };
    match command {
        WebhooksCommand::List => {
            for endpoint in &endpoints {
                let delivery = states.delivery(endpoint.id())?;
                let told = match delivery {
                    None => "not served yet".to_owned(),
                    Some(delivery) => {
                        let state = match delivery.disabled {
                            None if delivery.failures == 0 => "in order".to_owned(),
                            None => format!("failed {} times, will be retried", delivery.failures),
                            Some(Disabled::Gone) => "disabled: the endpoint is gone".to_owned(),
                            Some(Disabled::Failed) => "disabled: it failed too often".to_owned(),
                        };
                        let last = delivery
                            .last_failure
                            .map(|why| format!("; last failure: {why}"))
                            .unwrap_or_default();
                        format!(
                            "{state}; next ledger offset {}, delivered {}{last}",
                            delivery.position, delivery.delivered
                        )
                    }
                };
                print(&format!("{} {} {told}", endpoint.id(), endpoint.shown_url()))?;
            }
        }
        WebhooksCommand::Retry { id } => {
            known(id)?;
            states.order(id, Order::Retry)?;
            tell(&format!("{id} is retried as soon as billing runs"));
        }
        WebhooksCommand::Replay { id, from } => {
            known(id)?;
            states.order(id, Order::Replay { from: *from })?;
            tell(&format!("{id} gets everything from ledger offset {from} on again as soon as billing runs"));
        }
    }
    Ok(())
}
