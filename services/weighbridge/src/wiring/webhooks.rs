//! The dispatcher of webhooks on its real ports.

use anyhow::{Context as _, Result};
use wb_billing::ports::LedgerLog as _;
use wb_config::Config;
use wb_webhooks::ports::{LedgerSource, Records};
use wb_webhooks::{
    Dispatcher, Endpoint, EndpointConfig, Pace, Post, StateDir, SystemClock, SystemJitter, WebhookError,
};

use super::adapters::LedgerTopic;

/// The dispatcher on Kafka and this machine's clock and random numbers.
pub(crate) type LiveDispatcher = Dispatcher<LedgerTopic, SystemClock, SystemJitter>;

impl LedgerSource for LedgerTopic {
    async fn read_from(&self, offset: u64) -> Result<Records, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.read_all_from(offset).await?)
    }
}

/// The folder with the state of deliveries.
pub(crate) fn states(config: &Config) -> Result<StateDir, WebhookError> {
    StateDir::open(&config.data_dir.join("webhooks"))
}

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

/// The dispatcher, if endpoints are configured.
pub(crate) fn dispatcher(config: &Config, ledger: LedgerTopic) -> Result<Option<LiveDispatcher>> {
    let endpoints = endpoints(config).context("webhooks.endpoints")?;
    if endpoints.is_empty() {
        return Ok(None);
    }
    let ports = (ledger, SystemClock, SystemJitter);
    let dispatcher = Dispatcher::new(endpoints, states(config)?, Post::new()?, Pace::default(), ports)?;
    Ok(Some(dispatcher))
}
