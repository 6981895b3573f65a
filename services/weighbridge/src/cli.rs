//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use wb_auth::{Access, CustomerId, Grant};
use wb_config::{Config, ProcessEnvironment};

use crate::commands::{
    alarm, audit, bill, connect, contract, correct, demo, evidence, export, import, quarantine, report,
    rules, seal, share, up, webhooks,
};
use crate::console::{end_signal, print};
use crate::wiring::backends;
use crate::wiring::keys::Keys;
use crate::wiring::services::Service;

/// Weighbridge: counts hashes, kilowatt-hours and GPU-hours once, proves them, and bills them.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The configuration file; without one, defaults and the environment.
    #[arg(long, global = true, env = "WEIGHBRIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Logs as JSON lines instead of text.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: Kafka, ClickHouse and all services.
    Up,
    /// Run one service alone.
    Serve {
        service: Service,
        /// End when standard input ends, that is with the parent process.
        #[arg(long)]
        exit_with_stdin: bool,
    },
    /// Start everything and run the demonstration through it.
    Demo(demo::DemoArguments),
    /// Issue a token for the API, signed with this installation's development keys.
    Token {
        #[arg(long, value_enum)]
        role: TokenRole,
        /// The customer, for the role `customer`.
        #[arg(long, required_if_eq("role", "customer"))]
        customer: Option<String>,
        /// Who will hold it.
        #[arg(long, default_value = "developer")]
        subject: String,
        /// How long it holds, in minutes.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Draw an API key for a source, and print its line for the configuration.
    SourceKey {
        /// The source's id.
        id: String,
        /// What it may send.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
    },
    /// Close a month and issue its invoices.
    Close(bill::CloseArguments),
    /// Bill what came late for a closed month: credit and debit notes of its invoices.
    Adjust(bill::AdjustArguments),
    /// Record what is overdue at an instant, and charge late fees.
    Overdue(bill::OverdueArguments),
    /// Look at what open months come to so far.
    #[command(subcommand)]
    Bill(bill::account::BillCommand),
    /// Look at invoices, and take them through their review.
    #[command(subcommand)]
    Invoice(bill::InvoiceCommand),
    /// Record payments, what they settle, and what becomes of them.
    #[command(subcommand)]
    Payment(bill::account::PaymentCommand),
    /// Credit and debit notes.
    #[command(subcommand)]
    Note(bill::account::NoteCommand),
    /// Disputes of a line, from the customer's words to their end.
    #[command(subcommand)]
    Dispute(bill::account::DisputeCommand),
    /// Take over what a customer owed before this ledger began.
    Opening(bill::account::OpeningArguments),
    /// A customer's statement of account: what was booked, what is open, and how old it is.
    Statement(bill::account::StatementArguments),
    /// Write what was billed as files for finance, each with its control totals.
    Export(export::ExportArguments),
    /// Who is told of what the ledger decides, and how far they are.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Check everything that was named against the manifest, the tables, the archive and the log, and repair it.
    Scrub(audit::ScrubArguments),
    /// Seal days now, as the aggregator does by itself now and then: an invoice that is issued after it names the seals
    /// of its days, and few blocks beside them.
    Seal,
    /// By which rules the log is folded. An upgrade that changes them is switched on in the log, so that it replays
    /// as it ran.
    Rules {
        /// Switch all partitions to the rules of this version, once every aggregator knows them.
        #[arg(long)]
        switch: Option<u32>,
    },
    /// The alarm that stands while the conservation law is broken.
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    /// Build everything again from the log, from offset 0, in a second database, and compare the two.
    Replay(audit::ReplayArguments),
    /// Look at what was refused after it reached the log, and send it through the scale again.
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// A site's or the fleet's figures of a period: output, energy, uptime, cost, and its witnesses compared.
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Correct what was recorded: void an event, or put a meter's transformer ratio right.
    Correct(correct::CorrectArguments),
    /// Prove shares.
    #[command(subcommand)]
    Share(share::ShareCommand),
    /// Check contract documents, compare them, and try them out on past months.
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Record dated prices: spot power, hashprice, fixings.
    #[command(subcommand)]
    Prices(import::PricesCommand),
    /// Record opening balances: prepaid grants, deposits, past invoices.
    #[command(subcommand)]
    Balances(import::BalancesCommand),
    /// Send what pools, nodes, miners, schedulers and exporters say to ingest.
    Connect(connect::ConnectArguments),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TokenRole {
    Operator,
    Customer,
}

impl Arguments {
    pub(crate) fn log_format(&self) -> wb_observe::LogFormat {
        if self.log_json { wb_observe::LogFormat::Json } else { wb_observe::LogFormat::Text }
    }

    pub(crate) fn default_log_filter(&self) -> &'static str {
        match self.command {
            // librdkafka reports every lost connection as an error of its own, also at each shutdown;
            // what matters of it comes back as an error of the call that needed the connection.
            Command::Up | Command::Serve { .. } | Command::Connect(_) => "info,rdkafka=off,librdkafka=off",
            _ => "warn,rdkafka=off,librdkafka=off",
        }
    }

    /// What a child that runs another service of this installation is given.
    fn child_arguments(&self) -> Vec<OsString> {
        match &self.config {
            Some(path) => vec!["--config".into(), path.clone().into()],
            None => Vec::new(),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let child_arguments = arguments.child_arguments();
    if let Command::Share(command) = &arguments.command {
        return share::run(command);
    }
    if let Command::Invoice(bill::InvoiceCommand::Verify(verify)) = &arguments.command {
        return evidence::verify(verify);
    }
    if let Command::Connect(connect_arguments) = arguments.command {
        return connect::run(connect_arguments).await;
    }
    let load =
        |path: Option<&std::path::Path>| -> Result<Config> { Ok(Config::load(path, ProcessEnvironment)?) };
    // What needs no stack needs no configuration of one.
    let command = match arguments.command {
        Command::Contract(contract::ContractCommand::Check { files }) => return contract::check(&files),
        Command::Contract(contract::ContractCommand::Diff { left, right }) => {
            return contract::diff(|| load(arguments.config.as_deref()), &left, &right).await;
        }
        Command::Prices(command) => return import::prices(command).await.map(|()| ExitCode::SUCCESS),
        Command::Balances(command) => return import::balances(command).await.map(|()| ExitCode::SUCCESS),
        Command::Correct(correction) => return correct::run(correction).await.map(|()| ExitCode::SUCCESS),
        other => other,
    };
    let config = load(arguments.config.as_deref())?;
    match command {
        Command::Contract(contract::ContractCommand::Backtest(backtest)) => {
            contract::backtest(&config, &backtest).await?;
        }
        Command::Up => up::run(&config, &child_arguments).await?,
        Command::Serve { service: Service::Clickhouse, exit_with_stdin } => {
            let keys = Keys::open(&config.data_dir)?;
            backends::serve_engine(&config, &keys, end_signal(exit_with_stdin)?).await?;
        }
        Command::Serve { service, exit_with_stdin } => up::serve(&config, service, exit_with_stdin).await?,
        Command::Demo(demo_arguments) => return demo::run(config, &child_arguments, demo_arguments).await,
        Command::Token { role, customer, subject, minutes } => {
            let access = match (role, customer) {
                (TokenRole::Operator, _) => Access::Operator,
                (TokenRole::Customer, customer) => {
                    let id = customer.and_then(CustomerId::new).context("--customer: not a customer id")?;
                    Access::Customer(id)
                }
            };
            let issuer = Keys::open(&config.data_dir)?.issuer()?;
            let ttl = Duration::from_secs(minutes.saturating_mul(60));
            print(&issuer.issue(&Grant { subject, access }, ttl)?)?;
        }
        Command::SourceKey { id, roles } => {
            let key = wb_auth::GeneratedKey::random()?;
            let roles: Vec<String> = roles.iter().map(|role| format!("{role:?}")).collect();
            print(&format!("# the key, shown once: {}", key.key))?;
            print(&format!(
                "[[ingest.sources]]\nid = {id:?}\nkey_sha256_hex = {:?}\nroles = [{}]",
                key.key_sha256_hex,
                roles.join(", ")
            ))?;
        }
        Command::Close(close) => bill::close(&config, close).await?,
        Command::Adjust(adjust) => bill::adjust(&config, adjust).await?,
        Command::Overdue(overdue) => bill::overdue(&config, overdue).await?,
        Command::Payment(command) => bill::account::payment(&config, command).await?,
        Command::Note(command) => bill::account::note(&config, command).await?,
        Command::Dispute(command) => bill::account::dispute(&config, command).await?,
        Command::Opening(opening) => bill::account::opening(&config, opening).await?,
        Command::Bill(command) => bill::account::bill(&config, command).await?,
        Command::Statement(statement) => bill::account::statement(&config, statement).await?,
        Command::Export(arguments) => export::run(&config, arguments).await?,
        Command::Webhooks(command) => webhooks::run(&config, &command)?,
        Command::Invoice(command) => bill::run(&config, command).await?,
        Command::Seal => seal::run(&config).await?,
        Command::Rules { switch } => rules::run(&config, switch).await?,
        Command::Alarm(command) => return alarm::run(&config, command).await,
        Command::Scrub(scrub) => return audit::scrub(&config, &scrub).await,
        Command::Replay(replay) => return audit::replay(&config, &replay).await,
        Command::Quarantine(command) => quarantine::run(&config, command).await?,
        Command::Report(command) => report::run(&config, &command).await?,
        Command::Share(_)
        | Command::Connect(_)
        | Command::Correct(_)
        | Command::Contract(_)
        | Command::Prices(_)
        | Command::Balances(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}
