//! What proving a share costs, as ratios: batches of headers against `sha2`, Stratum V1 rebuilds against `bitcoin_hashes`.
//!
//! The ways of doing one thing take turns in many short rounds of one run, the first of them another one each time, so that
//! whatever else the machine does hits all of them alike. What is said is the median of the rounds, a ratio being made in
//! each round, and the best round, which is what an idle machine shows.
//!
//! The rebuild has the shape of mainnet work: a coinbase of 300 bytes and a Merkle branch of 12 hashes, which take
//! 42 SHA-256 compressions (6 and 12 x 3) where the header itself takes 3.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use bitcoin_hashes::{HashEngine, sha256d as other_sha256d};
use sha2::{Digest, Sha256};
use wb_proof::stratum_v1::{Job, JobBatch, Session, Submit, rebuild};
use wb_proof::testing::Path;
use wb_proof::{
    Hash256, Header, ShareContext, batch_path, judge, judge_batch, sha256d_headers, sha256d_many_64,
};

/// Messages in one batch: about what ten frames of shares hold.
const BATCH: u32 = 1_024;

/// Rounds of each comparison.
const ROUNDS: usize = 1_500;

/// How much faster than `sha2` a batch of headers must be, by path.
const HEADERS_REQUIRED: [(&str, f64); 2] = [("avx512", 2.9), ("sha-ni", 1.45)];

/// How much faster than the `bitcoin_hashes` way a batch of rebuilds must be on the best path.
const REBUILD_REQUIRED: f64 = 3.0;

/// One way of doing what is measured.
struct Way<'a> {
    name: String,
    required: Option<f64>,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Way<'a> {
    fn new(name: impl Into<String>, required: Option<f64>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), required, run: Box::new(run) }
    }
}

