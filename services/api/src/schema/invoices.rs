//! Invoices, their notes and running bills: views of the ledger's own documents and items.

use async_graphql::Object;
use wb_clickhouse::read;
use wb_ledger::{self as ledger, InvoiceHistory, Note, NoteLine, PeriodDocument, Total};

use super::time::Time;

/// An issued invoice.
pub(crate) struct InvoiceView(InvoiceHistory);

/// A credit or debit note, with the kind of its event.
struct NoteView<'a>(&'static str, &'a Note);

/// A line of a note.
struct NoteLineView<'a>(&'a NoteLine);

/// A line of an invoice.
struct LineView<'a>(&'a ledger::InvoiceLine);

/// A sum.
struct TotalView(Total);

/// A running bill.
pub(crate) struct RunningBillView(read::RunningBill);

impl From<InvoiceHistory> for InvoiceView {
    fn from(history: InvoiceHistory) -> Self {
        Self(history)
    }
}

impl From<read::RunningBill> for RunningBillView {
    fn from(bill: read::RunningBill) -> Self {
        Self(bill)
    }
}

/// An issued invoice.
#[Object(name = "Invoice")]
impl InvoiceView {
    /// Its identifier. It follows from contract, period and the invoice that it replaces.
    async fn id(&self) -> &str {
        &self.0.invoice().invoice_id
    }

    /// Its number, gapless per legal entity.
    async fn number(&self) -> &str {
        &self.0.invoice().number
    }

    /// The customer.
    async fn customer_id(&self) -> &str {
        &self.0.invoice().customer_id
    }

    /// The contract.
    async fn contract_id(&self) -> &str {
        &self.0.invoice().contract_id
    }

    /// The issuer.
    async fn legal_entity(&self) -> &str {
        &self.0.invoice().legal_entity
    }

    /// The period, such as `2026-10`.
    async fn period(&self) -> &str {
        &self.0.invoice().period.text
    }

    /// The period's first instant.
    async fn period_start(&self) -> Time {
        start_of(&self.0.invoice().period)
    }

    /// The first instant after the period.
    async fn period_end(&self) -> Time {
        end_of(&self.0.invoice().period)
    }

    /// The charges.
    async fn lines(&self) -> Vec<LineView<'_>> {
        self.0.invoice().lines.iter().map(LineView).collect()
    }

    /// The totals, one per currency.
    async fn totals(&self) -> Vec<TotalView> {
        totals(&self.0.invoice().totals)
    }

    /// The bill digest: SHA-256 over the charges. The same events give the same digest in any log.
    async fn bill_digest(&self) -> String {
        self.0.invoice().bill_digest.to_string()
    }

    /// The evidence digest: SHA-256 over the blocks and sealed days it was computed from. Reading the same log again
    /// gives the same digest.
    async fn evidence_digest(&self) -> String {
        self.0.invoice().evidence_digest.to_string()
    }

    /// The cut it was computed at: the offset in `commits` before which blocks counted.
    async fn evidence_cut(&self) -> String {
        self.0.invoice().evidence.cut.to_string()
    }

    /// How many committed blocks are behind its lines, with all blocks of its sealed days.
    async fn evidence_blocks(&self) -> String {
        self.0.invoice().evidence.blocks_count.to_string()
    }

    /// When it was issued; the end of its period if its record does not state it.
    async fn issued_at(&self) -> Time {
        Time(self.0.item().issued_us)
    }

    /// When it is due, if its record states it.
    async fn due_at(&self) -> Option<Time> {
        self.0.item().due_us.map(Time)
    }

    /// Its state: `issued`, `partially_paid`, `paid`, `overdue`, `void` or `written_off`.
    async fn state(&self) -> &str {
        self.0.item().state().name()
    }

    /// The amounts that payments settled, by currency; zero amounts are left out.
    async fn paid(&self) -> Vec<TotalView> {
        self.0.item().paid().into_iter().map(TotalView).collect()
    }

    /// The open amounts, by currency; zero amounts are left out. A negative amount is the customer's credit.
    async fn open(&self) -> Vec<TotalView> {
        self.0.item().open().into_iter().map(TotalView).collect()
    }

    /// Its credit and debit notes, in order.
    async fn notes(&self) -> Vec<NoteView<'_>> {
        self.0.notes().map(|(kind, note)| NoteView(kind, note)).collect()
    }
}

/// A credit or debit note of an invoice.
#[Object(name = "InvoiceNote")]
impl NoteView<'_> {
    /// Its number, gapless per legal entity.
    async fn number(&self) -> &str {
        &self.1.number
    }

    /// `credit` or `debit`.
    async fn kind(&self) -> &str {
        self.0.trim_end_matches("_note_issued")
    }

    /// Why it was issued: `adjustment`, `dispute`, `by_hand`, `late_fee`, `cancels` or `void`.
    async fn reason(&self) -> &str {
        self.1.reason.name()
    }

    /// When it was issued.
    async fn issued_at(&self) -> Time {
        Time(self.1.at_us)
    }

    /// The lines that it corrects.
    async fn lines(&self) -> Vec<NoteLineView<'_>> {
        self.1.lines.iter().map(NoteLineView).collect()
    }

    /// Its totals, one per currency; negative if credited.
    async fn totals(&self) -> Vec<TotalView> {
        totals(&self.1.totals)
    }
}

