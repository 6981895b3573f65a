//! `weighbridge webhooks`, and the dispatcher on its real ports.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use wb_config::Config;
use wb_webhooks::ports::{Clock, Jitter, LedgerSource, Records};
use wb_webhooks::{
    Disabled, Dispatcher, Endpoint, EndpointConfig, Order, Pace, Post, StateDir, WebhookError,
};

use crate::adapters::LedgerTopic;
use crate::cli::{print, tell};

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// How far each endpoint is, and what failed.
    List,
    /// Enable an endpoint, and try at once.
    Retry {
        /// Its id.
        id: String,
    },
    /// Send an endpoint everything from a ledger offset on again, with the same ids.
    Replay {
        /// Its id.
        id: String,
        /// The offset.
        #[arg(long)]
        from: u64,
    },
}

/// The dispatcher on Kafka and the clocks of this machine.
pub(crate) type LiveDispatcher = Dispatcher<LedgerTopic, WallClock, Chance>;

impl LedgerSource for LedgerTopic {
    async fn read_from(&self, offset: u64) -> Result<Records, Box<dyn std::error::Error + Send + Sync>> {
        use wb_billing::ports::LedgerLog as _;
        Ok(self.read_all_from(offset).await?)
    }
}

/// The clock of the operating system.
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now_us(&self) -> i64 {
        use wb_billing::ports::Clock as _;
        wb_billing::ports::SystemClock.now_us()
    }
}

/// Chance from the operating system.
pub(crate) struct Chance;

impl Jitter for Chance {
    fn ppm(&self) -> u32 {
        let mut drawn = [0; 4];
        // Without chance there is no jitter; the pauses stay.
        if getrandom::fill(&mut drawn).is_err() {
            return 0;
        }
        u32::from_le_bytes(drawn) % 1_000_000
    }
}

fn states(config: &Config) -> Result<StateDir, WebhookError> {
    StateDir::open(&config.data_dir.join("webhooks"))
}

fn endpoints(config: &Config) -> Result<Vec<Endpoint>, WebhookError> {
    let endpoint = |endpoint: &wb_config::WebhookEndpoint| {
        Endpoint::new(EndpointConfig {
            id: endpoint.id.clone(),
            url: endpoint.url.clone(),
            secret: endpoint.secret.reveal().to_owned(),
            events: endpoint.events.clone(),
            customer: endpoint.customer.clone(),
        })
    };
    config.webhooks.endpoints.iter().map(endpoint).collect()
}

/// The dispatcher, where there are endpoints.
pub(crate) fn dispatcher(config: &Config, ledger: LedgerTopic) -> Result<Option<LiveDispatcher>> {
    let endpoints = endpoints(config).context("webhooks.endpoints")?;
    if endpoints.is_empty() {
        return Ok(None);
    }
    let ports = (ledger, WallClock, Chance);
    let dispatcher = Dispatcher::new(endpoints, states(config)?, Post::new()?, Pace::default(), ports)?;
    Ok(Some(dispatcher))
}

/// Shows and orders deliveries. Orders are left in the data folder for whoever delivers from it.
pub(crate) fn run(config: &Config, command: &WebhooksCommand) -> Result<()> {
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
                            None => format!("failed {} times, tried again", delivery.failures),
                            Some(Disabled::Gone) => "disabled: it is gone".to_owned(),
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
            tell(&format!("{id} is tried again as soon as billing runs"));
        }
        WebhooksCommand::Replay { id, from } => {
            known(id)?;
            states.order(id, Order::Replay { from: *from })?;
            tell(&format!("{id} gets everything from ledger offset {from} on again as soon as billing runs"));
        }
    }
    Ok(())
}
