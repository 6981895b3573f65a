//! A report as a table for reading.

use std::fmt::Write as _;

use wb_metering::report::TermChange;
use wb_metering::report::sheet::Sheet;
use wb_metering::report::truth::{Comparison, Quantity};
use wb_units::{Currency, Micros, decimal};

use super::Head;
use super::amount::{NOT_KNOWN, difference, percent, value};

/// The most comparisons of single machines that are shown: hashrates, and energy outside its tolerance. The other
/// formats have all.
const COMPARISONS_SHOWN: usize = 40;

/// The most GPU faults that are shown. The other formats have all faults of the report.
const FAULTS_SHOWN: usize = 40;

/// Writes a report.
pub(super) fn write(head: &Head, sheet: &Sheet) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = head_line(&mut text, head).and_then(|()| body(&mut text, sheet));
    text
}

fn head_line(text: &mut String, head: &Head) -> std::fmt::Result {
    let what = head.site_id.as_deref().map_or_else(|| "fleet".to_owned(), |site| format!("site {site}"));
    let whose = head.customer_id.as_deref().map(|id| format!(", machines of {id}")).unwrap_or_default();
    let until = if head.goes_on { ", not over yet" } else { "" };
    writeln!(text, "{what}{whose}, {} ({}{until}), as of cut {}", head.period, head.zone, head.cut)?;
    if head.site_id.is_none() {
        writeln!(text, "  sites: {}", head.site_ids.join(", "))?;
    }
    Ok(())
}

fn body(text: &mut String, sheet: &Sheet) -> std::fmt::Result {
    for change in &sheet.terms {
        let shown = value(&change.term, change.term.value, sheet.currency);
        let beside = beside(change, sheet.currency);
        writeln!(text, "  {:<27} {shown:>24}{beside}", change.term.name)?;
    }
    if !sheet.witnesses.is_empty() {
        let shares: Vec<String> = sheet
            .witnesses
            .iter()
            .map(|share| format!("{} {}", percent(i128::from(share.share_ppm)), share.witness.as_str()))
            .collect();
        writeln!(text, "  energy by witness: {}", shares.join(", "))?;
    }
    let slots = &sheet.sources.slots;
    if slots.expected > 0 {
        let mark = sheet.sources.watermark();
        let until = mark.at_us.and_then(|at_us| jiff::Timestamp::from_microsecond(at_us).ok());
        let until = until.map_or_else(|| NOT_KNOWN.to_owned(), |until| until.to_string());
        writeln!(
            text,
            "  samples: {} expected, {} received, {} of them late, {} estimated, {} left out; all heard until {until}, \
             {} sources idle",
            slots.expected,
            slots.received,
            slots.late,
            slots.estimated,
            sheet.sources.left_out,
            mark.idle.len()
        )?;
    }
    let (of_whole, of_machines): (Vec<_>, Vec<_>) =
        sheet.comparisons.iter().partition(|comparison| comparison.machine_id.is_none());
    let all = of_machines.len();
    let of_machines: Vec<_> = of_machines
        .into_iter()
        .filter(|comparison| comparison.pair.is_beyond || comparison.quantity != Quantity::Energy)
        .take(COMPARISONS_SHOWN)
        .collect();
    for comparison in of_whole.iter().chain(&of_machines) {
        writeln!(text, "  {}", compared(comparison))?;
    }
    let more = all - of_machines.len();
    if more > 0 {
        writeln!(text, "  and {more} comparisons of machines more: see --format csv")?;
    }
    for of in sheet.faults.iter().take(FAULTS_SHOWN) {
        let fault = &of.fault;
        let from = timestamp(fault.start_us);
        let lasted =
            fault.duration_s().map_or_else(|| "goes on".to_owned(), |length_s| format!("{length_s} s"));
        writeln!(
            text,
            "  fault: XID {} on {} {}, from {from}: {lasted}",
            fault.xid, of.machine_id, fault.device
        )?;
    }
    let more = sheet.faults.len().saturating_sub(FAULTS_SHOWN);
    if more > 0 {
        writeln!(text, "  and {more} faults of GPUs more: see --format csv")?;
    }
    for note in &sheet.notes {
        writeln!(text, "  note: {note}")?;
    }
    Ok(())
}

/// An instant in UTC, to the second.
fn timestamp(at_us: Micros) -> String {
    jiff::Timestamp::from_microsecond(at_us)
        .map_or_else(|_| format!("{at_us} us"), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The change since the period before, if both values are known.
fn beside(change: &TermChange, currency: Option<Currency>) -> String {
    let Some(before) = change.before else { return String::new() };
    let was = value(&change.term, Some(before), currency);
    match change.change_ppm {
        Some(ppm) => {
            format!("   before {was} ({}{})", if ppm > 0 { "+" } else { "" }, percent(i128::from(ppm)))
        }
        None => format!("   before {was}"),
    }
}

fn compared(comparison: &Comparison) -> String {
    let pair = &comparison.pair;
    let whose = comparison.machine_id.as_deref().unwrap_or("all");
    let off = pair.difference_ppm.map_or_else(|| format!("difference {NOT_KNOWN}"), difference);
    let expected = percent(i128::from(pair.expected_ppm));
    let z = pair.z_milli.map(|z| format!(", z {}", decimal::format(i128::from(z), 3))).unwrap_or_default();
    let verdict = if pair.is_beyond { "BEYOND" } else { "within" };
    let what = match comparison.quantity {
        Quantity::Hashes => "hashrate",
        Quantity::OwnHashrate => "own hashrate",
        Quantity::Earned => "earned",
        Quantity::Energy => "energy",
        Quantity::GpuTime => "GPU time",
    };
    format!(
        "{verdict} {whose}: {what} {} against {}: {off}, {expected} expected{z}",
        pair.left_name, pair.right_name
    )
}
