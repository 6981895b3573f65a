//! `weighbridge payment`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use wb_ledger::{Allocation, Command, Minor, Payment, PaymentRequest, Settle, State, money_text};
use wb_units::time::rfc3339;

use crate::commands::books::{AmountArguments, Meant, Signed, WHO, assigned, record, resolve_invoice};
use crate::commands::{Run, RunningStack};
use crate::console::print;
use crate::table::{Table, day};

#[derive(Debug, Subcommand)]
pub(crate) enum PaymentCommand {
    /// List payments with id, reference, legal entity, customer, day, amount, what is not allocated yet, and state.
    List {
        /// List only this customer's payments.
        #[arg(long)]
        customer: Option<String>,
        /// List only payments that settle this invoice, given by its number or its id.
        #[arg(long)]
        invoice: Option<String>,
    },
    /// Show a payment and the invoices that it settles.
    Show {
        /// The payment's id or reference.
        id: String,
    },
    /// Record a payment.
    ///
    /// Repeating a command with the same reference has no effect.
    Record {
        /// The bank's reference or the transaction id. Each can be used once.
        #[arg(long)]
        reference: String,
        /// The issuer that received the payment.
        #[arg(long)]
        legal_entity: String,
        /// The customer that paid.
        #[arg(long)]
        customer: String,
        #[command(flatten)]
        amount: AmountArguments,
        /// When the payment arrived. By default now.
        #[arg(long)]
        received: Option<jiff::Timestamp>,
        #[command(flatten)]
        meant: Meant,
        /// An invoice that the payment settles, by its number or id, as invoice=amount. Can be repeated; settled in this
        /// order. By default
        /// the invoice due first.
        #[arg(long = "settle")]
        settle: Vec<String>,
        /// Settle no invoice yet.
        #[arg(long, conflicts_with = "settle")]
        keep: bool,
        #[command(flatten)]
        signed: Signed,
    },
    /// Settle invoices with the rest of a payment.
    Allocate {
        /// The payment's id or reference.
        id: String,
        /// An invoice to settle, by its number or id, as invoice=amount. Can be repeated. By default the invoice due first.
        #[arg(long = "settle")]
        settle: Vec<String>,
        #[command(flatten)]
        signed: Signed,
    },
    /// Release a payment, or parts of it, from the invoices that it settles.
    ///
    /// This takes an allocation back. What is released can be allocated again or refunded.
    Release {
        /// The payment's id.
        id: String,
        /// An invoice and how much of it the payment no longer settles, as invoice=amount. Can be repeated. By default
        /// all.
        #[arg(long = "from")]
        from: Vec<String>,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record that a refund came back.
    ReverseRefund {
        /// The refund's id.
        id: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Reverse a bounced payment. All invoices that it settled are open again.
    Reverse {
        /// The payment's id or reference.
        id: String,
        #[command(flatten)]
        signed: Signed,
    },
    /// Record a refund of a payment or of a part of it.
    Refund {
        /// The payment's id or reference.
        id: String,
        /// The reference of the refund. Each can be used once.
        #[arg(long)]
        reference: String,
        #[command(flatten)]
        amount: AmountArguments,
        #[command(flatten)]
        signed: Signed,
    },
}

/// Parses `invoice=amount` texts; without any, invoices due first are settled first.
fn settle(state: &State, texts: &[String], currency: &str) -> Result<Settle> {
    if texts.is_empty() {
        return Ok(Settle::OldestFirst);
    }
    Ok(Settle::Given(allocations(state, texts, currency)?))
}

fn allocations(state: &State, texts: &[String], currency: &str) -> Result<Vec<Allocation>> {
    let each = texts.iter().map(|text| {
        let (invoice, minor) = assigned(text, currency)?;
        Ok(Allocation { invoice_id: resolve_invoice(state, &invoice)?, amount_minor: Minor(minor) })
    });
    each.collect()
}

/// The payment of an id or a reference.
fn resolve_payment<'a>(state: &'a State, name: &str) -> Result<&'a Payment> {
    if let Some(payment) = state.payment(name) {
        return Ok(payment);
    }
    let found: Vec<&Payment> = state.payments().filter(|payment| payment.reference == name).collect();
    match found.as_slice() {
        [] => bail!("the ledger has no payment {name}; `weighbridge payment list` lists them"),
        [payment] => Ok(payment),
        several => {
            let ids: Vec<&str> = several.iter().map(|payment| payment.payment_id.as_str()).collect();
            bail!("{name} is the reference of {}; give one of these ids", ids.join(" and "))
        }
    }
}

