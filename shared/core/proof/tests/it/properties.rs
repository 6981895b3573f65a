//! What must hold for any number: round trips, order, and that nothing is accepted whose hash does not meet its target.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use wb_proof::session_file::{SessionCase, parse};
use wb_proof::stratum_v1::rebuild;
use wb_proof::{
    Header, Reason, ShareContext, ShareId, Target, U256, Verdict, achieved_difficulty_q32,
    credit_q32_of_target, difficulty_decimal, display_hash, judge, meets_credit_q32, parse_difficulty_q32,
    parse_display_hash, sha256d,
};

fn real_sessions() -> Vec<SessionCase> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/bitcoin/stratum_v1_jobs.json");
    parse(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The targets of the difficulties that the recorded sessions assign, written out: D1, D1 >> 10 and D1 >> 16.
fn plain_target_be(assigned_q32: u128) -> [u8; 32] {
    let mut target = [0; 32];
    match assigned_q32 >> 32 {
        1 => target[4..6].copy_from_slice(&[0xff, 0xff]),
        1024 => target[5..8].copy_from_slice(&[0x3f, 0xff, 0xc0]),
        65536 => target[6..8].copy_from_slice(&[0xff, 0xff]),
        other => panic!("no plain target for difficulty {other}"),
    }
    target
}

fn meets_plainly(hash: &[u8; 32], target_be: &[u8; 32]) -> bool {
    hash.iter().rev().cmp(target_be.iter()).is_le()
}

/// One change to a real session.
#[derive(Debug, Clone)]
enum Change {
    Nonce(u32),
    Ntime(u32),
    Extranonce2(Index, u8),
    Extranonce1(Index, u8),
    Coinb1(Index, u8),
    Coinb2(Index, u8),
    Branch(Index, Index, u8),
    DropBranch(Index),
    Prevhash(Index, u8),
    Version(u32),
    VersionBits(Option<u32>),
    Mask(Option<u32>),
    Nbits(u32),
    Nothing,
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let byte = 1_u8..;
    prop_oneof![
        any::<u32>().prop_map(Change::Nonce),
        (0_u32..10_000).prop_map(Change::Ntime),
        (at(), byte.clone()).prop_map(|(i, b)| Change::Extranonce2(i, b)),
        (at(), byte.clone()).prop_map(|(i, b)| Change::Extranonce1(i, b)),
        (at(), byte.clone()).prop_map(|(i, b)| Change::Coinb1(i, b)),
        (at(), byte.clone()).prop_map(|(i, b)| Change::Coinb2(i, b)),
        (at(), at(), byte.clone()).prop_map(|(i, j, b)| Change::Branch(i, j, b)),
        at().prop_map(Change::DropBranch),
        (at(), byte).prop_map(|(i, b)| Change::Prevhash(i, b)),
        any::<u32>().prop_map(Change::Version),
        any::<Option<u32>>().prop_map(Change::VersionBits),
        any::<Option<u32>>().prop_map(Change::Mask),
        any::<u32>().prop_map(Change::Nbits),
        Just(Change::Nothing),
    ]
}

fn flip(bytes: &mut [u8], at: &Index, mask: u8) {
    if !bytes.is_empty() {
        bytes[at.index(bytes.len())] ^= mask;
    }
}

fn apply(case: &mut SessionCase, change: &Change) {
    let (session, job, submit) = (&mut case.session, &mut case.job, &mut case.submit);
    match change {
        Change::Nonce(nonce) => submit.nonce = *nonce,
        Change::Ntime(later) => submit.ntime += later,
        Change::Extranonce2(at, mask) => flip(&mut submit.extranonce2, at, *mask),
        Change::Extranonce1(at, mask) => flip(&mut session.extranonce1, at, *mask),
        Change::Coinb1(at, mask) => flip(&mut job.coinb1, at, *mask),
        Change::Coinb2(at, mask) => flip(&mut job.coinb2, at, *mask),
        Change::Branch(which, at, mask) if !job.branch.is_empty() => {
            let which = which.index(job.branch.len());
            flip(&mut job.branch[which], at, *mask);
        }
        Change::DropBranch(which) if !job.branch.is_empty() => {
            let which = which.index(job.branch.len());
            job.branch.remove(which);
        }
        Change::Prevhash(at, mask) => flip(&mut job.prevhash_wire, at, *mask),
        Change::Version(version) => job.version = *version,
        Change::VersionBits(bits) => submit.version_bits = *bits,
        Change::Mask(mask) => session.version_mask = *mask,
        Change::Nbits(nbits) => job.nbits = *nbits,
        Change::Branch(..) | Change::DropBranch(_) | Change::Nothing => {}
    }
}

/// A header made by concatenation alone, as the protocol describes it.
fn plain_header(case: &SessionCase) -> Vec<u8> {
    let (session, job, submit) = (&case.session, &case.job, &case.submit);
    let coinbase =
        [&job.coinb1[..], &session.extranonce1[..], &submit.extranonce2[..], &job.coinb2[..]].concat();
    let root = job.branch.iter().fold(sha256d(&coinbase), |root, hash| sha256d(&[root, *hash].concat()));
    let mask = session.version_mask.unwrap_or(0);
    let version = submit.version_bits.map_or(job.version, |bits| (job.version & !mask) | (bits & mask));
    let mut header = version.to_le_bytes().to_vec();
    for word in job.prevhash_wire.chunks(4) {
        header.extend(word.iter().rev());
    }
    header.extend(root);
    for number in [submit.ntime, job.nbits, submit.nonce] {
        header.extend(number.to_le_bytes());
    }
    header
}

fn any_header() -> impl Strategy<Value = Header> {
    any::<([u8; 32], [u8; 32], [u32; 4])>().prop_map(|(prev, root, [version, ntime, nbits, nonce])| Header {
        version,
        prev,
        root,
        ntime,
        nbits,
        nonce,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_share_is_accepted_only_if_its_hash_meets_the_target(
        which in any::<Index>(),
        changes in prop::collection::vec(change(), 1..3),
    ) {
        let mut cases = real_sessions();
        let original = cases.swap_remove(which.index(cases.len()));
        let mut case = original.clone();
        for change in &changes {
            apply(&mut case, change);
        }
        let rebuilt = rebuild(&case.session, &case.job, &case.submit);
        let bits_allowed = case.submit.version_bits.unwrap_or(0) & !case.session.version_mask.unwrap_or(0) == 0;
        prop_assert_eq!(rebuilt.is_ok(), bits_allowed);
        if let Ok(header) = rebuilt {
            let plain = plain_header(&case);
            prop_assert_eq!(&header.to_bytes()[..], &plain[..]);
            let context = ShareContext {
                assigned_q32: case.session.assigned_q32,
                network_nbits: original.job.nbits,
                job_ntime: case.job.ntime,
                event_time_s: i64::from(original.submit.ntime),
                stale: false,
            };
            let judgement = judge(&header, &context);
            let meets = meets_plainly(&sha256d(&plain), &plain_target_be(case.session.assigned_q32));
            let in_time = (case.job.ntime..=original.submit.ntime + 7_200).contains(&case.submit.ntime);
            let same_bits = case.job.nbits == original.job.nbits;
            prop_assert_eq!(judgement.verdict == Verdict::Accepted, meets && in_time && same_bits);
            if plain == plain_header(&original) {
                prop_assert_eq!(judgement.verdict, Verdict::Accepted);
                prop_assert!(judgement.solves_block);
            } else {
                prop_assert!(!judgement.solves_block, "a new block was found by chance");
            }
        }
    }

    /// Credits near 2^-32 have targets near 2^256, so that both answers come up.
    #[test]
    fn any_header_is_accepted_exactly_when_a_byte_compare_says_so(header in any_header(), q32 in 1_u128..8) {
        let target: U256 = (U256::from(0xffff_u32) << 240) / U256::from(q32);
        let context = ShareContext {
            assigned_q32: q32,
            network_nbits: 0x1702_8c61,
            job_ntime: header.ntime,
            event_time_s: i64::from(header.ntime),
            stale: false,
        };
        let judgement = judge(&Header { nbits: 0x1702_8c61, ..header }, &context);
        let expected = if meets_plainly(&judgement.hash, &target.to_be_bytes()) {
            Verdict::Accepted
        } else {
            Verdict::Rejected(Reason::LowDifficulty)
        };
        prop_assert_eq!(judgement.verdict, expected);
        prop_assert_eq!(judgement.share_id, ShareId::of_hash(&judgement.hash));
    }

    #[test]
    fn a_header_survives_its_bytes(header in any_header()) {
        prop_assert_eq!(Header::from_bytes(&header.to_bytes()), header);
        prop_assert_eq!(parse_display_hash("hash", &display_hash(&header.hash())), Ok(header.hash()));
    }

    #[test]
    fn compact_bits_round_trip_and_never_grow(nbits in any::<u32>(), limbs in any::<[u64; 4]>(), shift in 0_usize..256) {
        if let Ok(target) = Target::from_nbits(nbits) {
            let canonical = target.to_nbits();
            prop_assert_eq!(Target::from_nbits(canonical), Ok(target));
            prop_assert_eq!(target.is_met_by(&target.as_u256().to_le_bytes()), true);
        }
        if let Ok(target) = Target::from_u256(U256::from_limbs(limbs) >> shift) {
            let rounded = Target::from_nbits(target.to_nbits()).unwrap();
            prop_assert!(rounded <= target);
            // At most the 16 bits under the leading byte are kept for sure.
            prop_assert!(target.as_u256() - rounded.as_u256() <= target.as_u256() >> 15);
            prop_assert_eq!(rounded.to_nbits(), target.to_nbits());
        }
    }

    #[test]
    fn more_credit_never_has_an_easier_target(a in 1_u128.., b in 1_u128.., shift in 0_u32..127) {
        let (a, b) = ((a >> shift).max(1), (b >> shift).max(1));
        let (target_a, target_b) = (Target::from_credit_q32(a).unwrap(), Target::from_credit_q32(b).unwrap());
        if a <= b {
            prop_assert!(target_a >= target_b);
        }
        prop_assert!(credit_q32_of_target(&target_a) >= a, "the floor of a target is never worth less");
        if target_a <= target_b {
            prop_assert!(credit_q32_of_target(&target_a) >= credit_q32_of_target(&target_b));
        }
        // Up to difficulty 2^64 the target keeps the credit exactly.
        if a < 1 << 96 {
            prop_assert_eq!(credit_q32_of_target(&target_a), a);
        }
    }

    #[test]
    fn multiplication_and_division_agree_on_meeting(hash in any::<[u8; 32]>(), q32 in 1_u128.., shift in 0_u32..127, zeros in 0_usize..16) {
        let mut hash = hash;
        hash[32 - zeros..].fill(0);
        let q32 = (q32 >> shift).max(1);
        let target = Target::from_credit_q32(q32).unwrap();
        prop_assert_eq!(meets_credit_q32(&hash, q32), target.is_met_by(&hash));
        prop_assert_eq!(target.is_met_by(&hash), meets_plainly(&hash, &target.to_be_bytes()));
        prop_assert_eq!(target.is_met_by(&hash), achieved_difficulty_q32(&hash) >= U256::from(q32));
        // The target itself is met, one more is not.
        prop_assert!(meets_credit_q32(&target.as_u256().to_le_bytes(), q32));
        prop_assert!(!meets_credit_q32(&(target.as_u256() + U256::from(1)).to_le_bytes(), q32));
    }

    #[test]
    fn difficulty_text_round_trips(q32 in 1_u128.., shift in 0_u32..127) {
        let q32 = (q32 >> shift).max(1);
        let text = difficulty_decimal(U256::from(q32), U256::from(1_u64 << 32), 32);
        prop_assert_eq!(parse_difficulty_q32(&text), Ok(q32));
    }

    #[test]
    fn no_text_makes_the_parsers_fall_over(text in ".{0,80}", json in r#"[\[\]{}",:0-9a-z_ .-]{0,200}"#) {
        let _ = parse_difficulty_q32(&text);
        let _ = text.parse::<ShareId>();
        let _ = parse(&json);
        let _ = parse(&text);
    }
}