/// Lets the ways take turns, and prints each beside the first.
fn compare(out: &mut impl Write, title: &str, ways: &mut [Way<'_>]) -> io::Result<()> {
    let mut times = vec![Vec::with_capacity(ROUNDS); ways.len()];
    for round in 0..ROUNDS {
        for turn in 0..ways.len() {
            let which = (round + turn) % ways.len();
            let start = Instant::now();
            (ways[which].run)();
            times[which].push(start.elapsed());
        }
    }
    writeln!(out, "\n{title}")?;
    writeln!(
        out,
        "  {:<36}{:>11}{:>11}{:>13}{:>10}{:>10}",
        "", "median", "best", "million/s", "ratio", "at best"
    )?;
    let each_ns = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(BATCH);
    let best = |times: &[Duration]| times.iter().copied().min().unwrap_or_default();
    for (way, own) in ways.iter().zip(&times) {
        let pairs = times[0].iter().zip(own);
        let ratio = median(pairs.map(|(first, own)| first.as_secs_f64() / own.as_secs_f64()).collect());
        let middle_ns = median(own.iter().map(|time| each_ns(*time)).collect());
        let at_best = best(&times[0]).as_secs_f64() / best(own).as_secs_f64();
        write!(
            out,
            "  {:<36}{:>8.1} ns{:>8.1} ns{:>13.2}{:>10.2}{:>10.2}",
            way.name,
            middle_ns,
            each_ns(best(own)),
            1e3 / middle_ns,
            ratio,
            at_best
        )?;
        match way.required {
            Some(required) if ratio >= required => writeln!(out, "   required {required}: met")?,
            Some(required) => writeln!(out, "   required {required}: MISSED")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn sha2_twice(message: &[u8]) -> Hash256 {
    Sha256::digest(Sha256::digest(message)).into()
}

fn header(nonce: u32) -> Header {
    let varied = sha2_twice(&nonce.to_le_bytes());
    Header {
        version: 0x2000_0000,
        prev: [0x11; 32],
        root: varied,
        ntime: 1_736_712_111,
        nbits: 0x1702_8c61,
        nonce,
    }
}

fn hashing(out: &mut impl Write) -> io::Result<()> {
    let headers: Vec<[u8; 80]> = (0..BATCH).map(|nonce| header(nonce).to_bytes()).collect();
    let paths = Path::all();
    let required =
        |path: &str| HEADERS_REQUIRED.iter().find(|(name, _)| *name == path).map(|(_, ratio)| *ratio);
    let (mut plain, mut chosen) = (vec![[0; 32]; headers.len()], vec![[0; 32]; headers.len()]);
    let mut forced = vec![vec![[0; 32]; headers.len()]; paths.len()];
    let mut ways = vec![
        Way::new("sha2 0.11", None, || {
            for (header, hash) in black_box(&headers).iter().zip(plain.iter_mut()) {
                *hash = sha2_twice(header);
            }
            black_box(&plain);
        }),
        Way::new("sha256d_headers (chosen path)", required(batch_path()), || {
            let _ = black_box(sha256d_headers(black_box(&headers), black_box(&mut chosen)));
        }),
    ];
    for (path, hashes) in paths.iter().zip(&mut forced) {
        let headers = &headers;
        ways.push(Way::new(format!("  {} alone", path.name()), required(path.name()), move || {
            path.sha256d_headers(black_box(headers), black_box(hashes));
        }));
    }
    compare(out, "double SHA-256 of headers, 80 bytes each", &mut ways)?;
    drop(ways);
    let same = forced.iter().chain([&chosen]).all(|hashes| *hashes == plain);
    writeln!(out, "  all ways agree: {same}")?;

    let nodes: Vec<[u8; 64]> = headers.iter().map(|header| std::array::from_fn(|at| header[at])).collect();
    let (mut first, mut second) = (vec![[0; 32]; nodes.len()], vec![[0; 32]; nodes.len()]);
    let mut ways = [
        Way::new("sha2 0.11", None, || {
            for (node, hash) in black_box(&nodes).iter().zip(first.iter_mut()) {
                *hash = sha2_twice(node);
            }
            black_box(&first);
        }),
        Way::new("sha256d_many_64 (chosen path)", None, || {
            let _ = black_box(sha256d_many_64(black_box(&nodes), black_box(&mut second)));
        }),
    ];
    compare(out, "double SHA-256 of Merkle nodes, 64 bytes each", &mut ways)
}

fn mainnet_work() -> (Job, Vec<(Session, Submit)>) {
    let job = Job {
        job_id: "67864d4a".to_owned(),
        prevhash_wire: [0x11; 32],
        coinb1: vec![2; 80],
        coinb2: vec![3; 208],
        branch: vec![[4; 32]; 12],
        version: 0x2000_0000,
        nbits: 0x1702_8c61,
        ntime: 1_736_712_111,
        clean_jobs: false,
    };
    let share = |nonce: u32| {
        let session = Session {
            extranonce1: (nonce % 50).to_be_bytes().to_vec(),
            extranonce2_size: 8,
            version_mask: Some(0x1fff_e000),
            assigned_q32: 65_536 << 32,
        };
        let submit = Submit {
            job_id: job.job_id.clone(),
            extranonce2: u64::from(nonce).to_be_bytes().to_vec(),
            ntime: job.ntime,
            nonce,
            version_bits: Some(0x0000_2000),
        };
        (session, submit)
    };
    let shares = (0..BATCH).map(share).collect();
    (job, shares)
}

/// The Merkle root as it is made with `bitcoin_hashes`, one share at a time.
fn root_with_bitcoin_hashes(session: &Session, job: &Job, submit: &Submit) -> Hash256 {
    let mut engine = other_sha256d::Hash::engine();
    for part in [&job.coinb1, &session.extranonce1, &submit.extranonce2, &job.coinb2] {
        engine.input(part);
    }
    let coinbase = other_sha256d::Hash::from_engine(engine).to_byte_array();
    job.branch.iter().fold(coinbase, |below, beside| {
        let mut engine = other_sha256d::Hash::engine();
        engine.input(&below);
        engine.input(beside);
        other_sha256d::Hash::from_engine(engine).to_byte_array()
    })
}

fn stratum_v1(out: &mut impl Write) -> io::Result<()> {
    let (job, shares) = mainnet_work();
    let shares: Vec<(&Session, &Submit)> = shares.iter().map(|(session, submit)| (session, submit)).collect();
    let theirs = shares.iter().map(|(session, submit)| root_with_bitcoin_hashes(session, &job, submit));
    let ours = JobBatch::new(&job).rebuild(&shares);
    let same =
        theirs.zip(&ours).all(|(root, header)| header.as_ref().is_ok_and(|header| header.root == root));

    let paths = Path::all();
    let mut ways = vec![
        Way::new("bitcoin_hashes, one at a time", None, || {
            for (session, submit) in black_box(&shares) {
                black_box(root_with_bitcoin_hashes(session, &job, submit));
            }
        }),
        Way::new("rebuild, one at a time", None, || {
            for (session, submit) in black_box(&shares) {
                let _ = black_box(rebuild(session, &job, submit));
            }
        }),
        Way::new("JobBatch (chosen path)", Some(REBUILD_REQUIRED), || {
            black_box(JobBatch::new(&job).rebuild(black_box(&shares)));
        }),
    ];
    for path in &paths {
        let (job, shares) = (&job, &shares);
        ways.push(Way::new(format!("  {} alone", path.name()), None, move || {
            black_box(path.rebuild(&JobBatch::new(job), black_box(shares)));
        }));
    }
    compare(out, "Stratum V1 rebuild, 300-byte coinbase, 12 branches", &mut ways)?;
    writeln!(out, "  both give the same roots: {same}")
}

fn judging(out: &mut impl Write) -> io::Result<()> {
    let shares: Vec<(Header, ShareContext)> = (0..BATCH)
        .map(|nonce| {
            let header = header(nonce);
            let context = ShareContext {
                assigned_q32: 65_536 << 32,
                network_nbits: header.nbits,
                job_ntime: header.ntime,
                event_time_s: i64::from(header.ntime),
                stale: false,
            };
            (header, context)
        })
        .collect();
    let mut ways = [
        Way::new("judge, one at a time", None, || {
            for (header, context) in black_box(&shares) {
                black_box(judge(header, context));
            }
        }),
        Way::new("judge_batch (chosen path)", None, || {
            black_box(judge_batch(black_box(&shares)));
        }),
    ];
    compare(out, "verdict: hash, block check, rules", &mut ways)
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "chosen path: {}", batch_path())?;
    writeln!(
        out,
        "{BATCH} in a batch, {ROUNDS} rounds; time per header, node, share; ratio to the first line"
    )?;
    hashing(&mut out)?;
    stratum_v1(&mut out)?;
    judging(&mut out)
}
