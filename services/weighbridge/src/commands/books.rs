//! Shared code of commands on the ledger: who signs, and the form of amounts and records.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use wb_billing::{Done, Signature};
use wb_ledger::{Amount, Command, Event, State, Total};
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
        Done::Recorded(events) => events.iter().try_for_each(told_event),
    }
}

/// Prints an event, and what it does to payments.
fn told_event(event: &Event) -> Result<()> {
    print(&recorded_line(event))?;
    let (what, parts) = match event {
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => ("unallocated", &note.released),
        Event::InvoiceIssued(invoice) => ("settled-by", &invoice.settled),
        _ => return Ok(()),
    };
    for part in parts {
        let amount = Amount { amount_minor: part.amount_minor, currency: part.currency.clone() };
        print(&format!("{what} {} {} {}", part.payment_id, amount.text(), amount.currency))?;
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
