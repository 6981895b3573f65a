//! Real blocks written as Stratum V2 channels of both kinds: the same header and hash as the chain's, and every change
//! to a field refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its data should stop")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wb_proof::session_file::{SessionCase, parse};
use wb_proof::stratum_v1::WireError;
use wb_proof::stratum_v2::{
    Channel, ChannelKind, ChannelText, Job, JobText, Submit, SubmitText, Work, WorkText, decode_channel,
    decode_job, decode_submit, rebuild,
};
use wb_proof::{Header, Reason, ShareContext, Verdict, hex, judge};

/// The eight real sessions, each as a standard and as an extended channel.
fn cases() -> Vec<(String, Header, Channel, Job, Submit)> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/data/bitcoin/stratum_v1_jobs.json");
    let sessions = parse(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(sessions.len(), 8);
    sessions.iter().flat_map(|case| [standard(case), extended(case)]).collect()
}

fn chain_header(case: &SessionCase) -> Header {
    Header::from_bytes(&case.expected.header.unwrap())
}

fn channel(case: &SessionCase, kind: ChannelKind) -> Channel {
    Channel {
        kind,
        extranonce_prefix: case.session.extranonce1.clone(),
        extranonce_size: case.session.extranonce2_size,
        version_mask: case.session.version_mask,
        assigned_q32: case.session.assigned_q32,
    }
}

fn job(case: &SessionCase, work: Work) -> Job {
    Job {
        job_id: "41".to_owned(),
        work,
        prev_hash: chain_header(case).prev,
        version: case.job.version,
        version_rolling_allowed: case.session.version_mask.is_some(),
        nbits: case.job.nbits,
        min_ntime: case.job.ntime,
    }
}

fn submit(case: &SessionCase, extranonce: Option<Vec<u8>>) -> Submit {
    let header = chain_header(case);
    let (ntime, nonce) = (header.ntime, header.nonce);
    Submit { job_id: "41".to_owned(), version: header.version, ntime, nonce, extranonce }
}

fn standard(case: &SessionCase) -> (String, Header, Channel, Job, Submit) {
    let header = chain_header(case);
    let name = format!("{}/standard", case.name);
    let job = job(case, Work::Root(header.root));
    (name, header, channel(case, ChannelKind::Standard), job, submit(case, None))
}

fn extended(case: &SessionCase) -> (String, Header, Channel, Job, Submit) {
    let work = Work::Coinbase {
        prefix: case.job.coinb1.clone(),
        suffix: case.job.coinb2.clone(),
        path: case.job.branch.clone(),
    };
    let submit = submit(case, Some(case.submit.extranonce2.clone()));
    let name = format!("{}/extended", case.name);
    (name, chain_header(case), channel(case, ChannelKind::Extended), job(case, work), submit)
}

fn verdict(header: &Header, channel: &Channel, job: &Job, event_time_s: i64) -> Verdict {
    let context = ShareContext {
        assigned_q32: channel.assigned_q32,
        network_nbits: job.nbits,
        job_ntime: job.min_ntime,
        event_time_s,
        stale: false,
    };
    judge(header, &context).verdict
}

#[test]
fn real_blocks_are_accepted_with_the_chains_hash_in_both_forms() {
    for (name, expected, channel, job, submit) in cases() {
        let header = rebuild(&channel, &job, &submit).unwrap();
        assert_eq!(header.to_bytes(), expected.to_bytes(), "{name}");
        assert_eq!(verdict(&header, &channel, &job, i64::from(header.ntime)), Verdict::Accepted, "{name}");
    }
}

