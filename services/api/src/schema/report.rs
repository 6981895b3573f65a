//! The report of a site or of the fleet, in GraphQL.

use async_graphql::SimpleObject;
use wb_clickhouse::read::PeriodReport;
use wb_metering::report::TermChange;
use wb_metering::report::sheet::WitnessShare;
use wb_metering::report::site::MachineFault;
use wb_metering::report::sources::{Source, Sources};
use wb_metering::report::truth::Comparison;

use super::time::Time;

/// The most settlement intervals of all machines in one report: 224 machines over a month, 6944 over a day. The
/// command `weighbridge report` has no such limit.
pub(super) const SLOTS_MAX: u64 = 2_000_000;

/// The cost of a report: its reads and its lines.
pub(super) fn report_cost(child: usize) -> usize {
    const READ: usize = 10_000;
    const LINES: usize = 64;
    child.saturating_mul(LINES).saturating_add(READ)
}

/// Figures of a period. What is not known is null, and never zero.
#[derive(Debug, SimpleObject)]
pub(crate) struct Report {
    /// The sites it is of, as far as you have machines there; all of them for an operator.
    pub(crate) site_ids: Vec<String>,
    /// Its first instant.
    pub(crate) from: Time,
    /// The first instant after it; of a period that goes on, the last full five minutes.
    pub(crate) to: Time,
    /// The time zone of its days.
    pub(crate) zone: String,
    /// Whether the period goes on.
    pub(crate) goes_on: bool,
    /// The currency of terms in minor units; what a site costs and earns is shown to operators only.
    pub(crate) currency: Option<String>,
    /// The figures.
    pub(crate) terms: Vec<ReportTerm>,
    /// Energy by the witness that it rests on, the best one first.
    pub(crate) energy_by_witness: Vec<ReportWitness>,
    /// Witnesses of one quantity beside each other: of the whole, then of single machines.
    pub(crate) comparisons: Vec<ReportComparison>,
    /// Faults of GPUs, in order of time.
    pub(crate) gpu_faults: Vec<ReportGpuFault>,
    /// What was expected of the sources and came.
    pub(crate) completeness: ReportCompleteness,
    /// What is not known or was refused, in words.
    pub(crate) notes: Vec<String>,
}

/// What was expected of the sources of samples and readings, and what came.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportCompleteness {
    /// Slots in which something should have come.
    pub(crate) expected: String,
    /// Of them, those in which it did.
    pub(crate) received: String,
    /// Of those received, the ones in which all of it came late.
    pub(crate) late: String,
    /// Of those not received, the ones whose quantity is known from a register that went on.
    pub(crate) estimated: String,
    /// Events that a policy left out, as too late or too far ahead.
    pub(crate) left_out: String,
    /// Up to where every source has been heard that is not idle; null where none spoke.
    pub(crate) watermark: Option<Time>,
    /// Sources that hold the watermark back.
    pub(crate) slowest: Vec<String>,
    /// Sources that have said nothing for a day: they are not waited for.
    pub(crate) idle: Vec<String>,
    /// The sources, the least complete first.
    pub(crate) sources: Vec<ReportSource>,
}

/// One source: a machine's samples or a meter's readings.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportSource {
    /// The machine.
    pub(crate) machine_id: String,
    /// The meter; null for samples.
    pub(crate) meter_id: Option<String>,
    /// `samples`, or the witness that its readings are.
    pub(crate) kind: String,
    /// Slots in which something should have come.
    pub(crate) expected: String,
    /// Of them, those in which it did.
    pub(crate) received: String,
    /// Of those received, the ones in which all of it came late.
    pub(crate) late: String,
    /// Of those not received, the ones whose quantity is known otherwise.
    pub(crate) estimated: String,
    /// Events that its policy left out.
    pub(crate) left_out: String,
}

impl From<Sources> for ReportCompleteness {
    fn from(sources: Sources) -> Self {
        let mark = sources.watermark();
        let source = |one: Source| ReportSource {
            kind: one.kind.to_owned(),
            expected: one.slots.expected.to_string(),
            received: one.slots.received.to_string(),
            late: one.slots.late.to_string(),
            estimated: one.slots.estimated.to_string(),
            left_out: one.left_out.to_string(),
            machine_id: one.machine_id,
            meter_id: one.meter_id,
        };
        Self {
            expected: sources.slots.expected.to_string(),
            received: sources.slots.received.to_string(),
            late: sources.slots.late.to_string(),
            estimated: sources.slots.estimated.to_string(),
            left_out: sources.left_out.to_string(),
            watermark: mark.at_us.map(Time),
            slowest: mark.slowest,
            idle: mark.idle,
            sources: sources.each.into_iter().map(source).collect(),
        }
    }
}

