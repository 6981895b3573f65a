//! Real accepted shares with something changed: accepted again only if the hash truly meets the target.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wb_fuzz::{assert_judged, context_of, rebuilt, verdict};
use wb_proof::session_file::{SessionCase, parse};
use wb_proof::stratum_v1::{rebuild, rebuild_batch};
use wb_proof::{Verdict, judge};

static REAL: LazyLock<Vec<SessionCase>> = LazyLock::new(|| {
    parse(include_str!("../../tests/data/bitcoin/stratum_v1_jobs.json"))
        .expect("the recorded sessions can be read")
});

#[derive(Debug, Arbitrary)]
enum Change {
    Nonce(u32),
    Ntime(u32),
    JobNtime(u32),
    Version(u32),
    VersionBits(Option<u32>),
    Mask(Option<u32>),
    Nbits(u32),
    Assigned(u128),
    Extranonce1(u16, u8),
    Extranonce2(u16, u8),
    Extranonce2Size(u8),
    Coinb1(u16, u8),
    Coinb2(u16, u8),
    Prevhash(u16, u8),
    Branch(u8, u16, u8),
    DropBranch(u8),
    AddBranch([u8; 32]),
    MoveByte,
    JobId(String),
}

fn flip(bytes: &mut [u8], at: u16, mask: u8) {
    let length = bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(usize::from(at) % length) {
        *byte ^= mask;
    }
}

fn apply(case: &mut SessionCase, change: Change) {
    let (session, job, submit) = (&mut case.session, &mut case.job, &mut case.submit);
    let branches = job.branch.len().max(1);
    match change {
        Change::Nonce(mask) => submit.nonce ^= mask,
        Change::Ntime(mask) => submit.ntime ^= mask,
        Change::JobNtime(mask) => job.ntime ^= mask,
        Change::Version(mask) => job.version ^= mask,
        Change::VersionBits(bits) => submit.version_bits = bits,
        Change::Mask(mask) => session.version_mask = mask,
        Change::Nbits(mask) => job.nbits ^= mask,
        Change::Assigned(q32) => session.assigned_q32 = q32,
        Change::Extranonce1(at, mask) => flip(&mut session.extranonce1, at, mask),
        Change::Extranonce2(at, mask) => flip(&mut submit.extranonce2, at, mask),
        Change::Extranonce2Size(size) => session.extranonce2_size = usize::from(size),
        Change::Coinb1(at, mask) => flip(&mut job.coinb1, at, mask),
        Change::Coinb2(at, mask) => flip(&mut job.coinb2, at, mask),
        Change::Prevhash(at, mask) => flip(&mut job.prevhash_wire, at, mask),
        Change::Branch(which, at, mask) => {
            if let Some(hash) = job.branch.get_mut(usize::from(which) % branches) {
                flip(hash, at, mask);
            }
        }
        Change::DropBranch(which) if !job.branch.is_empty() => {
            job.branch.remove(usize::from(which) % branches);
        }
        Change::DropBranch(_) => {}
        Change::AddBranch(hash) => job.branch.push(hash),
        // The same coinbase, parted elsewhere: the one change that keeps the proof.
        Change::MoveByte => session.extranonce1.extend(job.coinb1.pop().into_iter().take(1)),
        Change::JobId(id) => submit.job_id = id,
    }
}

fuzz_target!(|input: (u8, Vec<Change>)| {
    let (which, changes) = input;
    let mut case = REAL[usize::from(which) % REAL.len()].clone();
    let original = rebuilt(&case.session, &case.job, &case.submit);
    let context = context_of(&case.session, &case.job, &case.submit);
    for change in changes {
        apply(&mut case, change);
    }
    let (session, job, submit) = (&case.session, &case.job, &case.submit);
    let header = rebuild(session, job, submit);
    assert_eq!(rebuild_batch(job, &[(session, submit); 3]), [header.clone(), header.clone(), header.clone()]);
    let plain = rebuilt(session, job, submit);
    assert_eq!(header.as_ref().ok().map(wb_proof::Header::to_bytes), plain);
    let Ok(header) = header else { return };
    assert_judged(&header, &context_of(session, job, submit));
    // Against the assignment and the network as they were: what is accepted is the very proof, or another real one.
    if judge(&header, &context).verdict == Verdict::Accepted {
        assert!(plain == original || plain.is_some_and(|plain| verdict(&plain, &context).0.is_none()));
    }
});
