//! Every way of hashing over every real block, and batches against one share at a time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use wb_proof::session_file::{SessionCase, check, parse};
use wb_proof::stratum_v1::{Job, JobBatch, Session, Submit, rebuild, rebuild_batch};
use wb_proof::testing::Path;
use wb_proof::{
    Hash256, Header, Judgement, Reason, ShareContext, Verdict, batch_path, display_hash, hex, judge,
    judge_batch, judge_hashed, sha256d_headers, sha256d_many_64,
};

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/bitcoin").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn header_bytes(text: &str) -> [u8; 80] {
    hex::decode_array("header", text).unwrap()
}

/// (hash as displayed, header) of all real headers: the first 400 blocks, one of each epoch, eight later ones.
fn real_headers() -> Vec<(String, [u8; 80])> {
    let mut found = Vec::new();
    for name in ["first_blocks_2009.csv", "mainnet_epoch_headers.csv"] {
        for line in data(name).lines().skip(1) {
            let columns: Vec<&str> = line.split(',').collect();
            found.push((columns[1].to_owned(), header_bytes(columns[2])));
        }
    }
    assert_eq!(found.len(), 400 + 375);
    let blocks: Vec<serde_json::Value> = serde_json::from_str(&data("real_blocks.json")).unwrap();
    assert_eq!(blocks.len(), 8);
    for block in blocks {
        let text = |field: &str| block[field].as_str().unwrap().to_owned();
        found.push((text("hash"), header_bytes(&text("header_hex"))));
    }
    found
}

fn as_share(header: &Header) -> ShareContext {
    ShareContext {
        assigned_q32: 1 << 32,
        network_nbits: header.nbits,
        job_ntime: header.ntime,
        event_time_s: i64::from(header.ntime),
        stale: false,
    }
}

#[test]
fn the_chosen_path_is_one_of_this_cpu() {
    let names: Vec<&str> = Path::all().iter().map(Path::name).collect();
    println!("paths {names:?}, chosen {}", batch_path());
    assert!(names.contains(&batch_path()) && names.contains(&"portable"), "{names:?}");
    assert!(Path::named("portable").is_some() && Path::named("abacus").is_none());
}

#[test]
fn every_real_header_has_its_hash_on_every_path() {
    let (hashes, headers): (Vec<String>, Vec<[u8; 80]>) = real_headers().into_iter().unzip();
    let shares: Vec<(Header, ShareContext)> = headers
        .iter()
        .map(|bytes| {
            let header = Header::from_bytes(bytes);
            (header, as_share(&header))
        })
        .collect();
    let check_all = |name: &str, found: &[Hash256], judged: &[Judgement]| {
        for ((expected, found), judgement) in hashes.iter().zip(found).zip(judged) {
            assert_eq!(display_hash(found), *expected, "{name}");
            assert_eq!(judgement.hash, *found, "{name}");
            assert_eq!((judgement.verdict, judgement.solves_block), (Verdict::Accepted, true), "{name}");
        }
        assert_eq!((found.len(), judged.len()), (hashes.len(), hashes.len()));
    };
    for path in Path::all() {
        let mut found = vec![[0; 32]; headers.len()];
        path.sha256d_headers(&headers, &mut found);
        check_all(path.name(), &found, &path.judge_batch(&shares));
    }
    let mut found = vec![[0; 32]; headers.len()];
    sha256d_headers(&headers, &mut found).unwrap();
    check_all("chosen", &found, &judge_batch(&shares));
}

