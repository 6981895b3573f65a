//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::StyledStr;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

#[cfg(feature = "demo")]
use crate::commands::demo;
use crate::commands::{
    Installation, adjust, alarm, balances, bill, close, connect, contract, correct, dispute, explain, export,
    invoice, needs_of, note, opening, overdue, payment, prices, quarantine, replay, report, rules, run,
    scrub, seal, serve, share, source_key, statement, token, up, webhooks,
};

#[cfg(test)]
mod book;
#[cfg(test)]
mod reference;

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
    #[command(after_help = needs_of::<up::UpArguments>())]
    Up(up::UpArguments),
    /// Run one service alone, on backends that run already.
    #[command(after_help = needs_of::<serve::ServeArguments>())]
    Serve(serve::ServeArguments),
    /// Start everything and run the demonstration through it.
    #[cfg(feature = "demo")]
    #[command(after_help = needs_of::<demo::DemoArguments>())]
    Demo(demo::DemoArguments),
    /// Issue a token for the API, signed with this installation's development keys.
    #[command(after_help = needs_of::<token::TokenArguments>())]
    Token(token::TokenArguments),
    /// Draw an API key for a source, and print its line for the configuration.
    #[command(after_help = needs_of::<source_key::SourceKeyArguments>())]
    SourceKey(source_key::SourceKeyArguments),
    /// Close a month and issue its invoices.
    #[command(after_help = needs_of::<close::CloseArguments>())]
    Close(close::CloseArguments),
    /// Bill what came late for a closed month: credit and debit notes of its invoices.
    #[command(after_help = needs_of::<adjust::AdjustArguments>())]
    Adjust(adjust::AdjustArguments),
    /// Record what is overdue at an instant, and charge late fees.
    #[command(after_help = needs_of::<overdue::OverdueArguments>())]
    Overdue(overdue::OverdueArguments),
    /// Look at what open months come to so far.
    #[command(subcommand, after_help = needs_of::<bill::BillCommand>())]
    Bill(bill::BillCommand),
    /// Look at invoices, and take them through their review.
    #[command(subcommand, after_help = needs_of::<invoice::LedgerInvoiceCommand>())]
    Invoice(invoice::InvoiceCommand),
    /// Record payments, what they settle, and what becomes of them.
    #[command(subcommand, after_help = needs_of::<payment::PaymentCommand>())]
    Payment(payment::PaymentCommand),
    /// Credit and debit notes.
    #[command(subcommand, after_help = needs_of::<note::NoteCommand>())]
    Note(note::NoteCommand),
    /// Disputes of a line, from the customer's words to their end.
    #[command(subcommand, after_help = needs_of::<dispute::DisputeCommand>())]
    Dispute(dispute::DisputeCommand),
    /// Take over what a customer owed before this ledger began.
    #[command(after_help = needs_of::<opening::OpeningArguments>())]
    Opening(opening::OpeningArguments),
    /// A customer's statement of account: what was booked, what is open, and how old it is.
    #[command(after_help = needs_of::<statement::StatementArguments>())]
    Statement(statement::StatementArguments),
    /// Write what was billed as files for finance, each with its control totals.
    #[command(after_help = needs_of::<export::ExportArguments>())]
    Export(export::ExportArguments),
    /// Who is told of what the ledger decides, and how far they are.
    #[command(subcommand, after_help = needs_of::<webhooks::WebhooksCommand>())]
    Webhooks(webhooks::WebhooksCommand),
    /// Check everything that was committed against the manifest, the tables, the archive and the log, and repair it.
    #[command(after_help = needs_of::<scrub::ScrubArguments>())]
    Scrub(scrub::ScrubArguments),
    /// Seal days now, as the aggregator does by itself now and then: an invoice that is issued after it names the seals
    /// of its days, and few blocks beside them.
    #[command(after_help = needs_of::<seal::SealArguments>())]
    Seal(seal::SealArguments),
    /// By which rules the log is folded. An upgrade that changes them is switched on in the log, so that it replays
    /// as it ran.
    #[command(after_help = needs_of::<rules::RulesArguments>())]
    Rules(rules::RulesArguments),
    /// The alarm that stands while the conservation law is broken.
    #[command(subcommand, after_help = needs_of::<alarm::AlarmCommand>())]
    Alarm(alarm::AlarmCommand),
    /// Build everything again from the log, from offset 0, in a second database, and compare the two.
    #[command(after_help = needs_of::<replay::ReplayArguments>())]
    Replay(replay::ReplayArguments),
    /// Look at what was refused after it reached the log, and send it through the fold again.
    #[command(subcommand, after_help = needs_of::<quarantine::QuarantineCommand>())]
    Quarantine(quarantine::QuarantineCommand),
    /// A site's or the fleet's figures of a period: output, energy, uptime, cost, and its witnesses compared.
    #[command(subcommand, after_help = needs_of::<report::ReportCommand>())]
    Report(report::ReportCommand),
    /// Correct what was recorded: void an event, or put a meter's transformer ratio right.
    #[command(after_help = needs_of::<correct::CorrectArguments>())]
    Correct(correct::CorrectArguments),
    /// Prove shares.
    #[command(subcommand, after_help = needs_of::<share::ShareCommand>())]
    Share(share::ShareCommand),
    /// Check contract documents, compare them, and try them out on past months.
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Record dated prices: spot power, hashprice, fixings.
    #[command(subcommand, after_help = needs_of::<prices::PricesCommand>())]
    Prices(prices::PricesCommand),
    /// Record opening balances: prepaid grants, deposits, past invoices.
    #[command(subcommand, after_help = needs_of::<balances::BalancesCommand>())]
    Balances(balances::BalancesCommand),
    /// Send what pools, nodes, miners, schedulers and exporters say to ingest.
    #[command(after_help = needs_of::<connect::ConnectArguments>())]
    Connect(connect::ConnectArguments),
    /// What an error code means, why it comes about, and what to do.
    #[command(after_help = needs_of::<explain::ExplainArguments>())]
    Explain(explain::ExplainArguments),
}

