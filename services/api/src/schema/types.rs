//! The things that are shown. Whole numbers that may pass 2^53 are text, with the unit in the
//! field's name.

use async_graphql::{Enum, SimpleObject};
use wb_auth::{Principal, TenantScope};
use wb_clickhouse::read;

use super::time::Time;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ReaderRole {
    /// Everything.
    Operator,
    /// What was assigned to one customer, while it was assigned to it.
    Customer,
}

/// Who asks.
#[derive(Debug, SimpleObject)]
pub(crate) struct Viewer {
    /// The holder of the token.
    pub(crate) subject: String,
    /// What the token allows.
    pub(crate) role: ReaderRole,
    /// The customer the token is limited to; null for an operator.
    pub(crate) customer: Option<Customer>,
    /// When the token ends.
    pub(crate) token_expires_at: Time,
}

impl Viewer {
    pub(super) fn new(principal: &Principal, customer: Option<Customer>) -> Self {
        let role = match principal.scope {
            TenantScope::Operator => ReaderRole::Operator,
            TenantScope::Customer(_) => ReaderRole::Customer,
        };
        let expires_at_us =
            i64::try_from(principal.expires_at_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self { subject: principal.subject.clone(), role, customer, token_expires_at: Time(expires_at_us) }
    }
}

/// A customer.
#[derive(Debug, SimpleObject)]
pub(crate) struct Customer {
    /// Its identifier.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Option<String>,
}

impl From<read::Customer> for Customer {
    fn from(customer: read::Customer) -> Self {
        Self { id: customer.customer_id, name: customer.name }
    }
}

/// A site.
#[derive(Debug, SimpleObject)]
pub(crate) struct Site {
    /// Its identifier.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its IANA time zone.
    pub(crate) time_zone: Option<String>,
    /// How many of the machines that you may see stand there.
    pub(crate) machine_count: String,
}

impl From<read::Site> for Site {
    fn from(site: read::Site) -> Self {
        Self {
            id: site.site_id,
            name: site.name,
            time_zone: site.time_zone,
            machine_count: site.machines.to_string(),
        }
    }
}

/// A machine. A customer sees it as it was while it was assigned to that customer.
#[derive(Debug, SimpleObject)]
pub(crate) struct Machine {
    /// Its identifier.
    pub(crate) id: String,
    /// The site where it stands.
    pub(crate) site_id: Option<String>,
    /// Its model.
    pub(crate) model: Option<String>,
    /// Its rated power in milliwatts.
    pub(crate) rated_power_mw: Option<String>,
    /// Whose it is, by its last assignment.
    pub(crate) customer_id: Option<String>,
    /// Under which contract.
    pub(crate) contract_id: Option<String>,
    /// Since when it is assigned: a full five minutes.
    pub(crate) assigned_from: Option<Time>,
    /// Until when it is assigned; null where no end is known.
    pub(crate) assigned_to: Option<Time>,
}

impl From<read::Machine> for Machine {
    fn from(machine: read::Machine) -> Self {
        Self {
            id: machine.machine_id,
            site_id: machine.site_id,
            model: machine.model,
            rated_power_mw: machine.rated_power_mw.map(|power_mw| power_mw.to_string()),
            customer_id: machine.customer_id,
            contract_id: machine.contract_id,
            assigned_from: machine.assigned_from_us.map(Time),
            assigned_to: machine.assigned_to_us.map(Time),
        }
    }
}

/// Accepted work of one bucket of time and one chain.
#[derive(Debug, SimpleObject)]
pub(crate) struct HashratePoint {
    /// The bucket's first instant.
    pub(crate) start: Time,
    /// The first instant after the bucket.
    pub(crate) end: Time,
    /// The chain; work of two chains is never added.
    pub(crate) chain: String,
    /// Accepted shares.
    pub(crate) shares: String,
    /// Accepted shares that solved a block.
    pub(crate) blocks: String,
    /// Credited difficulty in units of 2^-32.
    pub work_q32: String,
    /// The mean rate over the bucket in hashes per second, rounded down: workQ32 * 65536 / 65535
    /// / seconds.
    pub(crate) hashrate_hs: String,
    /// One standard deviation of that rate from chance alone, in hashes per second.
    pub(crate) hashrate_sigma_hs: String,
    /// The lower end of the 95 % interval of the rate in hashes per second, from chance alone.
    pub(crate) low_hs: String,
    /// The upper end of the 95 % interval of the rate in hashes per second, from chance alone.
    /// Exact where all shares have one difficulty, else as good as the largest difficulty seen.
    pub(crate) high_hs: Option<String>,
}

impl From<read::HashratePoint> for HashratePoint {
    fn from(point: read::HashratePoint) -> Self {
        let (low_hs, high_hs) = super::statistics::bounds_of(&point);
        Self {
            start: Time(point.bucket.start_us),
            end: Time(point.bucket.end_us),
            chain: point.chain,
            shares: point.shares.to_string(),
            blocks: point.blocks.to_string(),
            work_q32: point.credited_q32.to_string(),
            hashrate_hs: point.hashrate_hs.to_string(),
            hashrate_sigma_hs: point.hashrate_sigma_hs.to_string(),
            low_hs,
            high_hs,
        }
    }
}

/// Energy of one bucket of time by one kind of witness.
#[derive(Debug, SimpleObject)]
pub(crate) struct EnergyPoint {
    /// The bucket's first instant.
    pub(crate) start: Time,
    /// The first instant after the bucket.
    pub(crate) end: Time,
    /// What measured it: `meter`, `pdu` or `firmware`, the best there was for each machine and
    /// five minutes.
    pub(crate) witness: String,
    /// Energy in watt-hours, exact to a thousandth.
    pub(crate) energy_wh: String,
}

impl From<read::EnergyPoint> for EnergyPoint {
    fn from(point: read::EnergyPoint) -> Self {
        Self {
            start: Time(point.bucket.start_us),
            end: Time(point.bucket.end_us),
            witness: point.witness,
            energy_wh: wb_units::decimal::format(point.energy_mwh, 3),
        }
    }
}

/// Shares of one verdict, reason and chain.
#[derive(Debug, SimpleObject)]
pub(crate) struct VerdictCount {
    /// `accepted`, `duplicate` or `rejected`.
    pub(crate) verdict: String,
    /// Why; empty where the shares were accepted.
    pub(crate) reason: String,
    /// The chain; empty where the shares were bound to no job.
    pub(crate) chain: String,
    /// How many.
    pub(crate) shares: String,
    /// Their credited difficulty in units of 2^-32.
    pub work_q32: String,
}

impl From<read::VerdictCount> for VerdictCount {
    fn from(count: read::VerdictCount) -> Self {
        Self {
            verdict: count.verdict,
            reason: count.reason,
            chain: count.chain,
            shares: count.shares.to_string(),
            work_q32: count.credited_q32,
        }
    }
}

/// An issued invoice.
#[derive(Debug, SimpleObject)]
pub(crate) struct Invoice {
    /// Its identifier, the same whenever the same contract and period are billed.
    pub(crate) id: String,
    /// Its number, gapless per legal entity.
    pub(crate) number: String,
    /// Who is billed.
    pub(crate) customer_id: String,
    /// Under which contract.
    pub(crate) contract_id: String,
    /// Who issues it.
    pub(crate) legal_entity: String,
    /// The period, such as `2026-10`.
    pub(crate) period: String,
    /// The period's first instant.
    pub(crate) period_start: Option<Time>,
    /// The first instant after the period.
    pub(crate) period_end: Option<Time>,
    /// What is charged.
    pub(crate) lines: Vec<InvoiceLine>,
    /// The sums, one per currency.
    pub(crate) totals: Vec<InvoiceTotal>,
    /// SHA-256 over what is charged: equal for every log that holds the same events.
    pub(crate) bill_digest: String,
    /// SHA-256 over the blocks and sealed days it was computed from: equal whenever the same log is read again.
    pub(crate) evidence_digest: String,
    /// The cut it was computed at: the offset in `names` before which a block counted.
    pub(crate) evidence_cut: Option<String>,
    /// Named blocks behind its lines, with all those of its sealed days.
    pub(crate) evidence_blocks: Option<String>,
    /// When it was issued, where its record says it.
    pub(crate) issued_at: Option<Time>,
    /// When it is due, where its record says it.
    pub(crate) due_at: Option<Time>,
    /// Where it stands: `issued`, `partially_paid`, `paid`, `overdue`, `void` or `written_off`.
    pub(crate) state: String,
    /// What payments settled, one per currency.
    pub(crate) paid: Vec<InvoiceTotal>,
    /// What is left to be paid, one per currency; negative where the customer has something to its credit.
    pub(crate) open: Vec<InvoiceTotal>,
    /// Its credit and debit notes, in order.
    pub(crate) notes: Vec<InvoiceNote>,
}

/// A credit or debit note of an invoice.
#[derive(Debug, SimpleObject)]
pub(crate) struct InvoiceNote {
    /// Its number, gapless per legal entity.
    pub(crate) number: String,
    /// `credit` or `debit`.
    pub(crate) kind: String,
    /// Why it was issued: `adjustment`, `dispute`, `by_hand`, `late_fee` or `void`.
    pub(crate) reason: String,
    /// When it was issued.
    pub(crate) issued_at: Time,
    /// The lines that it corrects.
    pub(crate) lines: Vec<InvoiceNoteLine>,
    /// Its sums, one per currency; negative where credited.
    pub(crate) totals: Vec<InvoiceTotal>,
}

/// A line of a credit or debit note.
#[derive(Debug, SimpleObject)]
pub(crate) struct InvoiceNoteLine {
    /// The invoice's line that it corrects.
    pub(crate) line_id: String,
    /// What it says.
    pub(crate) description: String,
    /// What it adds in minor units: cents, satoshi; negative where it credits.
    pub(crate) amount_minor: String,
    /// The line in minor units as it stands with it.
    pub(crate) after_minor: String,
    /// The currency's code.
    pub(crate) currency: String,
}

/// One line of an invoice.
#[derive(Debug, SimpleObject)]
pub(crate) struct InvoiceLine {
    /// Its identifier within the invoice.
    pub(crate) id: String,
    /// The contract's component that it is for.
    pub(crate) component: String,
    /// The kind of the component.
    pub(crate) kind: String,
    /// What it says.
    pub(crate) description: String,
    /// The quantity, exact.
    pub(crate) quantity: String,
    /// The quantity's unit.
    pub(crate) unit: String,
    /// The price of one unit.
    pub(crate) unit_price: String,
    /// How the amount follows from quantity and price, with its rounding.
    pub(crate) formula: String,
    /// The amount in minor units: cents, satoshi.
    pub(crate) amount_minor: String,
    /// The amount as decimal text with all places of its currency; null for an unknown currency.
    pub(crate) amount: Option<String>,
    /// The currency's code.
    pub(crate) currency: String,
    /// How many inputs the quantity was added up from.
    pub(crate) inputs_count: Option<String>,
    /// SHA-256 of the list of all inputs.
    pub(crate) inputs_digest: String,
}

/// The sum of an invoice's lines in one currency.
#[derive(Debug, SimpleObject)]
pub(crate) struct InvoiceTotal {
    /// The currency's code.
    pub(crate) currency: String,
    /// The sum as decimal text with all places of the currency.
    pub(crate) amount: String,
    /// The sum in minor units: cents, satoshi.
    pub(crate) amount_minor: String,
}

impl From<read::Invoice> for Invoice {
    fn from(invoice: read::Invoice) -> Self {
        Self {
            id: invoice.invoice_id,
            number: invoice.number,
            customer_id: invoice.customer_id,
            contract_id: invoice.contract_id,
            legal_entity: invoice.legal_entity,
            period: invoice.period.text,
            period_start: invoice.period.start_us.map(Time),
            period_end: invoice.period.end_us.map(Time),
            lines: invoice.lines.into_iter().map(InvoiceLine::from).collect(),
            totals: invoice.totals.into_iter().map(InvoiceTotal::from).collect(),
            bill_digest: invoice.bill_digest,
            evidence_digest: invoice.evidence_digest,
            evidence_cut: invoice.evidence.cut.map(|cut| cut.to_string()),
            evidence_blocks: invoice.evidence.blocks_count.map(|blocks| blocks.to_string()),
            issued_at: invoice.dates.as_ref().map(|dates| Time(dates.issued_us)),
            due_at: invoice.dates.as_ref().map(|dates| Time(dates.due_us)),
            state: invoice.standing.state,
            paid: invoice.standing.paid.into_iter().map(InvoiceTotal::from).collect(),
            open: invoice.standing.open.into_iter().map(InvoiceTotal::from).collect(),
            notes: invoice.standing.notes.into_iter().map(InvoiceNote::from).collect(),
        }
    }
}

impl From<read::InvoiceLine> for InvoiceLine {
    fn from(line: read::InvoiceLine) -> Self {
        let amount = amount_text(&line.amount_minor, &line.currency);
        Self {
            id: line.id,
            component: line.component,
            kind: line.kind,
            description: line.description,
            quantity: line.quantity,
            unit: line.unit,
            unit_price: line.unit_price,
            formula: line.formula,
            amount_minor: line.amount_minor,
            amount,
            currency: line.currency,
            inputs_count: line.inputs_count.map(|count| count.to_string()),
            inputs_digest: line.inputs_digest,
        }
    }
}

impl From<read::InvoiceTotal> for InvoiceTotal {
    fn from(total: read::InvoiceTotal) -> Self {
        Self { currency: total.currency, amount: total.amount, amount_minor: total.amount_minor }
    }
}

impl From<read::InvoiceNote> for InvoiceNote {
    fn from(note: read::InvoiceNote) -> Self {
        Self {
            number: note.number,
            kind: note.kind.trim_end_matches("_note_issued").to_owned(),
            reason: note.reason,
            issued_at: Time(note.issued_us),
            lines: note.lines.into_iter().map(InvoiceNoteLine::from).collect(),
            totals: note.totals.into_iter().map(InvoiceTotal::from).collect(),
        }
    }
}

impl From<read::InvoiceNoteLine> for InvoiceNoteLine {
    fn from(line: read::InvoiceNoteLine) -> Self {
        Self {
            line_id: line.line_id,
            description: line.description,
            amount_minor: line.amount_minor,
            after_minor: line.after_minor,
            currency: line.currency,
        }
    }
}

fn amount_text(amount_minor: &str, currency: &str) -> Option<String> {
    let minor: i128 = amount_minor.parse().ok()?;
    let currency = wb_units::Currency::from_code(currency).ok()?;
    Some(wb_units::Money { minor, currency }.decimal_text())
}
