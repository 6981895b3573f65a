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
    import, invoice, needs_of, note, opening, overdue, payment, prices, quarantine, references, replay,
    report, rules, run, scrub, seal, serve, share, source_key, statement, token, up, usage, webhooks,
};

#[cfg(test)]
mod book;
#[cfg(test)]
mod reference;

/// Meter, prove and bill bitcoin hashrate, energy and GPU hours.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The configuration file. Without it, defaults and environment variables apply.
    #[arg(long, global = true, env = "WEIGHBRIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Write logs as JSON lines.
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
    /// Run one service, on backends that are already running.
    #[command(after_help = needs_of::<serve::ServeArguments>())]
    Serve(serve::ServeArguments),
    /// Start everything on this machine and run the demonstration.
    #[cfg(feature = "demo")]
    #[command(after_help = needs_of::<demo::DemoArguments>())]
    Demo(demo::DemoArguments),
    /// Issue an API token, signed with the development keys of this installation.
    #[command(after_help = needs_of::<token::TokenArguments>())]
    Token(token::TokenArguments),
    /// Create an API key for a source and print its configuration entry.
    #[command(after_help = needs_of::<source_key::SourceKeyArguments>())]
    SourceKey(source_key::SourceKeyArguments),
    /// Close a month and issue its invoices.
    #[command(after_help = needs_of::<close::CloseArguments>())]
    Close(close::CloseArguments),
    /// Bill late events of a closed month, with credit and debit notes to its invoices.
    #[command(after_help = needs_of::<adjust::AdjustArguments>())]
    Adjust(adjust::AdjustArguments),
    /// Record overdue invoices and charge late fees.
    #[command(after_help = needs_of::<overdue::OverdueArguments>())]
    Overdue(overdue::OverdueArguments),
    /// Show running bills of open months.
    #[command(subcommand, after_help = needs_of::<bill::BillCommand>())]
    Bill(bill::BillCommand),
    /// Show invoices and review drafts.
    #[command(subcommand, after_help = needs_of::<invoice::LedgerInvoiceCommand>())]
    Invoice(invoice::InvoiceCommand),
    /// Record payments, and allocate, reverse or refund them.
    #[command(subcommand, after_help = needs_of::<payment::PaymentCommand>())]
    Payment(payment::PaymentCommand),
    /// Show and issue credit and debit notes.
    #[command(subcommand, after_help = needs_of::<note::NoteCommand>())]
    Note(note::NoteCommand),
    /// Record, answer and resolve disputes of invoice lines.
    #[command(subcommand, after_help = needs_of::<dispute::DisputeCommand>())]
    Dispute(dispute::DisputeCommand),
    /// Record what a customer owed before this ledger began.
    #[command(after_help = needs_of::<opening::OpeningArguments>())]
    Opening(opening::OpeningArguments),
    /// Print a customer's statement of account: bookings, open items and their age.
    #[command(after_help = needs_of::<statement::StatementArguments>())]
    Statement(statement::StatementArguments),
    /// Export billing data to files for finance, with control totals.
    #[command(after_help = needs_of::<export::ExportArguments>())]
    Export(export::ExportArguments),
    /// Show and control webhook deliveries.
    #[command(subcommand, after_help = needs_of::<webhooks::WebhooksCommand>())]
    Webhooks(webhooks::WebhooksCommand),
    /// Check everything that was committed against the manifest, the tables, the archive and the log.
    ///
    /// With --repair, also repair what can be repaired.
    #[command(after_help = needs_of::<scrub::ScrubArguments>())]
    Scrub(scrub::ScrubArguments),
    /// Seal days now.
    ///
    /// The aggregator seals days at intervals by itself. An invoice issued right after a seal lists the seals of its
    /// days and few single blocks.
    #[command(after_help = needs_of::<seal::SealArguments>())]
    Seal(seal::SealArguments),
    /// Show or switch the rules by which the log is folded.
    ///
    /// A record in the log switches the rules, so a replay folds every block as it was folded first.
    #[command(after_help = needs_of::<rules::RulesArguments>())]
    Rules(rules::RulesArguments),
    /// Show or clear the alarm.
    ///
    /// An alarm is raised when figures contradict each other. While it is set, nothing is committed or billed.
    #[command(subcommand, after_help = needs_of::<alarm::AlarmCommand>())]
    Alarm(alarm::AlarmCommand),
    /// Rebuild everything from the log in a second database, and compare the two.
    #[command(after_help = needs_of::<replay::ReplayArguments>())]
    Replay(replay::ReplayArguments),
    /// Show quarantined events and re-drive them.
    ///
    /// The quarantine holds events that were refused after they reached the log.
    #[command(subcommand, after_help = needs_of::<quarantine::QuarantineCommand>())]
    Quarantine(quarantine::QuarantineCommand),
    /// Report the figures of a site or of the fleet for a period.
    ///
    /// A report shows output, energy, uptime and cost, and compares the witnesses.
    #[command(subcommand, after_help = needs_of::<report::ReportCommand>())]
    Report(report::ReportCommand),
    /// Correct recorded events: void an event, or correct a meter's transformer ratio.
    #[command(after_help = needs_of::<correct::CorrectArguments>())]
    Correct(correct::CorrectArguments),
    /// Verify shares.
    #[command(subcommand, after_help = needs_of::<share::ShareCommand>())]
    Share(share::ShareCommand),
    /// Check, compare and register contract documents, or try one out on a past month.
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// List facts that refer to something unknown. The exit code is 1 if there are any.
    ///
    /// Facts may come in any order, so a fact whose site, machine or contract comes later is taken, and listed until
    /// that comes.
    #[command(after_help = needs_of::<references::ReferencesArguments>())]
    References(references::ReferencesArguments),
    /// Record facts from files: sites, machines, customers, contracts and all other kinds.
    ///
    /// A file is CSV, TOML or JSON. Its fields are those of the facts, and entity, valid_from and valid_to; the name of
    /// the file, such as machines.csv, or a field fact says the kind. A contract is its document, in a file of its own.
    /// Every mistake of every file is printed with file, line and field; with one mistake nothing is sent. What is
    /// recorded already is not sent again.
    #[command(after_help = needs_of::<import::ImportArguments>())]
    Import(import::ImportArguments),
    /// Show where everything accepted of a month is: billed, covered by a reservation, excluded with the reason, or in
    /// suspense.
    ///
    /// Each quantity of work, energy and GPU time is in one place. A contract's month is that of its time zone.
    #[command(after_help = needs_of::<usage::UsageArguments>())]
    Usage(usage::UsageArguments),
    /// Record dated prices: spot power, hashprice, fixings.
    #[command(subcommand, after_help = needs_of::<prices::PricesCommand>())]
    Prices(prices::PricesCommand),
    /// Record opening balances: prepaid grants, deposits and past invoices.
    #[command(subcommand, after_help = needs_of::<balances::BalancesCommand>())]
    Balances(balances::BalancesCommand),
    /// Read a foreign system and send events for it to ingest.
    ///
    /// Connectors exist for pools, nodes, miners, schedulers and GPU exporters.
    #[command(after_help = needs_of::<connect::ConnectArguments>())]
    Connect(connect::ConnectArguments),
    /// Explain an error code: what it means, why it occurs, and what to do.
    #[command(after_help = needs_of::<explain::ExplainArguments>())]
    Explain(explain::ExplainArguments),
}

