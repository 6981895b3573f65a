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

/// Figures of a period. An unknown value is null, never zero.
#[derive(Debug, SimpleObject)]
pub(crate) struct Report {
    /// The sites where you have machines; for an operator all sites of the report.
    pub(crate) site_ids: Vec<String>,
    /// Its first instant.
    pub(crate) from: Time,
    /// The first instant after it; for an unfinished period, the last full five minutes.
    pub(crate) to: Time,
    /// The time zone of its days.
    pub(crate) zone: String,
    /// Whether the period is unfinished.
    pub(crate) goes_on: bool,
    /// The currency of terms in minor units. Only operators see a site's costs and earnings.
    pub(crate) currency: Option<String>,
    /// The figures.
    pub(crate) terms: Vec<ReportTerm>,
    /// Energy by witness, the best one first.
    pub(crate) energy_by_witness: Vec<ReportWitness>,
    /// Comparisons of witnesses of the same quantity: of the whole report, then of single machines.
    pub(crate) comparisons: Vec<ReportComparison>,
    /// Faults of GPUs, in order of time.
    pub(crate) gpu_faults: Vec<ReportGpuFault>,
    /// The completeness of samples and readings.
    pub(crate) completeness: ReportCompleteness,
    /// Notes on unknown or refused data.
    pub(crate) notes: Vec<String>,
}

/// The completeness of samples and readings.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportCompleteness {
    /// Slots in which data was expected.
    pub(crate) expected: String,
    /// Expected slots in which data came.
    pub(crate) received: String,
    /// Received slots in which all data came late.
    pub(crate) late: String,
    /// Slots that were not received, but whose quantity is known from a later register reading.
    pub(crate) estimated: String,
    /// Events that a policy excluded, as too late or too far ahead.
    pub(crate) left_out: String,
    /// The instant up to which all sources that are not idle have sent data; null if none has.
    pub(crate) watermark: Option<Time>,
    /// Sources that hold back the watermark.
    pub(crate) slowest: Vec<String>,
    /// Sources without data for a day. The watermark ignores them.
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
    /// `samples`, or the witness of its readings.
    pub(crate) kind: String,
    /// Slots in which data was expected.
    pub(crate) expected: String,
    /// Expected slots in which data came.
    pub(crate) received: String,
    /// Received slots in which all data came late.
    pub(crate) late: String,
    /// Slots that were not received, but whose quantity is known otherwise.
    pub(crate) estimated: String,
    /// Events that its policy excluded.
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
    /// A whole number of that unit; null if it is unknown.
    pub(crate) value: Option<String>,
    /// The value in the period before.
    pub(crate) before: Option<String>,
    /// The value minus the one before.
    pub(crate) change: Option<String>,
    /// The change in parts per million of the value before; null for shares.
    pub(crate) change_ppm: Option<String>,
}

/// The energy measured by one witness.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportWitness {
    /// `meter`, `pdu`, `firmware_counter`, `firmware_power` or `nameplate`.
    pub(crate) witness: String,
    /// Its energy in nanojoules.
    pub(crate) energy_nj: String,
    /// Its share of all energy in parts per million.
    pub(crate) share_ppm: String,
}

/// A fault of a GPU, from the sample that first showed it.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportGpuFault {
    /// The machine.
    pub(crate) machine_id: String,
    /// The GPU; for a slice, its parent.
    pub(crate) device: String,
    /// The slice's profile; empty for a whole GPU.
    pub(crate) profile: String,
    /// The slice's instance; empty for a whole GPU.
    pub(crate) instance: String,
    /// The fault's XID.
    pub(crate) xid: String,
    /// The sample that first showed it.
    pub(crate) from: Time,
    /// The next sample without it, or the end of the GPU's allocation; null if neither has come.
    pub(crate) to: Option<Time>,
}

/// A comparison of two witnesses of one quantity over the same time.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReportComparison {
    /// The machine; null for the whole report.
    pub(crate) machine_id: Option<String>,
    /// `hashes`, `own_hashrate`, `earned`, `energy` or `gpu_time`.
    pub(crate) quantity: String,
    /// The unit of both values.
    pub(crate) unit: String,
    /// The first witness.
    pub(crate) witness: String,
    /// The value of the first witness.
    pub(crate) value: String,
    /// The second witness, relative to which the difference is computed.
    pub(crate) against: String,
    /// The value of the second witness.
    pub(crate) against_value: String,
    /// The first value minus the second, in parts per million of the second; null if the second is zero.
    pub(crate) difference_ppm: Option<String>,
    /// The difference that chance and the instruments explain, in parts per million.
    pub(crate) expected_ppm: String,
    /// The difference in standard deviations of chance, in thousandths; null if chance has no part in it.
    pub(crate) z_milli: Option<String>,
    /// Whether the difference is larger than chance and the instruments explain.
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
            witness: pair.left_name.to_owned(),
            value: pair.left.to_string(),
            against: pair.right_name.to_owned(),
            against_value: pair.right.to_string(),
            difference_ppm: pair.difference_ppm.map(|ppm| ppm.to_string()),
            expected_ppm: pair.expected_ppm.to_string(),
            z_milli: pair.z_milli.map(|z| z.to_string()),
            beyond: pair.is_beyond,
        }
    }
}
