//! The sources that may send events.

use anyhow::{Context as _, Result};
use wb_auth::SourceKeys;
use wb_config::Config;

pub(crate) fn configured_sources(config: &Config) -> Result<SourceKeys> {
    SourceKeys::from_entries(config.ingest.sources.clone()).context("ingest.sources")
}
