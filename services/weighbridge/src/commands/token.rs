//! `weighbridge token`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use wb_auth::{Access, CustomerId, Grant};

use crate::commands::{Configuration, Run};
use crate::console::print;
use crate::wiring::keys::Keys;

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    #[arg(long, value_enum)]
    role: TokenRole,
    /// The customer's id, for the role `customer`.
    #[arg(long, required_if_eq("role", "customer"))]
    customer: Option<String>,
    /// The holder of the token.
    #[arg(long, default_value = "developer")]
    subject: String,
    /// How long the token is valid, in minutes.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TokenRole {
    Operator,
    Customer,
}

impl Run for TokenArguments {
    type Needs = Configuration;

    async fn run(self, given: Configuration) -> Result<ExitCode> {
        let access = match self.role {
            TokenRole::Operator => Access::Operator,
            TokenRole::Customer => {
                let id = self.customer.and_then(CustomerId::new).context("--customer: not a customer id")?;
                Access::Customer(id)
            }
        };
        let issuer = Keys::of_installation(&given.config.data_dir).issuer()?;
        let ttl = Duration::from_secs(self.minutes.saturating_mul(60));
        print(&issuer.issue(&Grant { subject: self.subject, access }, ttl)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
