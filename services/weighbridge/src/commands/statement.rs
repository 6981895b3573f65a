//! `weighbridge statement`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use wb_ledger::{Minor, Statement, money_text};
use wb_units::time::rfc3339;

use crate::commands::books::WHO;
use crate::commands::document::{self, Shape};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};
use crate::table::{Table, day};

#[derive(Debug, Args)]
pub(crate) struct StatementArguments {
    /// The customer's id.
    #[arg(long)]
    customer: String,
    /// The instant of the statement, such as 2026-11-30T00:00:00Z. By default now.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
    /// Only what is owed to this legal entity.
    #[arg(long)]
    legal_entity: Option<String>,
    /// Only what is owed in this currency.
    #[arg(long)]
    currency: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The language of a PDF or HTML, en or es. By default the customer's.
    #[arg(long)]
    language: Option<String>,
    /// The file to write. By default standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for people.
    Table,
    /// One row per entry.
    Csv,
    /// One JSON object a line, for each legal entity and currency.
    Json,
    /// A document of one legal entity and currency.
    Pdf,
    /// The same as one HTML file.
    Html,
}

impl Run for StatementArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        statement(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the statements of a customer, one for each legal entity and currency.
async fn statement(stack: &RunningStack, arguments: StatementArguments) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let at_us = arguments.at.map_or_else(|| biller.now_us(), jiff::Timestamp::as_microsecond);
    let mut statements = biller.statements(&arguments.customer, at_us).await?;
    if statements.is_empty() {
        // Nothing is booked for the customer, or there is no such customer.
        biller.check_customer(&arguments.customer).await?;
    }
    let is_wanted = |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|text| text == given);
    statements.retain(|statement| {
        is_wanted(&arguments.legal_entity, &statement.legal_entity)
            && is_wanted(&arguments.currency, &statement.currency)
    });
    let count = statements.len();
    let text = match arguments.format {
        Format::Table => statements.iter().map(text).collect::<Vec<_>>().join("\n\n"),
        Format::Csv => csv(&statements),
        Format::Json => {
            let lines = statements.iter().map(json).collect::<Result<Vec<_>>>()?;
            lines.join("\n")
        }
        Format::Pdf | Format::Html => {
            let shape = if arguments.format == Format::Pdf { Shape::Pdf } else { Shape::Html };
            let one = only(&statements)?;
            let (language, out) = (arguments.language.as_deref(), arguments.out.as_deref());
            let fonts_dir = &stack.config.documents.fonts_dir;
            return document::write_statement(&biller, fonts_dir, one, language, out, shape).await;
        }
    };
    match &arguments.out {
        Some(path) => std::fs::write(path, format!("{text}\n"))
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None if count > 0 => print(&text)?,
        None => {}
    }
    tell(&format!("{count} statements at {}", rfc3339(at_us)));
    Ok(())
}