/// The coinbase of a block cut at every place that can matter, so that its rebuild has blocks of every kind.
#[test]
fn every_real_block_is_rebuilt_on_every_path() {
    let mut blocks: Vec<(Vec<u8>, Vec<Hash256>, Hash256)> = Vec::new();
    for line in data("first_blocks_2009.csv").lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let branch = columns[9].split([';', ' ', '|']).filter(|hash| !hash.is_empty());
        let branch = branch.map(|hash| hex::decode_array("branch", hash).unwrap()).collect();
        let coinbase = hex::decode_vec("coinbase", columns[8], 1 << 16).unwrap();
        blocks.push((coinbase, branch, Header::from_bytes(&header_bytes(columns[2])).root));
    }
    let later: Vec<serde_json::Value> = serde_json::from_str(&data("real_blocks.json")).unwrap();
    for block in later {
        let coinbase = block["coinbase_tx_legacy_hex"].as_str().unwrap();
        let branch = block["merkle_branch_internal_order_hex"].as_array().unwrap();
        blocks.push((
            hex::decode_vec("coinbase", coinbase, 1 << 16).unwrap(),
            branch.iter().map(|hash| hex::decode_array("branch", hash.as_str().unwrap()).unwrap()).collect(),
            Header::from_bytes(&header_bytes(block["header_hex"].as_str().unwrap())).root,
        ));
    }
    assert_eq!(blocks.len(), 408);
    for (which, (coinbase, branch, root)) in blocks.iter().enumerate() {
        // Another place to cut for each block.
        let cut = which % (coinbase.len() - 12);
        let job = Job {
            job_id: "a".to_owned(),
            prevhash_wire: [0; 32],
            coinb1: coinbase[..cut].to_vec(),
            coinb2: coinbase[cut + 12..].to_vec(),
            branch: branch.clone(),
            version: 1,
            nbits: 0x1d00_ffff,
            ntime: 1,
            clean_jobs: false,
        };
        // The same twelve bytes, parted in different ways between the extranonces.
        let shares: Vec<(Session, Submit)> = (0..=12)
            .map(|size| {
                let (first, second) = coinbase[cut..cut + 12].split_at(size);
                let session = Session {
                    extranonce1: first.to_vec(),
                    extranonce2_size: second.len(),
                    version_mask: None,
                    assigned_q32: 1,
                };
                let submit = Submit {
                    job_id: "a".to_owned(),
                    extranonce2: second.to_vec(),
                    ntime: 1,
                    nonce: 1,
                    version_bits: None,
                };
                (session, submit)
            })
            .collect();
        let shares: Vec<(&Session, &Submit)> =
            shares.iter().map(|(session, submit)| (session, submit)).collect();
        let prepared = JobBatch::new(&job);
        for path in Path::all() {
            for header in path.rebuild(&prepared, &shares) {
                assert_eq!(header.unwrap().root, *root, "{}, block {which}, cut at {cut}", path.name());
            }
        }
    }
}

#[test]
fn recorded_sessions_come_out_the_same_on_every_path() {
    let mut cases: Vec<SessionCase> = Vec::new();
    for (name, count) in [("stratum_v1_jobs.json", 8), ("stratum_v1_rejects.json", 33)] {
        let found = parse(&data(name)).unwrap();
        assert_eq!(found.len(), count);
        cases.extend(found);
    }
    for path in Path::all() {
        for case in &cases {
            let outcome = check(case);
            assert!(outcome.matches_expectation, "{}", case.name);
            let job = JobBatch::new(&case.job);
            // Beside shares that differ, so that a lane that mixes them up is noticed.
            let mut others = vec![case.submit.clone(); 20];
            for (nonce, other) in (0..).zip(&mut others[1..]) {
                other.nonce ^= 1 << nonce;
                if let Some(byte) = other.extranonce2.first_mut() {
                    *byte ^= 1 << (nonce % 8);
                }
            }
            let shares: Vec<(&Session, &Submit)> =
                others.iter().map(|submit| (&case.session, submit)).collect();
            let headers = path.rebuild(&job, &shares);
            for ((session, submit), header) in shares.iter().zip(&headers) {
                assert_eq!(*header, rebuild(session, &case.job, submit), "{}, {}", path.name(), case.name);
            }
            let Ok(header) = &headers[0] else {
                assert_eq!(outcome.reason, Some(Reason::BadVersionBits), "{}", case.name);
                continue;
            };
            let context = ShareContext {
                assigned_q32: case.session.assigned_q32,
                network_nbits: case.job.nbits,
                job_ntime: case.job.ntime,
                event_time_s: i64::from(case.submit.ntime),
                stale: false,
            };
            let judgement = path.judge_batch(&[(*header, context)])[0];
            assert_eq!(judgement.verdict.reason(), outcome.reason, "{}, {}", path.name(), case.name);
            assert_eq!(Some(display_hash(&judgement.hash)), outcome.hash, "{}", case.name);
            assert_eq!(judgement.solves_block, outcome.solves_block, "{}", case.name);
        }
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=most)
}

fn any_job() -> impl Strategy<Value = Job> {
    let branch = prop::collection::vec(any::<[u8; 32]>(), 0..=14);
    (any::<[u8; 32]>(), bytes(200), bytes(300), branch, any::<[u32; 3]>()).prop_map(
        |(prevhash_wire, coinb1, coinb2, branch, [version, nbits, ntime])| Job {
            job_id: "j".to_owned(),
            prevhash_wire,
            coinb1,
            coinb2,
            branch,
            version,
            nbits,
            ntime,
            clean_jobs: false,
        },
    )
}

