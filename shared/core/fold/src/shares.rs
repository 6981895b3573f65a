//! Shares: each header is hashed again here, and one proof counts once.

use wb_events::identity::event_id;
use wb_events::u128_bytes;
use wb_events::wire::resolution::Outcome as Resolved;
use wb_events::wire::{Resolution, Share};
use wb_proof::{Header, Reason, ShareContext, Verdict};

use crate::Entry;
use crate::archive::{ArchiveError, ProofArchive};
use crate::count::Outcome;
use crate::refusal::Refusal;
use crate::state::{ProofSeen, State};
use crate::tables::{ShareRow, Tables};

pub(crate) fn fold(
    state: &mut State,
    archive: &dyn ProofArchive,
    tables: &mut Tables,
    entry: &Entry<'_>,
    share: &Share,
) -> Result<Outcome, ArchiveError> {
    let Some(resolution) = &share.resolution else {
        let text = "the share was not resolved by ingest";
        return Ok(entry.refuse(tables, Refusal::UnresolvedShare, text));
    };
    Ok(match resolution.outcome() {
        Resolved::Unspecified => {
            entry.refuse(tables, Refusal::UnresolvedShare, "the share says not how it was resolved")
        }
        Resolved::Refused => refused(state, tables, entry, share, resolution),
        Resolved::Rebuilt | Resolved::Replayed => judged(state, archive, tables, entry, share, resolution)?,
    })
}

/// A share without a header has no proof; its identity is its source, epoch, key and sequence.
fn refused(
    state: &mut State,
    tables: &mut Tables,
    entry: &Entry<'_>,
    share: &Share,
    resolution: &Resolution,
) -> Outcome {
    let reason = u8::try_from(resolution.refusal).ok().and_then(|code| Reason::from_code(code).ok());
    let Some(reason) = reason else {
        return entry.refuse(tables, Refusal::UnresolvedShare, "the reason of its refusal is unknown");
    };
    let outcome = match entry.admit(state, tables) {
        Ok(()) => Outcome::rejected(reason.as_str()),
        Err(outcome) if outcome.verdict == Outcome::DUPLICATE => outcome,
        Err(outcome) => return outcome,
    };
    tables.share(
        entry.origin,
        entry.event,
        &ShareRow {
            share_id: event_id(entry.event),
            session_id: &share.session_id,
            job_id: &share.job_id,
            site_id: &resolution.site_id,
            machine_id: &resolution.machine_id,
            chain: &resolution.chain,
            height: resolution.height,
            nbits: resolution.network_nbits,
            subsidy_sat: resolution.subsidy_sat,
            credited_q32: 0,
            verdict: outcome.verdict,
            reason: outcome.reason,
            solves_block: false,
            hash: [0; 32],
            header: &[],
        },
    );
    outcome
}

fn judged(
    state: &mut State,
    archive: &dyn ProofArchive,
    tables: &mut Tables,
    entry: &Entry<'_>,
    share: &Share,
    resolution: &Resolution,
) -> Result<Outcome, ArchiveError> {
    let (Ok(header), Some(hash)) = (Header::from_slice(&share.header), entry.hash) else {
        return Ok(entry.refuse(tables, Refusal::BadHeader, "a header has 80 bytes"));
    };
    let Some(assigned_q32) = u128_bytes::decode(&resolution.assigned_q32) else {
        let text = "the assigned difficulty is not 16 bytes";
        return Ok(entry.refuse(tables, Refusal::UnresolvedShare, text));
    };
    let context = ShareContext {
        assigned_q32,
        network_nbits: resolution.network_nbits,
        job_ntime: resolution.job_ntime,
        event_time_s: entry.event.event_time_us.div_euclid(1_000_000),
        stale: resolution.stale,
    };
    let judgement = wb_proof::judge_hashed(&header, *hash, &context);
    let id = *judgement.share_id.as_bytes();
    let previous = header.prev;
    // A proof that was refused may still count in another context, but it is refused only once: a second refusal is a
    // duplicate.
    let verdict = match (state.proof(&previous, &id, archive)?, judgement.verdict) {
        (ProofSeen::TipForgotten, _) => {
            let text = "its chain tip is older than the eight days for which proofs are remembered";
            return Ok(entry.refuse(tables, Refusal::TipForgotten, text));
        }
        (ProofSeen::Counted, _) | (ProofSeen::Refused, Verdict::Rejected(_)) => Verdict::Duplicate,
        (ProofSeen::New | ProofSeen::Refused, verdict) => verdict,
    };
    let counted = verdict == Verdict::Accepted;
    state.remember(&previous, id, counted, entry.origin.append_time_us);
    let outcome = match verdict {
        Verdict::Accepted => Outcome::accepted(),
        Verdict::Duplicate => Outcome::duplicate(),
        Verdict::Rejected(reason) => Outcome::rejected(reason.as_str()),
    };
    tables.share(
        entry.origin,
        entry.event,
        &ShareRow {
            share_id: id,
            session_id: &share.session_id,
            job_id: &share.job_id,
            site_id: &resolution.site_id,
            machine_id: &resolution.machine_id,
            chain: &resolution.chain,
            height: resolution.height,
            nbits: resolution.network_nbits,
            subsidy_sat: resolution.subsidy_sat,
            credited_q32: if counted { assigned_q32 } else { 0 },
            verdict: outcome.verdict,
            reason: outcome.reason,
            solves_block: judgement.solves_block,
            hash: judgement.hash,
            header: &share.header,
        },
    );
    Ok(outcome)
}