#[test]
fn any_change_to_a_field_is_refused() {
    type Change = (&'static str, fn(&mut Channel, &mut Job, &mut Submit));
    let changes: [Change; 12] = [
        ("nonce", |_, _, submit| submit.nonce ^= 1),
        ("ntime", |_, _, submit| submit.ntime += 1),
        ("ntime before the job", |_, job, submit| submit.ntime = job.min_ntime - 1),
        ("version", |_, _, submit| submit.version ^= 0x2000),
        ("version outside", |_, _, submit| submit.version ^= 1),
        ("job id", |_, _, submit| submit.job_id.push('0')),
        ("prev hash", |_, job, _| job.prev_hash[0] ^= 1),
        ("job version", |_, job, _| job.version ^= 0x10),
        ("nbits", |_, job, _| job.nbits ^= 1),
        ("extranonce size", |_, _, submit| match &mut submit.extranonce {
            Some(extranonce) => extranonce.push(0),
            None => submit.extranonce = Some(vec![0]),
        }),
        ("prefix or root", |channel, job, _| match &mut job.work {
            Work::Root(root) => root[31] ^= 0x80,
            Work::Coinbase { .. } => channel.extranonce_prefix[0] ^= 1,
        }),
        ("path or root", |_, job, _| match &mut job.work {
            Work::Root(root) => root[0] ^= 1,
            Work::Coinbase { path, .. } => path[0][0] ^= 1,
        }),
    ];
    let mut refused = 0;
    for (what, change) in changes {
        for (name, expected, mut channel, mut job, mut submit) in cases() {
            change(&mut channel, &mut job, &mut submit);
            let found = match rebuild(&channel, &job, &submit) {
                Err(reject) => Verdict::Rejected(reject.reason()),
                Ok(header) => {
                    assert_ne!(header.to_bytes(), expected.to_bytes(), "{name}: {what}");
                    verdict(&header, &channel, &job, i64::from(expected.ntime))
                }
            };
            let reason = found.reason().unwrap_or_else(|| panic!("{name}: {what} is accepted"));
            match what {
                "version outside" => assert_eq!(reason, Reason::BadVersionBits, "{name}"),
                "job id" => assert_eq!(reason, Reason::UnknownJob, "{name}"),
                "extranonce size" => assert_eq!(reason, Reason::BadExtranonceSize, "{name}"),
                "ntime before the job" => assert_eq!(reason, Reason::TimeTooOld, "{name}"),
                _ => {}
            }
            refused += 1;
        }
    }
    assert_eq!(refused, 12 * 16);
}

fn job_text<'a>(work: WorkText<'a, String>, prev_hash: &'a str) -> JobText<'a, String> {
    JobText {
        job_id: "41",
        work,
        prev_hash,
        version: "20000000",
        version_rolling_allowed: true,
        nbits: "1b027904",
        min_ntime: "56bfb55b",
    }
}

#[test]
fn texts_are_read_as_what_was_written() {
    let hash = "11".repeat(32);
    let path = vec!["22".repeat(32)];
    let job = decode_job(&job_text(WorkText::Coinbase { prefix: "aa", suffix: "bb", path: &path }, &hash));
    let work = Work::Coinbase { prefix: vec![0xaa], suffix: vec![0xbb], path: vec![[0x22; 32]] };
    assert_eq!(job.clone().unwrap().work, work);
    assert_eq!(job.unwrap().prev_hash, [0x11; 32]);
    let job = decode_job(&job_text(WorkText::Root(&hash), &hash)).unwrap();
    assert_eq!(job.work, Work::Root([0x11; 32]));
    let channel = decode_channel(&ChannelText {
        kind: ChannelKind::Extended,
        extranonce_prefix: "0a0b",
        extranonce_size: 6,
        version_mask: Some("1fffe000"),
        assigned_difficulty: "1",
    });
    assert_eq!(channel.unwrap().extranonce_prefix, [10, 11]);
    let submit = decode_submit(&SubmitText {
        job_id: "41",
        version: "30000000",
        ntime: "56bfb55b",
        nonce: "301a6807",
        extranonce: Some(""),
    });
    assert_eq!(submit.unwrap().extranonce, Some(vec![]));
}

#[test]
fn bad_texts_have_a_code_and_cost_nothing() {
    let hash = "11".repeat(32);
    let long_path = vec!["22".repeat(32); 10_000];
    let odd_path = vec!["22".repeat(31)];
    let giant = "ab".repeat(5_000_000);
    let coinbase = |prefix, suffix, path| WorkText::Coinbase { prefix, suffix, path };
    let none: &[String] = &[];
    let half = "00".repeat(40_000);
    let started = Instant::now();
    for (what, work, prev_hash, code) in [
        ("a path of 10,000", coinbase("", "", &long_path), hash.as_str(), "WB-1161"),
        ("a short path entry", coinbase("", "", &odd_path), hash.as_str(), "WB-1111"),
        ("odd hex", coinbase("abc", "", none), hash.as_str(), "WB-1112"),
        ("no hex", coinbase("zz", "", none), hash.as_str(), "WB-1114"),
        ("not ASCII", coinbase("", "é", none), hash.as_str(), "WB-1113"),
        ("ten megabytes", coinbase(&giant, "", none), hash.as_str(), "WB-1110"),
        ("two long halves", coinbase(&half, &half, none), hash.as_str(), "WB-1160"),
        ("a truncated root", WorkText::Root(&hash[..63]), hash.as_str(), "WB-1111"),
        ("a giant prev hash", WorkText::Root(&hash), giant.as_str(), "WB-1111"),
    ] {
        let error: WireError = decode_job(&job_text(work, prev_hash)).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(hex::decode_vec("extranonce", "0", 32).unwrap_err().code(), "WB-1112");
    let channel = ChannelText {
        kind: ChannelKind::Extended,
        extranonce_prefix: "",
        extranonce_size: 33,
        version_mask: None,
        assigned_difficulty: "1",
    };
    assert_eq!(decode_channel(&channel).unwrap_err().code(), "WB-1164");
}