/// A line of a credit or debit note.
#[Object(name = "InvoiceNoteLine")]
impl NoteLineView<'_> {
    /// The invoice's line that it corrects.
    async fn line_id(&self) -> &str {
        &self.0.line_id
    }

    /// Its description.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// What it adds in minor units (cents, satoshi); negative if it credits.
    async fn amount_minor(&self) -> String {
        self.0.amount_minor.to_string()
    }

    /// The amount of the line after this note, in minor units.
    async fn after_minor(&self) -> String {
        self.0.after_minor.to_string()
    }

    /// The currency's code.
    async fn currency(&self) -> &str {
        &self.0.currency
    }
}

/// One line of an invoice.
#[Object(name = "InvoiceLine")]
impl LineView<'_> {
    /// Its identifier within the invoice.
    async fn id(&self) -> &str {
        &self.0.id
    }

    /// The component of the contract.
    async fn component(&self) -> &str {
        &self.0.component
    }

    /// The kind of the component.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Its description.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The exact quantity.
    async fn quantity(&self) -> &str {
        &self.0.quantity
    }

    /// The quantity's unit.
    async fn unit(&self) -> &str {
        &self.0.unit
    }

    /// The price of one unit.
    async fn unit_price(&self) -> &str {
        &self.0.unit_price
    }

    /// How the amount is computed from quantity and price, with its rounding.
    async fn formula(&self) -> &str {
        &self.0.formula
    }

    /// The amount in minor units (cents, satoshi).
    async fn amount_minor(&self) -> &str {
        &self.0.amount_minor
    }

    /// The amount as decimal text with all places of its currency.
    async fn amount(&self) -> &str {
        &self.0.amount
    }

    /// The currency's code.
    async fn currency(&self) -> &str {
        &self.0.currency
    }

    /// How many inputs make up the quantity.
    async fn inputs_count(&self) -> String {
        self.0.inputs_count.to_string()
    }

    /// SHA-256 of the list of all inputs.
    async fn inputs_digest(&self) -> String {
        self.0.inputs_digest.to_string()
    }
}

/// A sum of amounts in one currency.
#[Object(name = "InvoiceTotal")]
impl TotalView {
    /// The currency's code.
    async fn currency(&self) -> &str {
        &self.0.currency
    }

    /// The sum as decimal text with all places of the currency.
    async fn amount(&self) -> &str {
        &self.0.amount
    }

    /// The sum in minor units (cents, satoshi).
    async fn amount_minor(&self) -> &str {
        &self.0.amount_minor
    }
}

/// The bill of a contract for a month so far, computed by the same function as invoices. It is not owed, and late
/// data may change it. After the month is closed, the invoice equals the last running bill.
#[Object(name = "RunningBill")]
impl RunningBillView {
    /// The contract.
    async fn contract_id(&self) -> &str {
        &self.0.document.contract_id
    }

    /// The customer.
    async fn customer_id(&self) -> &str {
        &self.0.document.customer_id
    }

    /// The month, such as `2026-10`.
    async fn period(&self) -> &str {
        &self.0.document.period.text
    }

    /// The month's first instant.
    async fn period_start(&self) -> Time {
        start_of(&self.0.document.period)
    }

    /// The first instant after the month.
    async fn period_end(&self) -> Time {
        end_of(&self.0.document.period)
    }

    /// The end of the billed time: a full five minutes, or the end of the month.
    async fn computed_until(&self) -> Time {
        Time(self.0.until_us)
    }

    /// Its own cut: the offset in `commits` before which blocks counted.
    async fn computed_at_cut(&self) -> String {
        self.0.cut.to_string()
    }

    /// The completeness up to then, in parts per million.
    async fn completeness_ppm(&self) -> i32 {
        i32::try_from(self.0.completeness_ppm).unwrap_or(i32::MAX)
    }

    /// The charges.
    async fn lines(&self) -> Vec<LineView<'_>> {
        self.0.document.lines.iter().map(LineView).collect()
    }

    /// The sums, one per currency.
    async fn totals(&self) -> Vec<TotalView> {
        totals(&self.0.document.totals)
    }

    /// SHA-256 over what would be charged.
    async fn bill_digest(&self) -> String {
        self.0.document.bill_digest.to_string()
    }
}

fn start_of(period: &PeriodDocument) -> Time {
    Time(period.start_us)
}

fn end_of(period: &PeriodDocument) -> Time {
    Time(period.end_us)
}

fn totals(totals: &[Total]) -> Vec<TotalView> {
    totals.iter().cloned().map(TotalView).collect()
}
