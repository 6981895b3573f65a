//! Shared code of commands on the ledger: who signs, and the form of amounts and records.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use wb_billing::{Done, Signature};
use wb_ledger::{Amount, Command, Event, Total};
use wb_units::{Currency, Money};

use crate::console::print;
use crate::wiring::services::LiveBiller;

/// The author of a command if none is given.
pub(crate) const WHO: &str = "weighbridge-cli";

/// Who acts and why; both are recorded in the ledger.
#[derive(Debug, Args)]
pub(crate) struct Signed {
    /// Your name, for the record.
    #[arg(long, env = "USER")]
    pub(crate) who: String,
    /// The reason, for the record.
    #[arg(long)]
    pub(crate) why: String,
}

impl Signed {
    pub(crate) fn signature(&self) -> Signature {
        Signature { who: self.who.clone(), why: self.why.clone() }
    }
}

/// Amounts in all currencies, such as `12.50 USD, 0.00010000 BTC`; `0` if there are none.
pub(crate) fn amounts(totals: &[Total]) -> String {
    if totals.is_empty() {
        return "0".to_owned();
    }
    let each = totals.iter().map(|total| format!("{} {}", total.amount, total.currency));
    each.collect::<Vec<_>>().join(", ")
}

/// Executes a command on the ledger and prints the result.
pub(crate) async fn record(biller: &LiveBiller, command: &Command, signed: &Signed) -> Result<()> {
    told(&biller.act(command, &signed.signature()).await?)
}

pub(crate) fn told(done: &Done) -> Result<()> {
    match done {
        Done::Existed(id) => print(&format!("existed {id}")),
        Done::Recorded(events) if events.is_empty() => bail!("there is nothing to do"),
        Done::Recorded(events) => events.iter().try_for_each(|event| print(&recorded_line(event))),
    }
}

/// The kind of an event, its subject and its sums.
pub(crate) fn recorded_line(event: &Event) -> String {
    let (id, totals) = match event {
        Event::InvoiceIssued(invoice) => (invoice.number.as_str(), invoice.totals.as_slice()),
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => {
            (note.number.as_str(), note.totals.as_slice())
        }
        Event::PaymentReceived(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::PaymentAllocated(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::PaymentReversed(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::RefundPaid(refund) => (refund.refund_id.as_str(), &[][..]),
        Event::DisputeOpened(dispute) => (dispute.dispute_id.as_str(), &[][..]),
        other => (other.invoice_id().unwrap_or("-"), &[][..]),
    };
    let mut line = format!("{} {id} {}", event.kind(), event.customer_id());
    if !totals.is_empty() {
        line.push_str(&format!(" {}", amounts(totals)));
    }
    line
}

/// An amount and its currency.
#[derive(Debug, Args)]
pub(crate) struct AmountArguments {
    /// The amount, such as 1250.00.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) amount: String,
    /// The currency, such as USD.
    #[arg(long)]
    pub(crate) currency: String,
}

impl AmountArguments {
    pub(crate) fn amount(&self) -> Result<Amount> {
        amount(&self.amount, &self.currency)
    }
}

pub(crate) fn amount(text: &str, currency: &str) -> Result<Amount> {
    let currency = Currency::from_code(currency).context("--currency")?;
    let money = Money::parse(text, currency)
        .with_context(|| format!("{text:?} is not an amount of {}", currency.code()))?;
    Ok(Amount::new(money.minor, currency.code()))
}

pub(crate) fn assigned(text: &str, currency: &str) -> Result<(String, i128)> {
    let (name, text) = text.rsplit_once('=').with_context(|| format!("{text:?} is not name=amount"))?;
    Ok((name.to_owned(), amount(text, currency)?.amount_minor.0))
}
