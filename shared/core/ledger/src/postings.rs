//! Double entry: the postings of every event.
//!
//! The postings follow from the event alone, and in each currency they sum to zero: debits equal
//! credits, always.

use crate::amounts::{Amount, Minor, minor_of};
use crate::event::Event;
use crate::invoice::Invoice;
use crate::item::is_receivable;
use crate::note::Note;
use crate::opening::OPENING_KIND;
use crate::payment::{Allocation, PaymentReceived};

/// An account of the general ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// What customers owe.
    Receivable,
    /// What customers paid and is not allocated yet.
    CustomerBalance,
    /// Money that came in.
    Cash,
    /// What a kind of component earned; negative kinds are credits.
    Revenue(String),
    /// Tax that was charged and is owed to its office.
    TaxPayable,
    /// Deposits held for customers.
    CustomerDeposits,
    /// Credit that customers paid before they used it.
    PrepaidLiability,
    /// What was charged and written off.
    BadDebt,
    /// Bitcoin that customers' work earned, held by the operator.
    MinedBitcoin,
    /// The same bitcoin, owed to the customers.
    MinedBitcoinPayable,
    /// Clearing between the currencies of a settlement in bitcoin.
    SettlementClearing,
    /// What was taken over from before this ledger.
    OpeningBalances,
}

/// An amount in an account: a debit above zero, a credit below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub account: Account,
    pub customer_id: String,
    /// The invoice or item it concerns, where there is one.
    pub item_id: Option<String>,
    /// The amount in minor units.
    pub amount_minor: i128,
    pub currency: String,
}

impl Account {
    /// The account's name, with the kind of component for revenue.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Receivable => "accounts_receivable".to_owned(),
            Self::CustomerBalance => "customer_balance".to_owned(),
            Self::Cash => "cash".to_owned(),
            Self::Revenue(kind) => format!("revenue:{kind}"),
            Self::TaxPayable => "tax_payable".to_owned(),
            Self::CustomerDeposits => "customer_deposits".to_owned(),
            Self::PrepaidLiability => "prepaid_liability".to_owned(),
            Self::BadDebt => "bad_debt".to_owned(),
            Self::MinedBitcoin => "mined_bitcoin".to_owned(),
            Self::MinedBitcoinPayable => "mined_bitcoin_payable".to_owned(),
            Self::SettlementClearing => "settlement_clearing".to_owned(),
            Self::OpeningBalances => "opening_balances".to_owned(),
        }
    }

    /// The two accounts of a line of a kind: debited and credited where the line is above zero.
    fn of_line(kind: &str) -> (Self, Self) {
        if !is_receivable(kind) {
            return (Self::MinedBitcoin, Self::MinedBitcoinPayable);
        }
        let other = match kind {
            "tax" => Self::TaxPayable,
            "deposit" => Self::CustomerDeposits,
            "prepaid_credit" => Self::PrepaidLiability,
            "btc_settlement" => Self::SettlementClearing,
            OPENING_KIND => Self::OpeningBalances,
            kind => Self::Revenue(kind.to_owned()),
        };
        (Self::Receivable, other)
    }
}

/// Collects the postings of one customer.
struct Book<'a> {
    customer_id: &'a str,
    postings: Vec<Posting>,
}

