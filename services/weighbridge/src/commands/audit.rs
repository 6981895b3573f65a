//! Shared code of commands that audit.

use anyhow::Result;
use wb_auditor::{Auditor, Said};
use wb_config::Config;

use crate::console::print;
use crate::wiring::services::{Connected, frame_archive};

/// Creates the auditor of this installation.
pub(crate) fn auditor(config: &Config, connected: &Connected) -> Result<Auditor> {
    Ok(Auditor {
        log: connected.log.clone(),
        store: connected.store.clone(),
        archive: frame_archive(config),
        frame_key: connected.keys.frame_key()?,
        scratch_in: config.data_dir.clone(),
    })
}

/// Prints the reports of an audit. A closed standard output is reported once, at the end.
pub(crate) struct Printer {
    json: bool,
    failed: Option<anyhow::Error>,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, failed: None }
    }

    pub(crate) fn say(&mut self, said: &Said) {
        let text = if self.json { serde_json::to_string(said) } else { Ok(said.to_string()) };
        let printed = text.map_err(anyhow::Error::new).and_then(|text| print(&text));
        if let Err(error) = printed {
            self.failed.get_or_insert(error);
        }
    }

    pub(crate) fn end(self) -> Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}
