//! What a command needs in order to run.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use wb_config::{Config, ProcessEnvironment};

use super::Run;
use crate::wiring::services::{Connected, connect_running};

/// The installation, as given on the command line.
#[derive(Debug)]
pub(crate) struct Installation {
    /// The configuration file. Without it, defaults and environment variables apply.
    pub(crate) config_file: Option<PathBuf>,
}

impl Installation {
    fn configuration(&self) -> Result<Config> {
        Ok(Config::load(self.config_file.as_deref(), ProcessEnvironment)?)
    }
}

/// A requirement of a command.
pub(crate) trait Needs: Sized {
    /// The requirement as a sentence of the help.
    const TOLD: &'static str;

    /// Provides it.
    fn provide(installation: Installation) -> Result<Self>;
}

/// The requirement of a command as a sentence of its help.
pub(crate) const fn needs_of<C: Run>() -> &'static str {
    C::Needs::TOLD
}

/// The arguments are enough: no configuration, no network.
pub(crate) struct Nothing;

impl Needs for Nothing {
    const TOLD: &'static str = "Needs only its arguments: no configuration, no running stack.";

    fn provide(_: Installation) -> Result<Self> {
        Ok(Self)
    }
}

/// Ingest at the address in the arguments.
pub(crate) struct RunningIngest;

impl Needs for RunningIngest {
    const TOLD: &'static str = "Needs a running ingest at the address --ingest, but no configuration.";

    fn provide(_: Installation) -> Result<Self> {
        Ok(Self)
    }
}

/// Ingest at the address in the arguments, and the running stack for what has to be looked up.
pub(crate) struct IngestAndStack(Installation);

impl IngestAndStack {
    /// The running stack.
    pub(crate) fn stack(self) -> Result<RunningStack> {
        RunningStack::provide(self.0)
    }
}

impl Needs for IngestAndStack {
    const TOLD: &'static str = "Needs a running ingest at the address --ingest; a void needs the running stack (weighbridge up) and its \
         configuration, too, to look the event up.";

    fn provide(installation: Installation) -> Result<Self> {
        Ok(Self(installation))
    }
}

/// The configuration of the installation; nothing needs to run.
pub(crate) struct Configuration {
    pub(crate) config: Config,
    /// Arguments for a child process of the same installation.
    pub(crate) child_arguments: Vec<OsString>,
}

impl Needs for Configuration {
    const TOLD: &'static str = "Needs the configuration, but no running stack.";

    fn provide(installation: Installation) -> Result<Self> {
        let config = installation.configuration()?;
        let child_arguments = match installation.config_file {
            Some(path) => vec!["--config".into(), path.into()],
            None => Vec::new(),
        };
        Ok(Self { config, child_arguments })
    }
}

/// The running stack of the configuration.
pub(crate) struct RunningStack {
    pub(crate) config: Config,
}

impl RunningStack {
    /// Connects to the log and to ClickHouse.
    pub(crate) async fn connect(&self) -> Result<Connected> {
        connect_running(&self.config).await
    }
}

impl Needs for RunningStack {
    const TOLD: &'static str = "Needs a running stack (weighbridge up) and its configuration.";

    fn provide(installation: Installation) -> Result<Self> {
        Ok(Self { config: installation.configuration()? })
    }
}

/// A running stack, if an argument refers to a record in it.
pub(crate) struct StackForNames(Installation);

impl StackForNames {
    /// The running stack.
    pub(crate) fn stack(self) -> Result<RunningStack> {
        RunningStack::provide(self.0)
    }
}

impl Needs for StackForNames {
    const TOLD: &'static str =
        "Needs a running stack (weighbridge up) for recorded contracts, but none for files.";

    fn provide(installation: Installation) -> Result<Self> {
        Ok(Self(installation))
    }
}
