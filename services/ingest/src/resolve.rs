//! Resolves an event against the facts: whose it is, and for a share the header that it proves.

mod shares;

use wb_auth::{Role, Source};
use wb_events::Event;
use wb_events::facts::{CONTRACT_WITHDRAWAL, FactBody, REDRIVE};
use wb_events::input::{InputError, InputFault};
use wb_events::u128_bytes;
use wb_events::wire::{self, MinerReading, event::Body};
use wb_rating::VersionRefused;
use wb_units::Micros;
use wb_units::time::FUTURE_TOLERANCE_US;

use crate::reference::Reference;

/// The state of a machine that did not answer, besides those of `wb_metering::miner::State`; uptime uses the same
/// name.
const OFFLINE: &str = "offline";

/// Why an event was not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// It refers to something unknown; retried once all facts recorded by now are read.
    Unknown(InputError),
    /// It is wrong, whatever else is known.
    Wrong(InputError),
}

/// The role that a source needs to send this event.
fn needed_role(body: &Body) -> Role {
    match body {
        // A bare header from a pool without the role `replay` is accepted and counts as unbound work.
        Body::Share(_) => Role::Pool,
        Body::MinerSample(_) => Role::Telemetry,
        Body::EnergyReading(_) => Role::Meter,
        Body::GpuSpan(_) => Role::Scheduler,
        Body::GpuSample(_) => Role::Telemetry,
        Body::Fact(_) => Role::Operator,
    }
}

/// Checks that the source may send the event, and that its time is not in the future.
///
/// # Errors
/// [`InputError`] `WB-3004` for a missing role, `WB-2004` for a time ahead of the clock.
pub fn admit(source: &Source, event: &Event, now_us: Micros) -> Result<(), InputError> {
    let Some(body) = &event.body else { return Ok(()) };
    let needed = needed_role(body);
    let is_enough = match body {
        Body::Share(_) => source.has(Role::Replay),
        // Registers and samples of an exporter come from one scrape and one sender.
        Body::GpuSample(_) => source.has(Role::Meter),
        _ => false,
    };
    if !is_enough {
        source.require(needed).map_err(|error| InputError::coded(error.code(), "kind", error.message()))?;
    }
    if event.event_time_us > now_us.saturating_add(FUTURE_TOLERANCE_US) {
        let reason = format!(
            "{} is more than two hours ahead of this clock ({now_us}): the sender's clock is wrong",
            event.event_time_us
        );
        return Err(InputError::new(InputFault::TooLate, "event_time_us", reason));
    }
    Ok(())
}

/// Completes an event from the facts.
///
/// # Errors
/// [`Unresolved`].
pub fn resolve(
    reference: &Reference,
    source: &Source,
    event: &mut Event,
    now_us: Micros,
) -> Result<(), Unresolved> {
    let at_us = event.event_time_us;
    let site_of = |machine_id: &str, field: &str| {
        reference.site_of(machine_id, at_us).map(str::to_owned).ok_or_else(|| {
            let reason = format!("machine {machine_id:?} is unknown: send its machine fact first");
            Unresolved::Unknown(InputError::new(InputFault::UnknownMachine, field, reason))
        })
    };
    match &mut event.body {
        None => {}
        Some(Body::Share(share)) => {
            share.resolution = Some(shares::resolve(reference, source, share, at_us)?);
        }
        Some(Body::MinerSample(sample)) => {
            let site_id = site_of(&sample.machine_id, "body.machine_id")?;
            let read = match sample.unreachable {
                Some(_) => Ok(MinerReading { site_id, state: OFFLINE.to_owned(), ..MinerReading::default() }),
                None => read_sample(&sample.answers, site_id),
            };
            sample.reading = Some(read.map_err(Unresolved::Wrong)?);
        }
        Some(Body::EnergyReading(reading)) => {
            reading.site_id = site_of(&reading.machine_id, "body.machine_id")?;
        }
        Some(Body::GpuSpan(span)) => span.site_id = site_of(&span.node_id, "body.node_id")?,
        Some(Body::GpuSample(sample)) => sample.site_id = site_of(&sample.node_id, "body.node_id")?,
        Some(Body::Fact(fact)) => check_fact(reference, fact, now_us)?,
    }
    Ok(())
}

fn read_sample(answers: &str, site_id: String) -> Result<MinerReading, InputError> {
    let reading = wb_metering::miner::normalise(answers)
        .map_err(|error| InputError::coded(error.code(), "body.answers", error.to_string()))?;
    Ok(MinerReading {
        site_id,
        family: reading.family.as_str().to_owned(),
        state: reading.state.as_str().to_owned(),
        algorithm: reading.algorithm.to_owned(),
        hashrate_hs: reading.hashrate_hs.map(u128_bytes::encode),
        power_mw: reading.power_mw,
        uptime_s: reading.uptime_s,
        accepted_shares: reading.accepted_shares,
        rejected_shares: reading.rejected_shares,
        stale_shares: reading.stale_shares,
    })
}

/// A refusal of a version of a contract.
fn refused_version(refused: &VersionRefused) -> Unresolved {
    Unresolved::Wrong(InputError::coded(refused.code(), "body.body.version", refused.to_string()))
}

fn check_fact(reference: &Reference, fact: &wire::Fact, now_us: Micros) -> Result<(), Unresolved> {
    match fact.kind.as_str() {
        "contract" => {
            wb_rating::Contract::parse(&fact.body).map_err(|error| {
                Unresolved::Wrong(InputError::coded(error.code(), "body.body", error.to_string()))
            })?;
            reference
                .check_contract(&fact.entity, &fact.body)
                .map_err(|refused| refused_version(&refused))?;
        }
        CONTRACT_WITHDRAWAL => {
            let parsed = FactBody::parse(&fact.kind, &fact.entity, &fact.body).map_err(Unresolved::Wrong)?;
            if let FactBody::ContractWithdrawal(withdrawal) = parsed {
                // Neither its own instant nor the present may lie in the time in which the version holds.
                let at_us = fact.valid_from_us.max(now_us);
                reference
                    .check_withdrawal(&fact.entity, withdrawal.version, at_us)
                    .map_err(|refused| refused_version(&refused))?;
            }
        }
        REDRIVE => {
            let reason = "is recorded by `weighbridge quarantine redrive` alone, beside what it re-drives";
            return Err(Unresolved::Wrong(InputError::field("body.fact", reason)));
        }
        "job" if !reference.has_room_for_jobs() => {
            let reason = "the limit of remembered jobs is reached";
            return Err(Unresolved::Wrong(InputError::new(InputFault::NoRoomForJobs, "body", reason)));
        }
        "session" => {
            let parsed = FactBody::parse(&fact.kind, &fact.entity, &fact.body).map_err(Unresolved::Wrong)?;
            if let FactBody::Session(session) = parsed
                && reference.site_of(&session.machine_id, fact.valid_from_us).is_none()
            {
                let reason =
                    format!("machine {:?} is unknown: send its machine fact first", session.machine_id);
                let error = InputError::new(InputFault::UnknownMachine, "body.body.machine_id", reason);
                return Err(Unresolved::Unknown(error));
            }
        }
        _ => {}
    }
    Ok(())
}