/// A share of job "j", some of them refused: another job, another extranonce2 size, bits outside the mask.
fn any_share() -> impl Strategy<Value = (Session, Submit)> {
    let id = prop::sample::select(vec!["j", "j", "j", "j", "j", "j", "j", "k", ""]);
    let mask = prop::option::of(prop::sample::select(vec![0, 0x1fff_e000, u32::MAX]));
    // Mostly one size, as pools have it; then any other.
    let size = prop_oneof![3 => Just((4, 8)), 1 => (0_usize..=100, 0_usize..=100)];
    let one_off = prop_oneof![9 => Just(0), 1 => Just(1_usize)];
    (id, mask, size, one_off, any::<[u32; 3]>(), any::<u8>()).prop_map(
        |(id, version_mask, (first, second), one_off, [ntime, nonce, bits], fill)| {
            let fresh = |size: usize| {
                (0..size)
                    .map(|at| fill.wrapping_mul(31).wrapping_add(u8::try_from(at % 251).unwrap()))
                    .collect()
            };
            let session = Session {
                extranonce1: fresh(first),
                extranonce2_size: second,
                version_mask,
                assigned_q32: 1,
            };
            let bits = if nonce % 8 == 0 { bits } else { bits & version_mask.unwrap_or(0) };
            let submit = Submit {
                job_id: id.to_owned(),
                extranonce2: fresh(second + one_off),
                ntime,
                nonce,
                version_bits: (ntime % 3 > 0).then_some(bits),
            };
            (session, submit)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_is_rebuilt_like_its_shares_one_by_one(
        job in any_job(),
        shares in prop::collection::vec(any_share(), 0..40),
    ) {
        let shares: Vec<(&Session, &Submit)> = shares.iter().map(|(session, submit)| (session, submit)).collect();
        let expected: Vec<_> = shares.iter().map(|(session, submit)| rebuild(session, &job, submit)).collect();
        prop_assert_eq!(&rebuild_batch(&job, &shares), &expected);
        let prepared = JobBatch::new(&job);
        for path in Path::all() {
            prop_assert_eq!(&path.rebuild(&prepared, &shares), &expected, "{}", path.name());
        }
    }

    #[test]
    fn a_batch_is_judged_like_its_shares_one_by_one(
        raw in prop::collection::vec((any::<([u8; 32], [u8; 32], [u32; 4])>(), 0_u32..128, any::<(bool, bool, i16)>()), 0..40),
    ) {
        let shares: Vec<(Header, ShareContext)> = raw
            .into_iter()
            .map(|((prev, root, [version, ntime, nbits, nonce]), shift, (stale, same_bits, skew_s))| {
                let header = Header { version, prev, root, ntime, nbits, nonce };
                let context = ShareContext {
                    assigned_q32: u128::MAX >> shift,
                    network_nbits: if same_bits { nbits } else { nbits ^ 1 },
                    job_ntime: ntime.saturating_add_signed(skew_s.into()),
                    event_time_s: i64::from(ntime) + i64::from(skew_s),
                    stale,
                };
                (header, context)
            })
            .collect();
        let expected: Vec<Judgement> = shares.iter().map(|(header, context)| judge(header, context)).collect();
        prop_assert_eq!(&judge_batch(&shares), &expected);
        for path in Path::all() {
            prop_assert_eq!(&path.judge_batch(&shares), &expected, "{}", path.name());
        }
        for ((header, context), expected) in shares.iter().zip(expected) {
            prop_assert_eq!(judge_hashed(header, header.hash(), context), expected);
        }
    }

    #[test]
    fn a_merkle_level_hashes_like_its_nodes_one_by_one(nodes in prop::collection::vec(any::<([u8; 32], [u8; 32])>(), 0..70)) {
        let nodes: Vec<[u8; 64]> = nodes
            .iter()
            .map(|(below, beside)| std::array::from_fn(|at| if at < 32 { below[at] } else { beside[at - 32] }))
            .collect();
        let expected: Vec<Hash256> = nodes.iter().map(|node| wb_proof::sha256d(node)).collect();
        let mut found = vec![[0; 32]; nodes.len()];
        sha256d_many_64(&nodes, &mut found).unwrap();
        prop_assert_eq!(&found, &expected);
        for path in Path::all() {
            path.sha256d_many_64(&nodes, &mut found);
            prop_assert_eq!(&found, &expected, "{}", path.name());
        }
    }
}
