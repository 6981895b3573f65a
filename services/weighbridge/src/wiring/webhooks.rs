//! The dispatcher of webhooks on its real ports.

use anyhow::{Context as _, Result};
use wb_config::Config;
use wb_webhooks::ports::{Clock, Jitter, LedgerSource, Records};
use wb_webhooks::{Dispatcher, Endpoint, EndpointConfig, Pace, Post, StateDir, WebhookError};

use super::adapters::LedgerTopic;

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

/// Where deliveries keep how far they are.
pub(crate) fn states(config: &Config) -> Result<StateDir, WebhookError> {
    StateDir::open(&config.data_dir.join("webhooks"))
}

/// The endpoints of the configuration.
pub(crate) fn endpoints(config: &Config) -> Result<Vec<Endpoint>, WebhookError> {
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
