//! `weighbridge source-key`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::{Nothing, Run};
use crate::console::print;

#[derive(Debug, Args)]
pub(crate) struct SourceKeyArguments {
    /// The source's id.
    id: String,
    /// A role of the source: what it may send. Can be repeated.
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
}

impl Run for SourceKeyArguments {
    type Needs = Nothing;

    async fn run(self, _: Nothing) -> Result<ExitCode> {
        let key = wb_auth::GeneratedKey::random()?;
        let roles: Vec<String> = self.roles.iter().map(|role| format!("{role:?}")).collect();
        print(&format!("# the key, shown once: {}", key.key))?;
        print(&format!(
            "[[ingest.sources]]\nid = {:?}\nkey_sha256_hex = {:?}\nroles = [{}]",
            self.id,
            key.key_sha256_hex,
            roles.join(", ")
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