impl Book<'_> {
    /// Debits one account and credits another; the other way round where the amount is negative.
    fn pair(&mut self, debit: Account, credit: Account, item_id: Option<&str>, minor: i128, currency: &str) {
        for (account, amount_minor) in [(debit, minor), (credit, -minor)] {
            if amount_minor != 0 {
                self.postings.push(Posting {
                    account,
                    customer_id: self.customer_id.to_owned(),
                    item_id: item_id.map(str::to_owned),
                    amount_minor,
                    currency: currency.to_owned(),
                });
            }
        }
    }

    fn line(&mut self, kind: &str, item_id: &str, minor: i128, currency: &str) {
        let (debit, credit) = Account::of_line(kind);
        self.pair(debit, credit, Some(item_id), minor, currency);
    }

    fn settle(&mut self, invoice_id: &str, minor: i128, currency: &str) {
        self.pair(Account::CustomerBalance, Account::Receivable, Some(invoice_id), minor, currency);
    }

    fn allocations(&mut self, allocations: &[Allocation], sign: i128, currency: &str) {
        for Allocation { invoice_id, amount_minor: Minor(minor) } in allocations {
            self.settle(invoice_id, sign * minor, currency);
        }
    }

    fn invoice(&mut self, invoice: &Invoice) {
        for line in &invoice.lines {
            // The ledger's check of the invoice refuses texts that are no amounts.
            let minor = minor_of(&line.amount_minor).unwrap_or(0);
            self.line(&line.kind, &invoice.invoice_id, minor, &line.currency);
        }
        for part in &invoice.settled {
            self.settle(&invoice.invoice_id, part.amount_minor.0, &part.currency);
        }
    }

    fn note(&mut self, note: &Note) {
        for line in &note.lines {
            self.line(&line.kind, &note.invoice_id, line.amount_minor.0, &line.currency);
        }
        for release in &note.released {
            self.settle(&note.invoice_id, -release.amount_minor.0, &release.currency);
        }
        for part in &note.settled {
            self.settle(&note.invoice_id, part.amount_minor.0, &part.currency);
        }
    }

    fn written_off(&mut self, invoice_id: &str, amounts: &[Amount], sign: i128) {
        for amount in amounts {
            let minor = sign * amount.amount_minor.0;
            self.pair(Account::BadDebt, Account::Receivable, Some(invoice_id), minor, &amount.currency);
        }
    }

    fn payment(&mut self, payment: &PaymentReceived) {
        let (minor, currency) = (payment.amount.amount_minor.0, &payment.amount.currency);
        self.pair(Account::Cash, Account::CustomerBalance, None, minor, currency);
        self.allocations(&payment.allocations, 1, currency);
    }
}

/// The postings of an event. Steps that move no value have none.
#[must_use]
pub fn postings(event: &Event) -> Vec<Posting> {
    let mut book = Book { customer_id: event.customer_id(), postings: Vec::new() };
    match event {
        Event::InvoiceIssued(invoice) => book.invoice(invoice),
        Event::CreditNoteIssued(note) | Event::DebitNoteIssued(note) => book.note(note),
        Event::PaymentReceived(payment) => book.payment(payment),
        Event::PaymentAllocated(event) => book.allocations(&event.allocations, 1, &event.currency),
        Event::PaymentReversed(event) => {
            let (minor, currency) = (event.amount.amount_minor.0, &event.amount.currency);
            book.allocations(&event.allocations, -1, currency);
            book.pair(Account::CustomerBalance, Account::Cash, None, minor, currency);
        }
        Event::PaymentReleased(event) => book.allocations(&event.allocations, -1, &event.currency),
        Event::RefundReversed(event) => {
            let (minor, currency) = (event.amount.amount_minor.0, &event.amount.currency);
            book.pair(Account::Cash, Account::CustomerBalance, None, minor, currency);
        }
        Event::RefundPaid(event) => {
            let (minor, currency) = (event.amount.amount_minor.0, &event.amount.currency);
            book.pair(Account::CustomerBalance, Account::Cash, None, minor, currency);
        }
        Event::InvoiceWrittenOff(event) => book.written_off(&event.invoice_id, &event.amounts, 1),
        Event::WriteOffReversed(event) => book.written_off(&event.invoice_id, &event.amounts, -1),
        Event::OpeningRecorded(event) => {
            for amount in &event.open {
                let (item, minor) = (Some(event.item_id.as_str()), amount.amount_minor.0);
                book.pair(Account::Receivable, Account::OpeningBalances, item, minor, &amount.currency);
            }
        }
        Event::PeriodClosed(_)
        | Event::DraftMade(_)
        | Event::InvoiceSubmitted(_)
        | Event::InvoiceApproved(_)
        | Event::InvoiceRejected(_)
        | Event::IssueFailed(_)
        | Event::InvoiceDelivered(_)
        | Event::DeliveryFailed(_)
        | Event::InvoiceOverdue(_)
        | Event::OverdueWithdrawn(_)
        | Event::DisputeOpened(_)
        | Event::DisputeAnswered(_)
        | Event::DisputeRejected(_) => {}
    }
    book.postings
}