/// One figure.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportTerm {
    /// Its stable name, such as `hashrate_operating_average`.
    pub(crate) name: String,
    /// Its unit, such as `H/s`, `Wh`, `ppm` or `sat`.
    pub(crate) unit: String,
    /// A whole number of that unit; null where it is not known.
    pub(crate) value: Option<String>,
    /// The value in the period before.
    pub(crate) before: Option<String>,
    /// The value less the one before.
    pub(crate) change: Option<String>,
    /// The change in parts per million of the value before; null for shares.
    pub(crate) change_ppm: Option<String>,
}

/// Energy that rests on one witness.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportWitness {
    /// `meter`, `pdu`, `firmware_counter`, `firmware_power` or `nameplate`.
    pub(crate) witness: String,
    /// Its energy in nanojoules.
    pub(crate) energy_nj: String,
    /// Its part of all energy in parts per million.
    pub(crate) share_ppm: String,
}

/// A fault of a GPU, from the sample that first showed it.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportGpuFault {
    /// The machine.
    pub(crate) machine_id: String,
    /// The GPU; of a slice, its parent.
    pub(crate) device: String,
    /// The slice's profile; empty for a whole GPU.
    pub(crate) profile: String,
    /// The slice's instance; empty for a whole GPU.
    pub(crate) instance: String,
    /// The fault's XID.
    pub(crate) xid: String,
    /// The sample that first showed it.
    pub(crate) from: Time,
    /// The next sample without it, or the end of what held the GPU; null while neither came.
    pub(crate) to: Option<Time>,
}

/// Two witnesses of one quantity over the same time.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportComparison {
    /// The machine; null where it is about the whole report.
    pub(crate) machine_id: Option<String>,
    /// `hashes`, `own_hashrate`, `earned`, `energy` or `gpu_time`.
    pub(crate) quantity: String,
    /// The unit of both values.
    pub(crate) unit: String,
    /// The first witness.
    pub(crate) witness: String,
    /// What it says.
    pub(crate) value: String,
    /// The second, which the difference is measured by.
    pub(crate) against: String,
    /// What it says.
    pub(crate) against_value: String,
    /// Value less the other, in parts per million of the other; null where that is zero.
    pub(crate) difference_ppm: Option<String>,
    /// The difference that chance and the instruments alone would give, in parts per million.
    pub(crate) expected_ppm: String,
    /// Standard deviations of chance that it amounts to, in thousandths; null where chance has no part.
    pub(crate) z_milli: Option<String>,
    /// Whether it is beyond what is expected.
    pub(crate) beyond: bool,
}

impl From<PeriodReport> for Report {
    fn from(read: PeriodReport) -> Self {
        let sheet = read.sheet;
        Self {
            site_ids: read.site_ids,
            from: Time(read.interval.start_us),
            to: Time(read.interval.end_us),
            zone: read.zone,
            goes_on: read.goes_on,
            currency: sheet.currency.map(|currency| currency.code().to_owned()),
            terms: sheet.terms.into_iter().map(ReportTerm::from).collect(),
            energy_by_witness: sheet.witnesses.into_iter().map(ReportWitness::from).collect(),
            comparisons: sheet.comparisons.into_iter().map(ReportComparison::from).collect(),
            gpu_faults: sheet.faults.into_iter().map(Into::into).collect(),
            completeness: sheet.sources.into(),
            notes: sheet.notes,
        }
    }
}

impl From<MachineFault> for ReportGpuFault {
    fn from(of: MachineFault) -> Self {
        let fault = of.fault;
        Self {
            machine_id: of.machine_id,
            device: fault.device.device,
            profile: fault.device.profile,
            instance: fault.device.instance,
            xid: fault.xid.to_string(),
            from: Time(fault.start_us),
            to: fault.end_us.map(Time),
        }
    }
}

impl From<TermChange> for ReportTerm {
    fn from(change: TermChange) -> Self {
        let text = |value: Option<i128>| value.map(|value| value.to_string());
        Self {
            unit: change.term.unit.as_str().to_owned(),
            value: text(change.term.value),
            before: text(change.before),
            change: text(change.change),
            change_ppm: change.change_ppm.map(|ppm| ppm.to_string()),
            name: change.term.name,
        }
    }
}

impl From<WitnessShare> for ReportWitness {
    fn from(share: WitnessShare) -> Self {
        Self {
            witness: share.witness.as_str().to_owned(),
            energy_nj: share.energy_nj.to_string(),
            share_ppm: share.share_ppm.to_string(),
        }
    }
}

impl From<Comparison> for ReportComparison {
    fn from(comparison: Comparison) -> Self {
        let pair = comparison.pair;
        Self {
            machine_id: comparison.machine_id,
            quantity: comparison.quantity.as_str().to_owned(),
            unit: comparison.quantity.unit().to_owned(),
            witness: pair.left_commit.to_owned(),
            value: pair.left.to_string(),
            against: pair.right_commit.to_owned(),
            against_value: pair.right.to_string(),
            difference_ppm: pair.difference_ppm.map(|ppm| ppm.to_string()),
            expected_ppm: pair.expected_ppm.to_string(),
            z_milli: pair.z_milli.map(|z| z.to_string()),
            beyond: pair.is_beyond,
        }
    }
}
