//! Resolves shares: from a submit in its session's protocol to the header that it proves.

use wb_auth::{Role, Source};
use wb_events::input::{InputError, InputFault};
use wb_events::u128_bytes;
use wb_events::wire::resolution::Outcome;
use wb_events::wire::{Resolution, Share};
use wb_proof::{Header, Reason, stratum_v1, stratum_v2};
use wb_units::Micros;

use super::Unresolved;
use crate::reference::{Agreed, Given, KnownJob, KnownSession, Reference, subsidy_of};

pub(super) fn resolve(
    reference: &Reference,
    source: &Source,
    share: &mut Share,
    at_us: Micros,
) -> Result<Resolution, Unresolved> {
    let Some(session) = reference.session(&share.session_id, at_us) else {
        let reason = format!(
            "session {:?} is unknown at the share's event time: send its session fact first, valid from before it",
            share.session_id
        );
        return Err(Unresolved::Unknown(InputError::new(
            InputFault::UnknownSession,
            "body.session_id",
            reason,
        )));
    };
    let Some(site_id) = reference.site_of(&session.machine_id, at_us).map(str::to_owned) else {
        let reason = format!("machine {:?} of the session is unknown", session.machine_id);
        return Err(Unresolved::Unknown(InputError::new(
            InputFault::UnknownMachine,
            "body.session_id",
            reason,
        )));
    };
    let resolution = Resolution {
        site_id,
        machine_id: session.machine_id.clone(),
        chain: session.chain.clone(),
        ..Resolution::default()
    };
    if share.header.is_empty() {
        resolve_submit(reference, &session, share, resolution, at_us)
    } else {
        resolve_bare(reference, source, &session, share, resolution)
    }
}

fn refused(mut resolution: Resolution, reason: Reason) -> Resolution {
    resolution.set_outcome(Outcome::Refused);
    resolution.refusal = u32::from(reason.code());
    resolution
}

/// Resolves a bare header. It proves work, but not whose, so only a source that replays history may send it.
fn resolve_bare(
    reference: &Reference,
    source: &Source,
    session: &KnownSession,
    share: &mut Share,
    mut resolution: Resolution,
) -> Result<Resolution, Unresolved> {
    let Ok(header) = Header::from_slice(&share.header) else {
        let error = InputError::field("body.header", "a header has 80 bytes");
        return Err(Unresolved::Wrong(error));
    };
    resolution.height = share.height;
    resolution.network_nbits = reference.network_nbits(&session.chain, share.height).unwrap_or(header.nbits);
    resolution.subsidy_sat = subsidy_of(&session.chain, share.height);
    if !source.has(Role::Replay) || session.protocol != "replay" {
        share.header.clear();
        return Ok(refused(resolution, Reason::UnboundWork));
    }
    resolution.set_outcome(Outcome::Replayed);
    resolution.assigned_q32 = u128_bytes::encode(session.agreed.assigned_q32());
    resolution.job_ntime = header.ntime;
    Ok(resolution)
}

fn resolve_submit(
    reference: &Reference,
    session: &KnownSession,
    share: &mut Share,
    mut resolution: Resolution,
    at_us: Micros,
) -> Result<Resolution, Unresolved> {
    check_form(session, share).map_err(Unresolved::Wrong)?;
    let Some(job) = reference.job(&session.scope, &share.job_id) else {
        return Ok(refused(resolution, Reason::UnknownJob));
    };
    resolution.height = job.height;
    resolution.network_nbits =
        reference.network_nbits(&session.chain, job.height).unwrap_or_else(|| job.given.nbits());
    resolution.subsidy_sat = subsidy_of(&session.chain, job.height);
    match rebuild(session, &job, share) {
        Ok(header) => {
            share.header = header.to_bytes().to_vec();
            resolution.set_outcome(Outcome::Rebuilt);
            resolution.assigned_q32 = u128_bytes::encode(session.agreed.assigned_q32());
            resolution.job_ntime = job.given.ntime();
            resolution.stale =
                reference.is_stale(&session.chain, &header.prev, at_us, session.stale_window_us);
            Ok(resolution)
        }
        Err(reason) => Ok(refused(resolution, reason)),
    }
}

/// Refuses a submit in another protocol than its session's. The sender can still correct it, so it is not counted as
/// a lost share.
fn check_form(session: &KnownSession, share: &Share) -> Result<(), InputError> {
    match (&session.agreed, share.version) {
        (Agreed::V1(_), None) | (Agreed::V2(_), Some(_)) => Ok(()),
        (Agreed::V1(_), Some(_)) => {
            let reason = format!(
                "session {:?} speaks {}: its shares have extranonce2 and, where bits are rolled, version_bits",
                share.session_id, session.protocol
            );
            Err(InputError::new(InputFault::OtherProtocol, "body.version", reason))
        }
        (Agreed::V2(_), None) => {
            let reason = format!(
                "session {:?} speaks {}: its shares have the whole version and, on an extended channel, extranonce",
                share.session_id, session.protocol
            );
            Err(InputError::new(InputFault::OtherProtocol, "body.version", reason))
        }
    }
}

/// The header, or why there is none. A job of the other protocol was never sent to this session.
fn rebuild(session: &KnownSession, job: &KnownJob, share: &Share) -> Result<Header, Reason> {
    match (&session.agreed, &job.given) {
        (Agreed::V1(session), Given::V1(job)) => {
            let submit = stratum_v1::Submit {
                job_id: share.job_id.clone(),
                extranonce2: share.extranonce2.clone(),
                ntime: share.ntime,
                nonce: share.nonce,
                version_bits: share.version_bits,
            };
            stratum_v1::rebuild(session, job, &submit).map_err(|reject| reject.reason())
        }
        (Agreed::V2(channel), Given::V2(job)) => {
            let Some(version) = share.version else { return Err(Reason::BadVersionBits) };
            let submit = stratum_v2::Submit {
                job_id: share.job_id.clone(),
                version,
                ntime: share.ntime,
                nonce: share.nonce,
                extranonce: share.extranonce.clone(),
            };
            stratum_v2::rebuild(channel, job, &submit).map_err(|reject| reject.reason())
        }
        (Agreed::V1(_), Given::V2(_)) | (Agreed::V2(_), Given::V1(_)) => Err(Reason::UnknownJob),
    }
}
