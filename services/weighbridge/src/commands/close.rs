//! `weighbridge close`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_billing::{
    BillerError, ByPolicy, CloseRequest, Exclusion, Issued, IssuedAs, Progress, Signature, Unbilled,
};
use wb_units::time::rfc3339;
use wb_units::{Money, decimal};

use crate::commands::books::{Confirmed, Summary, WHO, amounts};
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct CloseArguments {
    /// The month, such as 2026-10.
    #[arg(long)]
    period: String,
    /// Close only this customer's contracts.
    #[arg(long)]
    customer: Option<String>,
    #[command(flatten)]
    confirmed: Confirmed,
    /// Also close periods that lack usage. Your name and reason are recorded.
    #[arg(long, requires = "reason")]
    allow_incomplete: bool,
    /// Also close where facts refer to something unknown. Your name and reason are recorded.
    #[arg(long, requires = "reason")]
    allow_unresolved: bool,
    /// Why incomplete periods, or facts that refer to something unknown, may be closed.
    #[arg(long)]
    reason: Option<String>,
    /// Your name, for the record.
    #[arg(long, env = "USER", default_value = WHO)]
    who: String,
}

impl Run for CloseArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        close(&stack, self).await
    }
}

/// Closes a month on the running stack.
async fn close(stack: &RunningStack, arguments: CloseArguments) -> Result<ExitCode> {
    let biller = stack.connect().await?.biller(&arguments.who).await?;
    let signature = arguments.reason.map(|why| Signature { who: arguments.who, why });
    let confirmed = &arguments.confirmed;
    // One customer is not asked about.
    let asks = !confirmed.yes && arguments.customer.is_none();
    let request = CloseRequest {
        period: arguments.period,
        customer: arguments.customer,
        dry_run: confirmed.dry_run || asks,
        incomplete: signature.clone().filter(|_| arguments.allow_incomplete),
        unresolved: signature.filter(|_| arguments.allow_unresolved),
    };
    tell("waiting until all recorded events are committed, then rating");
    let request = if request.dry_run && !confirmed.dry_run {
        // Contracts that cannot be billed do not hold up the others, here as in the close itself.
        let planned = match biller.close_with(&request, &mut tell_progress).await {
            Err(BillerError::Some { issued, .. }) => issued,
            planned => planned?,
        };
        let mut summary = Summary::default();
        for invoice in planned.iter().filter(|invoice| invoice.issued_as == IssuedAs::WouldBe) {
            summary.add(&invoice.customer_id, &invoice.totals);
            tell(&issued_line(invoice));
        }
        if !confirmed.proceeds(&summary)? {
            return Ok(ExitCode::FAILURE);
        }
        CloseRequest { dry_run: false, ..request }
    } else {
        request
    };
    let issued = biller.close_with(&request, &mut tell_progress).await?;
    for invoice in &issued {
        print(&issued_line(invoice))?;
        let id = &invoice.invoice_id;
        match invoice.issued_as {
            IssuedAs::Void => {
                tell(&format!("{id} is void; `weighbridge invoice reissue {id}` bills it again"))
            }
            IssuedAs::Rejected => tell(&format!(
                "{id} was rejected, and nothing was recorded since; correct the facts and close again, or submit it \
                 again with `weighbridge invoice submit {id}`"
            )),
            _ => {}
        }
    }
    let what = if request.dry_run { "invoices would be issued" } else { "invoices" };
    tell(&format!("{} {what} for {}", issued.len(), request.period));
    if issued.iter().any(|invoice| !invoice.new) {
        tell(&format!(
            "some existed already: what was recorded since their close is billed by weighbridge adjust --period {}",
            request.period
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_progress(progress: &Progress) {
    match progress {
        Progress::Settled { cut, contracts } => {
            tell(&format!("settled at cut {cut}: {contracts} contracts"));
        }
        Progress::Drafted { contract_id, known_ppm: Some(ppm) } if *ppm < 1_000_000 => {
            let percent = decimal::format(i128::from(*ppm), 4);
            tell(&format!(
                "{contract_id}: {percent} percent of its machines' time is known; the rest is not billed"
            ));
        }
        Progress::Drafted { .. } => {}
        Progress::Excluded { contract_id, exclusions } => {
            for exclusion in &exclusions.listed {
                tell(&format!("{contract_id}: not billed: {}", excluded_words(exclusion)));
            }
            if exclusions.more > 0 {
                tell(&format!("{contract_id}: not billed: {} allocations more", exclusions.more));
            }
        }
        Progress::Unbilled { contract_id, unbilled } => {
            for words in unbilled_words(&unbilled.listed) {
                tell(&format!("{contract_id}: not billed: {words}"));
            }
            if unbilled.more > 0 {
                tell(&format!("{contract_id}: not billed: {} quantities more", unbilled.more));
            }
        }
        Progress::ByPolicy { contract_id, sources } => {
            for source in sources {
                tell(&format!("{contract_id}: {}", policy_words(source)));
            }
        }
        Progress::Contract { done, of, contract_id, outcome } => {
            tell(&format!("{done}/{of} {contract_id}: {outcome}"));
        }
    }
}

/// Unbilled usage of one measure and reason.
struct UnbilledSum<'a> {
    quantity: u128,
    machines: BTreeSet<&'a str>,
    would_be: Option<Money>,
    first: &'a Unbilled,
}

/// Unbilled usage, added up over machines by measure and reason.
fn unbilled_words(listed: &[Unbilled]) -> Vec<String> {
    let mut sums: BTreeMap<(String, &str), UnbilledSum<'_>> = BTreeMap::new();
    for one in listed {
        let key = (one.measured.words(), one.reason.as_str());
        let sum = sums.entry(key).or_insert_with(|| UnbilledSum {
            quantity: 0,
            machines: BTreeSet::new(),
            would_be: None,
            first: one,
        });
        sum.quantity = sum.quantity.saturating_add(one.quantity);
        sum.machines.insert(&one.machine_id);
        sum.would_be = match (sum.would_be, one.would_be) {
            (Some(sum), Some(more)) if sum.currency == more.currency => {
                Some(Money { minor: sum.minor.saturating_add(more.minor), currency: sum.currency })
            }
            (sum, more) => sum.or(more),
        };
    }
    let words = |((words, reason), sum): ((String, &str), UnbilledSum<'_>)| {
        let machines: Vec<&str> = sum.machines.into_iter().collect();
        let of = match machines.as_slice() {
            [""] => String::new(),
            [one] => format!(" of {one}"),
            several => format!(" of {} machines", several.len()),
        };
        let would_be = sum.would_be.map_or_else(String::new, |money| {
            format!("; would be {} {}", money.decimal_text(), money.currency.code())
        });
        format!("{} of {words}{of}: {reason}{would_be}", sum.first.measured.quantity_words(sum.quantity))
    };
    sums.into_iter().map(words).collect()
}

fn policy_words(of: &ByPolicy) -> String {
    let source = match &of.meter_id {
        Some(meter_id) => format!("meter {meter_id} of {}", of.machine_id),
        None => format!("samples of {}", of.machine_id),
    };
    format!(
        "{source}: {} left out by policy; of {} times something came {}, late {}, and {} are estimated",
        of.left_out, of.expected, of.received, of.late, of.estimated
    )
}

fn excluded_words(of: &Exclusion) -> String {
    let (from, to) = (rfc3339(of.interval.start_us), rfc3339(of.interval.end_us));
    let would_be = of.would_be.map_or_else(
        || "what it would cost is not known".to_owned(),
        |money| format!("would be {} {}", money.decimal_text(), money.currency.code()),
    );
    let gpus = if of.gpus == 0 { String::new() } else { format!(", {} GPUs", of.gpus) };
    format!(
        "allocation {} on {}{gpus}, {from} to {to}: {}; {would_be}",
        of.allocation_id, of.node_id, of.reason
    )
}

fn issued_line(invoice: &Issued) -> String {
    let state = match (invoice.issued_as, invoice.new) {
        (IssuedAs::WouldBe, _) => "would-issue",
        (IssuedAs::Void, _) => "void",
        (IssuedAs::Rejected, _) => "rejected",
        (_, false) => "existed",
        (IssuedAs::Invoice, true) => "issued",
        (IssuedAs::Draft, true) => "drafted",
    };
    let number = if invoice.number.is_empty() { "-" } else { &invoice.number };
    let mut line = format!(
        "{state} {number} {} {} {} bill {} evidence {}",
        invoice.invoice_id,
        invoice.customer_id,
        invoice.contract_id,
        invoice.bill_digest,
        invoice.evidence_digest
    );
    if invoice.number.is_empty() {
        line.push_str(&format!(" total {}", amounts(&invoice.totals)));
    }
    line
}
