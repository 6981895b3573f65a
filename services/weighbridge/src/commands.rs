//! The commands, one file each. The type of a command states what it needs.

pub(crate) mod adjust;
pub(crate) mod alarm;
pub(crate) mod audit;
pub(crate) mod balances;
pub(crate) mod bill;
pub(crate) mod books;
pub(crate) mod close;
pub(crate) mod connect;
pub(crate) mod contract;
pub(crate) mod correct;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod dispute;
pub(crate) mod document;
pub(crate) mod evidence;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fact;
pub(crate) mod import;
pub(crate) mod invoice;
pub(crate) mod note;
pub(crate) mod opening;
pub(crate) mod overdue;
pub(crate) mod payment;
pub(crate) mod prices;
pub(crate) mod quarantine;
pub(crate) mod references;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod scrub;
pub(crate) mod seal;
pub(crate) mod send_file;
pub(crate) mod serve;
pub(crate) mod share;
pub(crate) mod source_key;
pub(crate) mod statement;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod usage;
pub(crate) mod webhooks;

mod needs;

use std::process::ExitCode;

use anyhow::Result;

pub(crate) use needs::{
    Configuration, IngestAndStack, Installation, Needs, Nothing, RunningIngest, RunningStack, StackForNames,
    needs_of,
};

/// A command with its arguments.
pub(crate) trait Run: Sized {
    /// What it needs to run.
    type Needs: Needs;

    /// Runs the command. A nonzero exit code means that it found a fault.
    async fn run(self, given: Self::Needs) -> Result<ExitCode>;
}

/// Provides what a command needs and runs it.
pub(crate) async fn run<C: Run>(command: C, installation: Installation) -> Result<ExitCode> {
    command.run(C::Needs::provide(installation)?).await
}
