//! API keys of the demonstration's sources, new in each run.

use anyhow::{Context as _, Result};
use wb_auth::{Role, SourceEntry};

#[derive(Debug)]
pub struct DemoKeys {
    entries: Vec<SourceEntry>,
    keys: Vec<(&'static str, String)>,
}

impl DemoKeys {
    /// Creates a key for each source.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn draw() -> Result<Self> {
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

    /// The sources as ingest needs them.
    #[must_use]
    pub fn entries(&self) -> &[SourceEntry] {
        &self.entries
    }

    pub(crate) fn of(&self, source: &str) -> Result<&str> {
        let found = self.keys.iter().find(|(id, _)| *id == source);
        found.map(|(_, key)| key.as_str()).with_context(|| format!("no key for the source {source:?}"))
    }
}