impl Arguments {
    /// Parses the command line. For help and for errors the process ends here.
    pub(crate) fn of_process() -> Self {
        let matches = command().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    pub(crate) fn log_format(&self) -> wb_observe::LogFormat {
        if self.log_json { wb_observe::LogFormat::Json } else { wb_observe::LogFormat::Text }
    }

    pub(crate) fn default_log_filter(&self) -> &'static str {
        match self.command {
            // librdkafka logs every lost connection as an error, also at each shutdown. The call that needed the
            // connection returns an error anyway.
            Command::Up(_) | Command::Serve(_) | Command::Connect(_) => "info,rdkafka=off,librdkafka=off",
            _ => "warn,rdkafka=off,librdkafka=off",
        }
    }
}

/// The whole command line. A subcommand without its own `Needs` text gets that of its group.
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
            contract::ContractCommand::Register(command) => run(command, installation).await,
            contract::ContractCommand::Withdraw(command) => run(command, installation).await,
            contract::ContractCommand::List(command) => run(command, installation).await,
            contract::ContractCommand::Show(command) => run(command, installation).await,
            contract::ContractCommand::History(command) => run(command, installation).await,
        },
        Command::References(command) => run(command, installation).await,
        Command::Import(command) => run(command, installation).await,
        Command::Usage(command) => run(command, installation).await,
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