/// What became of a payment.
fn outcome(payment: &Payment) -> &'static str {
    match payment.left_minor() {
        _ if payment.reversed => "reversed",
        0 => "allocated",
        _ if payment.allocated.is_empty() => "unallocated",
        _ => "partly allocated",
    }
}

/// Payments in order of arrival, then of id.
fn list(state: &State, customer: Option<&str>, invoice: Option<&str>) -> Result<Table> {
    let invoice = invoice.map(|name| resolve_invoice(state, name)).transpose()?;
    let mut payments: Vec<&Payment> = state
        .payments()
        .filter(|payment| customer.is_none_or(|id| id == payment.customer_id))
        .filter(|payment| invoice.as_ref().is_none_or(|id| payment.allocated.contains_key(id)))
        .collect();
    payments.sort_by_key(|payment| (payment.received_us, &payment.payment_id));
    let mut table = Table::new(&[
        ("id", false),
        ("reference", false),
        ("legal entity", false),
        ("customer", false),
        ("received", false),
        ("amount", true),
        ("unallocated", true),
        ("currency", false),
        ("state", false),
    ]);
    for payment in payments {
        let currency = &payment.amount.currency;
        table.row(vec![
            payment.payment_id.clone(),
            payment.reference.clone(),
            payment.legal_entity.clone(),
            payment.customer_id.clone(),
            day(payment.received_us),
            payment.amount.text(),
            money_text(payment.left_minor(), currency),
            currency.clone(),
            outcome(payment).to_owned(),
        ]);
    }
    Ok(table)
}

/// A payment, one fact a line, and the invoices that it settles.
fn show(state: &State, payment: &Payment) -> String {
    let currency = &payment.amount.currency;
    let money = |minor| format!("{} {currency}", money_text(minor, currency));
    let mut lines = vec![
        format!("payment       {}", payment.payment_id),
        format!("reference     {}", payment.reference),
        format!("legal entity  {}", payment.legal_entity),
        format!("customer      {}", payment.customer_id),
        format!("received      {}", rfc3339(payment.received_us)),
        format!("amount        {}", money(payment.amount.amount_minor.0)),
        format!("refunded      {}", money(payment.refunded_minor)),
        format!("unallocated   {}", money(payment.left_minor())),
        format!("state         {}", outcome(payment)),
    ];
    for (invoice_id, minor) in &payment.allocated {
        let number = state.item(invoice_id).map_or("-", |item| item.number.as_str());
        lines.push(format!("settles       {number} ({invoice_id}) {}", money(*minor)));
    }
    lines.join("\n")
}

