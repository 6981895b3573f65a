//! Shared code of commands on the ledger: who signs, and the form of amounts and records.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use wb_billing::{Done, GivenDate, Signature};
use wb_ledger::{Amount, Command, Event, State, Total};
use wb_units::{Currency, Money};

use crate::console::{print, tell};
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

/// How an act that may touch several customers is confirmed.
#[derive(Debug, Args)]
pub(crate) struct Confirmed {
    /// Show what would be recorded, and record nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Record without asking.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}

/// An act on several customers that nobody can confirm.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
#[code("WB-6302")]
#[error(
    "this would touch {customers} customers, and nobody can be asked here, because standard input is no terminal; \
     look at it with --dry-run, and give --yes to record it"
)]
struct Unconfirmed {
    customers: usize,
}

/// The customers that an act would touch, and what it comes to.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    customers: BTreeSet<String>,
    records: usize,
    totals: BTreeMap<String, i128>,
}

impl Summary {
    pub(crate) fn add(&mut self, customer_id: &str, totals: &[Total]) {
        self.customers.insert(customer_id.to_owned());
        self.records += 1;
        for total in totals {
            *self.totals.entry(total.currency.clone()).or_default() +=
                total.amount_minor.parse::<i128>().unwrap_or(0);
        }
    }

    fn text(&self) -> String {
        let each = self.totals.iter().filter(|(_, minor)| **minor != 0);
        let each: Vec<_> = each
            .map(|(currency, minor)| format!("{} {currency}", Amount::new(*minor, currency).text()))
            .collect();
        let sums = if each.is_empty() { "0".to_owned() } else { each.join(", ") };
        format!("{} records for {} customers, together {sums}", self.records, self.customers.len())
    }
}

impl Confirmed {
    /// Tells the summary of what would be recorded. Returns whether it is to be recorded: not in a dry run, and where
    /// several customers are touched only with `--yes` or after a yes at the terminal.
    pub(crate) fn proceeds(&self, summary: &Summary) -> Result<bool> {
        if self.dry_run {
            tell(&format!("{}; nothing was recorded", summary.text()));
            return Ok(false);
        }
        let customers = summary.customers.len();
        if self.yes || customers < 2 {
            return Ok(true);
        }
        let input = std::io::stdin();
        if !input.is_terminal() {
            return Err(Unconfirmed { customers }.into());
        }
        tell(&format!("{}. Record it? [yes/no]", summary.text()));
        let mut answer = String::new();
        input.read_line(&mut answer).context("the answer cannot be read")?;
        let is_yes = answer.trim() == "yes";
        if !is_yes {
            tell("nothing was recorded");
        }
        Ok(is_yes)
    }
}

/// What is meant by a date that is unusual.
#[derive(Debug, Args)]
pub(crate) struct Meant {
    /// The date is in the future on purpose.
    #[arg(long)]
    future_date_is_meant: bool,
    /// The date is in a closed month on purpose.
    #[arg(long)]
    closed_month_is_meant: bool,
}

impl Meant {
    /// The date of an act: the given one if it may be, or the present.
    pub(crate) async fn date(
        &self,
        biller: &LiveBiller,
        at: Option<jiff::Timestamp>,
        customer: Option<&str>,
    ) -> Result<i64> {
        let given = GivenDate {
            at_us: at.map(jiff::Timestamp::as_microsecond),
            customer,
            future_is_meant: self.future_date_is_meant,
            closed_is_meant: self.closed_month_is_meant,
        };
        Ok(biller.date(given).await?)
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
        Done::Recorded(events) => events.iter().try_for_each(told_event),
    }
}

/// Prints an event, and what it does to payments.
fn told_event(event: &Event) -> Result<()> {
    print(&recorded_line(event))?;
    let (freed, settled) = match event {
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => {
            (note.released.as_slice(), note.settled.as_slice())
        }
        Event::InvoiceIssued(invoice) => (&[][..], invoice.settled.as_slice()),
        _ => return Ok(()),
    };
    for (what, parts) in [("unallocated", freed), ("settled-by", settled)] {
        for part in parts {
            let amount = Amount { amount_minor: part.amount_minor, currency: part.currency.clone() };
            print(&format!("{what} {} {} {}", part.payment_id, amount.text(), amount.currency))?;
        }
    }
    Ok(())
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
        Event::PaymentReleased(payment) => (payment.payment_id.as_str(), &[][..]),
        Event::RefundReversed(refund) => (refund.refund_id.as_str(), &[][..]),
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

/// The id of an invoice, a draft or an opening balance that is named by its number or its id. An unknown name stays as
/// it is: the ledger then says that it does not exist.
pub(crate) fn resolve_invoice(state: &State, name: &str) -> Result<String> {
    if state.item(name).is_some() || state.review(name).is_some() {
        return Ok(name.to_owned());
    }
    let ids: Vec<&str> =
        state.items().filter(|item| item.number == name).map(|item| item.id.as_str()).collect();
    match ids.as_slice() {
        [] => Ok(name.to_owned()),
        [id] => Ok((*id).to_owned()),
        several => bail!("{name} is the number of {}; give one of these ids", several.join(" and ")),
    }
}

/// [`resolve_invoice`] in the ledger at its end.
pub(crate) async fn invoice_id(biller: &LiveBiller, name: &str) -> Result<String> {
    resolve_invoice(&biller.state().await?, name)
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

#[cfg(test)]
mod tests {
    use wb_ledger::{Amount, OpeningKind, OpeningRecorded, decide};

    use super::*;

    fn opened(references: &[(&str, &str)]) -> State {
        let mut state = State::default();
        for (legal_entity, reference) in references {
            let opening = OpeningRecorded {
                item_id: String::new(),
                kind: OpeningKind::Invoice,
                reference: (*reference).to_owned(),
                legal_entity: (*legal_entity).to_owned(),
                customer_id: "acme".to_owned(),
                open: vec![Amount::new(100, "USD")],
                issued_us: 0,
                due_us: None,
                late_fee_ppm: 0,
            };
            for event in decide(&state, &Command::RecordOpening(opening)).unwrap() {
                state.apply(&event).unwrap();
            }
        }
        state
    }

    #[test]
    fn an_invoice_is_named_by_its_number_or_its_id() {
        let state = opened(&[("weigh", "WEI-000001"), ("weigh", "OLD-1"), ("weigh-eu", "OLD-1")]);
        let id = state.items().find(|item| item.number == "WEI-000001").unwrap().id.clone();
        assert_eq!(resolve_invoice(&state, "WEI-000001").unwrap(), id);
        assert_eq!(resolve_invoice(&state, &id).unwrap(), id);
        assert_eq!(resolve_invoice(&state, "WEI-000002").unwrap(), "WEI-000002");
        let told = resolve_invoice(&state, "OLD-1").unwrap_err().to_string();
        assert!(told.contains("open_") && told.contains(" and open_"), "{told}");
    }
}