impl Arguments {
    /// The command line of this process; help and mistakes are told by ending it.
    pub(crate) fn of_process() -> Self {
        let matches = command().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    pub(crate) fn log_format(&self) -> wb_observe::LogFormat {
        if self.log_json { wb_observe::LogFormat::Json } else { wb_observe::LogFormat::Text }
    }

    pub(crate) fn default_log_filter(&self) -> &'static str {
        match self.command {
            // librdkafka reports every lost connection as an error of its own, also at each shutdown;
            // what matters of it comes back as an error of the call that needed the connection.
            Command::Up(_) | Command::Serve(_) | Command::Connect(_) => "info,rdkafka=off,librdkafka=off",
            _ => "warn,rdkafka=off,librdkafka=off",
        }
    }
}

/// The whole command line. A command of a group tells what it needs as its group does, unless it says so itself.
pub(crate) fn command() -> clap::Command {
    tell_needs(Arguments::command(), None)
}

fn tell_needs(command: clap::Command, of_group: Option<StyledStr>) -> clap::Command {
    let needs = command.get_after_help().cloned().or(of_group);
    let command = match &needs {
        Some(needs) => command.after_help(needs.clone()),
        None => command,
    };
    command.mut_subcommands(|below| tell_needs(below, needs.clone()))
}

/// Runs the command.
pub(crate) async fn dispatch(arguments: Arguments) -> Result<ExitCode> {
    let installation = Installation { config_file: arguments.config };
    match arguments.command {
        Command::Up(command) => run(command, installation).await,
        Command::Serve(command) => run(command, installation).await,
        #[cfg(feature = "demo")]
        Command::Demo(command) => run(command, installation).await,
        Command::Token(command) => run(command, installation).await,
        Command::SourceKey(command) => run(command, installation).await,
        Command::Close(command) => run(command, installation).await,
        Command::Adjust(command) => run(command, installation).await,
        Command::Overdue(command) => run(command, installation).await,
        Command::Bill(command) => run(command, installation).await,
        Command::Invoice(command) => match command {
            invoice::InvoiceCommand::OfLedger(command) => run(command, installation).await,
            invoice::InvoiceCommand::Bundle(command) => run(command, installation).await,
            invoice::InvoiceCommand::Verify(command) => run(command, installation).await,
        },
        Command::Payment(command) => run(command, installation).await,
        Command::Note(command) => run(command, installation).await,
        Command::Dispute(command) => run(command, installation).await,
        Command::Opening(command) => run(command, installation).await,
        Command::Statement(command) => run(command, installation).await,
        Command::Export(command) => run(command, installation).await,
        Command::Webhooks(command) => run(command, installation).await,
        Command::Scrub(command) => run(command, installation).await,
        Command::Seal(command) => run(command, installation).await,
        Command::Rules(command) => run(command, installation).await,
        Command::Alarm(command) => run(command, installation).await,
        Command::Replay(command) => run(command, installation).await,
        Command::Quarantine(command) => run(command, installation).await,
        Command::Report(command) => run(command, installation).await,
        Command::Correct(command) => run(command, installation).await,
        Command::Share(command) => run(command, installation).await,
        Command::Contract(command) => match command {
            contract::ContractCommand::Check(command) => run(command, installation).await,
            contract::ContractCommand::Diff(command) => run(command, installation).await,
            contract::ContractCommand::Backtest(command) => run(command, installation).await,
        },
        Command::Prices(command) => run(command, installation).await,
        Command::Balances(command) => run(command, installation).await,
        Command::Connect(command) => run(command, installation).await,
        Command::Explain(command) => run(command, installation).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::evidence;

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, Option<String>)>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_subcommands().next().is_none() {
            found.push((path, command.get_after_help().map(ToString::to_string)));
            return;
        }
        for below in command.get_subcommands() {
            leaves(below, &path, found);
        }
    }

    #[test]
    fn every_command_tells_what_it_needs() {
        let whole = command();
        whole.clone().debug_assert();
        let mut found = Vec::new();
        leaves(&whole, "", &mut found);
        assert!(found.len() > 40, "{} commands", found.len());
        let silent: Vec<_> = found
            .iter()
            .filter(|(_, needs)| !needs.as_deref().is_some_and(|needs| needs.starts_with("Needs ")))
            .collect();
        assert!(silent.is_empty(), "{silent:?}");
        let told = |path: &str| found.iter().find(|(at, _)| at == path).and_then(|(_, needs)| needs.clone());
        for (path, needs) in [
            (" weighbridge close", needs_of::<close::CloseArguments>()),
            (" weighbridge payment record", needs_of::<payment::PaymentCommand>()),
            (" weighbridge invoice show", needs_of::<invoice::LedgerInvoiceCommand>()),
            (" weighbridge invoice verify", needs_of::<evidence::VerifyArguments>()),
            (" weighbridge contract check", needs_of::<contract::CheckArguments>()),
        ] {
            assert_eq!(told(path).as_deref(), Some(needs), "{path}");
        }
    }
}