impl Run for PaymentCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        payment(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Executes the command.
async fn payment(stack: &RunningStack, command: PaymentCommand) -> Result<()> {
    let biller = stack.connect().await?.biller(WHO).await?;
    let now_us = biller.now_us();
    let state = biller.state().await?;
    match command {
        PaymentCommand::List { customer, invoice } => {
            print(&list(&state, customer.as_deref(), invoice.as_deref())?.text())
        }
        PaymentCommand::Show { id } => print(&show(&state, resolve_payment(&state, &id)?)),
        PaymentCommand::Record {
            reference,
            legal_entity,
            customer,
            amount,
            received,
            meant,
            settle: given,
            keep,
            signed,
        } => {
            let settles = if keep { Settle::Nothing } else { settle(&state, &given, &amount.currency)? };
            let received_us = meant.date(&biller, received, Some(&customer)).await?;
            let request = PaymentRequest {
                reference,
                legal_entity,
                customer_id: customer,
                amount: amount.amount()?,
                received_us,
                settle: settles,
            };
            record(&biller, &Command::ReceivePayment(request), &signed).await
        }
        PaymentCommand::Allocate { id, settle: given, signed } => {
            let payment = resolve_payment(&state, &id)?;
            let settle = settle(&state, &given, &payment.amount.currency)?;
            let payment_id = payment.payment_id.clone();
            record(&biller, &Command::Allocate { payment_id, settle, at_us: now_us }, &signed).await
        }
        PaymentCommand::Release { id, from, signed } => {
            let payment = resolve_payment(&state, &id)?;
            let allocations = allocations(&state, &from, &payment.amount.currency)?;
            let payment_id = payment.payment_id.clone();
            let release = Command::Release { payment_id, allocations, at_us: now_us };
            record(&biller, &release, &signed).await
        }
        PaymentCommand::ReverseRefund { id, signed } => {
            record(&biller, &Command::ReverseRefund { refund_id: id, at_us: now_us }, &signed).await
        }
        PaymentCommand::Reverse { id, signed } => {
            let payment_id = resolve_payment(&state, &id)?.payment_id.clone();
            record(&biller, &Command::Reverse { payment_id, at_us: now_us }, &signed).await
        }
        PaymentCommand::Refund { id, reference, amount, signed } => {
            let amount = amount.amount()?;
            let payment = resolve_payment(&state, &id)?;
            if payment.amount.currency != amount.currency {
                bail!("a refund must have the currency of its payment");
            }
            let (payment_id, amount_minor) = (payment.payment_id.clone(), amount.amount_minor.0);
            let refund = Command::Refund { payment_id, reference, amount_minor, at_us: now_us };
            record(&biller, &refund, &signed).await
        }
    }
}

#[cfg(test)]
mod tests {
    use wb_ledger::{Amount, OpeningKind, OpeningRecorded, decide};

    use super::*;

    /// 100.00 owed, and a payment of 60.00 of which 40.00 are allocated.
    fn state() -> State {
        let opening = OpeningRecorded {
            item_id: String::new(),
            kind: OpeningKind::Invoice,
            reference: "WEI-000001".to_owned(),
            legal_entity: "weigh".to_owned(),
            customer_id: "acme".to_owned(),
            open: vec![Amount::new(10_000, "USD")],
            issued_us: 0,
            due_us: None,
            late_fee_ppm: 0,
        };
        let mut state = State::default();
        let mut act = |command: Command| {
            for event in decide(&state, &command).unwrap() {
                state.apply(&event).unwrap();
            }
            state.clone()
        };
        let state = act(Command::RecordOpening(opening));
        let settles = settle(&state, &["WEI-000001=40.00".to_owned()], "USD").unwrap();
        act(Command::ReceivePayment(PaymentRequest {
            reference: "wire 7".to_owned(),
            legal_entity: "weigh".to_owned(),
            customer_id: "acme".to_owned(),
            amount: Amount::new(6_000, "USD"),
            received_us: 1_790_812_800_000_000,
            settle: settles,
        }))
    }

    #[test]
    fn payments_are_listed_by_customer_and_by_number_of_invoice() {
        let state = state();
        for (customer, invoice) in [(None, None), (Some("acme"), None), (None, Some("WEI-000001"))] {
            let text = list(&state, customer, invoice).unwrap().text();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert!(lines[1].contains("wire 7") && lines[1].contains("2026-10-01"), "{text}");
            assert!(lines[1].ends_with("60.00        20.00  USD       partly allocated"), "{text}");
        }
        assert_eq!(list(&state, Some("other"), None).unwrap().text().lines().count(), 1);
    }

    #[test]
    fn a_payment_is_shown_by_its_reference() {
        let state = state();
        let payment = resolve_payment(&state, "wire 7").unwrap();
        let text = show(&state, payment);
        assert!(text.contains("unallocated   20.00 USD"), "{text}");
        assert!(text.contains("settles       WEI-000001 (open_"), "{text}");
        assert_eq!(resolve_payment(&state, &payment.payment_id).unwrap(), payment);
        assert!(resolve_payment(&state, "wire 8").unwrap_err().to_string().contains("no payment wire 8"));
    }
}
