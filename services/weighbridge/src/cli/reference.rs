//! Generates the book's command reference from the command line.
//!
//! If WEIGHBRIDGE_DOCS_WRITE is set, writes the page; otherwise compares it.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::Arguments;

const HEAD: &str = "# Commands

<!-- Written by `make book` from the command line itself: change the doc comments in services/weighbridge. -->

Results go to standard output, everything else to standard error. `weighbridge help COMMAND` says the same as this page.
";

#[test]
fn the_page_of_commands_is_what_the_command_line_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/commands.md");
    let page = page();
    if std::env::var_os("WEIGHBRIDGE_DOCS_WRITE").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(page.lines()).position(|(written, said)| written != said);
    assert!(
        written == page,
        "docs/src/commands.md differs from the command line (from line {}): run `make book`",
        differs.unwrap_or(written.lines().count().min(page.lines().count())) + 1
    );
}

fn page() -> String {
    let mut root = Arguments::command();
    root.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Options of every command\n\n");
    let (global, _) = arguments(&root);
    page.push_str(&table(&global));
    for command in visible(&root) {
        section(&mut page, command, "weighbridge", 2);
    }
    page
}

/// The commands that help lists, in the same order.
fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn section(page: &mut String, command: &Command, parent: &str, level: usize) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let stop = if about.ends_with(['.', '?', '`']) { "" } else { "." };
    let _ = write!(page, "\n{} {name}\n\n{about}{stop}\n", "#".repeat(level));
    let mut inner = visible(command).peekable();
    let (_, own) = arguments(command);
    if inner.peek().is_none() {
        let usage = command.clone().render_usage().to_string();
        let _ = write!(page, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    }
    if !own.is_empty() {
        page.push('\n');
        page.push_str(&table(&own));
    }
    if let Some(needs) = command.get_after_help() {
        let _ = write!(page, "\n{needs}\n");
    }
    for command in inner {
        section(page, command, &name, level + 1);
    }
}

/// The global arguments, and the command's own.
fn arguments(command: &Command) -> (Vec<&Arg>, Vec<&Arg>) {
    let told = command.get_arguments().filter(|argument| {
        let asks_for_help =
            matches!(argument.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong);
        !argument.is_hide_set() && !asks_for_help && !matches!(argument.get_action(), ArgAction::Version)
    });
    told.partition(|argument| argument.is_global_set())
}

fn table(arguments: &[&Arg]) -> String {
    let mut table = "| Argument | Meaning |\n|---|---|\n".to_owned();
    for argument in arguments {
        let _ = writeln!(table, "| {} | {} |", spelled(argument), meaning(argument).replace('|', "\\|"));
    }
    table
}

fn spelled(argument: &Arg) -> String {
    let values: Vec<String> =
        argument.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
    let takes = argument.get_action().takes_values();
    let values = if takes { values.join(" ") } else { String::new() };
    let more = if matches!(argument.get_action(), ArgAction::Append) { "..." } else { "" };
    match argument.get_long() {
        Some(long) if values.is_empty() => format!("`--{long}`"),
        Some(long) => format!("`--{long} {values}`{more}"),
        None => format!("`{values}`{more}"),
    }
}

fn meaning(argument: &Arg) -> String {
    let mut parts = Vec::new();
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string);
    parts.extend(help.map(|help| help.split_whitespace().collect::<Vec<_>>().join(" ")));
    let takes = argument.get_action().takes_values();
    let choices: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|choice| takes && !choice.is_hide_set())
        .map(|choice| match choice.get_help() {
            Some(help) => format!("`{}` ({help})", choice.get_name()),
            None => format!("`{}`", choice.get_name()),
        })
        .collect();
    if !choices.is_empty() {
        parts.push(format!("One of {}", choices.join(", ")));
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if takes && defaults.iter().any(|value| !value.is_empty()) {
        parts.push(format!("Default: `{}`", defaults.join(" ")));
    }
    if let Some(variable) = argument.get_env() {
        parts.push(format!("Variable: `{}`", variable.to_string_lossy()));
    }
    if argument.is_required_set() {
        parts.push("Required".to_owned());
    }
    parts.iter().map(|part| part.trim_end_matches('.').to_owned() + ".").collect::<Vec<_>>().join(" ")
}