/// The one statement of a document.
fn only(statements: &[Statement]) -> Result<&Statement> {
    match statements {
        [] => bail!("nothing was booked for this customer"),
        [one] => Ok(one),
        several => {
            let each = several.iter().map(|of| format!("{} {}", of.legal_entity, of.currency));
            bail!(
                "a document is of one legal entity and one currency, and there are {}; choose with --legal-entity \
                 and --currency",
                each.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// A statement as text.
fn text(statement: &Statement) -> String {
    let money = |minor: Minor| money_text(minor.0, &statement.currency);
    let mut entries = Table::new(&[
        ("date", false),
        ("entry", false),
        ("document", false),
        ("amount", true),
        ("balance", true),
    ]);
    for entry in &statement.entries {
        entries.row(vec![
            day(entry.at_us),
            entry.kind.replace('_', " "),
            entry.document.clone(),
            entry.amount.clone(),
            money(entry.balance_minor),
        ]);
    }
    let mut open = Table::new(&[("open document", false), ("due", false), ("open", true)]);
    for item in &statement.open_items {
        open.row(vec![item.number.clone(), item.due_us.map(day).unwrap_or_default(), item.open.clone()]);
    }
    let aged = &statement.ageing;
    let ageing = [
        ("not due", aged.current_minor),
        ("1-30 days", aged.days_1_30_minor),
        ("31-60", aged.days_31_60_minor),
        ("61-90", aged.days_61_90_minor),
        ("over 90", aged.days_over_90_minor),
    ];
    let ageing = ageing.iter().map(|(name, minor)| format!("{name} {}", money(*minor)));
    let mut lines = vec![
        format!(
            "{} to {}, {}, {}",
            statement.customer_id,
            statement.legal_entity,
            statement.currency,
            rfc3339(statement.at_us)
        ),
        entries.text(),
    ];
    if !statement.open_items.is_empty() {
        lines.push(open.text());
    }
    lines.push(format!("overdue: {}", ageing.collect::<Vec<_>>().join(", ")));
    lines.push(format!(
        "open {}, not allocated {}, balance {}, disputed {}, mined bitcoin owed to the customer {}",
        money(statement.receivable_minor),
        money(statement.unallocated_minor),
        money(statement.balance_minor),
        money(statement.disputed_minor),
        money(statement.mined_payable_minor)
    ));
    lines.join("\n")
}

/// The entries of statements as CSV.
fn csv(statements: &[Statement]) -> String {
    let mut table = Table::new(&[
        ("legal_entity", false),
        ("customer_id", false),
        ("currency", false),
        ("date", false),
        ("kind", false),
        ("document", false),
        ("amount", true),
        ("balance", true),
    ]);
    for statement in statements {
        for entry in &statement.entries {
            table.row(vec![
                statement.legal_entity.clone(),
                statement.customer_id.clone(),
                statement.currency.clone(),
                day(entry.at_us),
                entry.kind.to_owned(),
                entry.document.clone(),
                entry.amount.clone(),
                money_text(entry.balance_minor.0, &statement.currency),
            ]);
        }
    }
    table.csv()
}

/// A statement as JSON, with instants as text.
fn json(statement: &Statement) -> Result<String> {
    let value = serde_json::to_value(statement).context("the statement cannot be written")?;
    Ok(dated(value).to_string())
}

/// Replaces microseconds in fields such as `at_us` by ISO 8601 in a field `at`.
fn dated(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(dated).collect()),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| match name.strip_suffix("_us") {
                Some(short) => {
                    (short.to_owned(), value.as_i64().map_or(Value::Null, |us| rfc3339(us).into()))
                }
                None => (name, dated(value)),
            };
            Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use wb_ledger::{Amount, Command, OpeningKind, OpeningRecorded, State, decide};

    use super::*;

    fn statements() -> Vec<Statement> {
        let mut state = State::default();
        for (legal_entity, currency) in [("weigh", "USD"), ("weigh-eu", "EUR")] {
            let opening = OpeningRecorded {
                item_id: String::new(),
                kind: OpeningKind::Invoice,
                reference: "=OLD-1".to_owned(),
                legal_entity: legal_entity.to_owned(),
                customer_id: "acme".to_owned(),
                open: vec![Amount::new(12_345, currency)],
                issued_us: 1_790_812_800_000_000,
                due_us: Some(1_790_812_800_000_000),
                late_fee_ppm: 0,
            };
            for event in decide(&state, &Command::RecordOpening(opening)).unwrap() {
                state.apply(&event).unwrap();
            }
        }
        state.statements("acme", 1_791_000_000_000_000)
    }

    #[test]
    fn a_statement_has_days_and_one_legal_entity() {
        let all = statements();
        let shown = text(&all[0]);
        assert!(shown.contains("2026-10-01  opening recorded  =OLD-1    123.45   123.45"), "{shown}");
        assert!(shown.contains("overdue: not due 0.00, 1-30 days 123.45"), "{shown}");
        assert!(shown.starts_with("acme to weigh, USD, 2026-10-03T"), "{shown}");
        assert!(only(&all).unwrap_err().to_string().contains("weigh USD, weigh-eu EUR"));
        assert_eq!(only(&all[1..]).unwrap().currency, "EUR");
        let rows = csv(&all);
        let lines: Vec<&str> = rows.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "weigh-eu,acme,EUR,2026-10-01,opening_recorded,'=OLD-1,123.45,123.45");
        let object = json(&all[0]).unwrap();
        assert!(object.contains("\"due\":\"2026-10-01T00:00:00Z\"") && !object.contains("_us\""), "{object}");
    }
}
