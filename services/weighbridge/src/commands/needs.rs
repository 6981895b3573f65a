//! What a command needs before it can run.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use wb_config::{Config, ProcessEnvironment};

use super::Run;
use crate::wiring::services::{Connected, connect};

/// What the command line says of the installation.
#[derive(Debug)]
pub(crate) struct Installation {
    /// The configuration file; without one, defaults and the environment.
    pub(crate) config_file: Option<PathBuf>,
}

impl Installation {
    fn configuration(&self) -> Result<Config> {
        Ok(Config::load(self.config_file.as_deref(), ProcessEnvironment)?)
    }
}

/// Something that a command can need.
pub(crate) trait Needs: Sized {
    /// How the command's help tells it.
    const TOLD: &'static str;

    /// Provides it.
    fn provide(installation: Installation) -> Result<Self>;
}

/// What a command needs, as its help tells it.
pub(crate) const fn needs_of<C: Run>() -> &'static str {
    C::Needs::TOLD
}

/// The arguments are enough: no configuration, no network.
pub(crate) struct Nothing;

impl Needs for Nothing {
    const TOLD: &'static str = "Needs nothing but its arguments: no configuration, no running stack.";

    fn provide(_: Installation) -> Result<Self> {
        Ok(Self)
    }
}

/// Ingest, at the address that the arguments give.
pub(crate) struct RunningIngest;

impl Needs for RunningIngest {
    const TOLD: &'static str = "Needs a running ingest at the address of --ingest, and no configuration.";

    fn provide(_: Installation) -> Result<Self> {
        Ok(Self)
    }
}

/// The configuration of the installation, and nothing that runs.
pub(crate) struct Configuration {
    pub(crate) config: Config,
    /// What a child that runs another service of this installation is given.
    pub(crate) child_arguments: Vec<OsString>,
}

impl Needs for Configuration {
    const TOLD: &'static str = "Needs the configuration, and no running stack.";

    fn provide(installation: Installation) -> Result<Self> {
        let config = installation.configuration()?;
        let child_arguments = match installation.config_file {
            Some(path) => vec!["--config".into(), path.into()],
            None => Vec::new(),
        };
        Ok(Self { config, child_arguments })
    }
}

/// The stack that runs by the configuration.
pub(crate) struct RunningStack {
    pub(crate) config: Config,
}

impl RunningStack {
    /// Connects to the log and to ClickHouse.
    pub(crate) async fn connect(&self) -> Result<Connected> {
        connect(&self.config).await
    }
}

impl Needs for RunningStack {
    const TOLD: &'static str = "Needs a running stack (weighbridge up) and its configuration.";

    fn provide(installation: Installation) -> Result<Self> {
        Ok(Self { config: installation.configuration()? })
    }
}

/// A running stack where an argument names something that only the stack knows.
pub(crate) struct StackForNames(Installation);

impl StackForNames {
    /// The stack.
    pub(crate) fn stack(self) -> Result<RunningStack> {
        RunningStack::provide(self.0)
    }
}

impl Needs for StackForNames {
    const TOLD: &'static str =
        "Needs a running stack (weighbridge up) for a contract of the ledger, and nothing for files.";

    fn provide(installation: Installation) -> Result<Self> {
        Ok(Self(installation))
    }
}
