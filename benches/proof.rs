//! What proving a share costs: hashing headers, rebuilding a Stratum V1 submit, judging it.
//!
//! The rebuild has the shape of mainnet work: a coinbase of 300 bytes and a Merkle branch of 12 hashes, which take
//! 42 SHA-256 compressions (6 and 12 x 3) where the header itself takes 3.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wb_proof::stratum_v1::{Job, Session, Submit, rebuild};
use wb_proof::{Header, ShareContext, judge, sha256d, sha256d_headers};

/// Headers in one batch: about what a frame of shares holds.
const BATCH_HEADERS: u32 = 1_024;

fn header(nonce: u32) -> Header {
    Header {
        version: 0x2000_0000,
        prev: [0x11; 32],
        root: [0x22; 32],
        ntime: 1_736_712_111,
        nbits: 0x1702_8c61,
        nonce,
    }
}

fn hashing(c: &mut Criterion) {
    let mut group = c.benchmark_group("sha256d");
    let one = header(0).to_bytes();
    group.throughput(Throughput::Elements(1));
    group.bench_function("header", |b| b.iter(|| sha256d(black_box(&one))));

    let headers: Vec<[u8; 80]> = (0..BATCH_HEADERS).map(|nonce| header(nonce).to_bytes()).collect();
    let mut hashes = vec![[0; 32]; headers.len()];
    group.throughput(Throughput::Elements(u64::from(BATCH_HEADERS)));
    group.bench_function("batch of 1024 headers", |b| {
        b.iter(|| sha256d_headers(black_box(&headers), black_box(&mut hashes)));
    });
    group.finish();
}

fn mainnet_work() -> (Session, Job, Submit) {
    let session = Session {
        extranonce1: vec![1; 4],
        extranonce2_size: 8,
        version_mask: Some(0x1fff_e000),
        assigned_q32: 65_536 << 32,
    };
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
    let submit = Submit {
        job_id: job.job_id.clone(),
        extranonce2: vec![5; 8],
        ntime: job.ntime,
        nonce: 6,
        version_bits: Some(0x0000_2000),
    };
    (session, job, submit)
}

fn stratum_v1(c: &mut Criterion) {
    let (session, job, submit) = mainnet_work();
    let context = ShareContext {
        assigned_q32: session.assigned_q32,
        network_nbits: job.nbits,
        job_ntime: job.ntime,
        event_time_s: i64::from(job.ntime),
        stale: false,
    };
    let mut group = c.benchmark_group("stratum_v1");
    group.throughput(Throughput::Elements(1));
    group.bench_function("rebuild (300 B coinbase, 12 branches)", |b| {
        b.iter(|| rebuild(black_box(&session), black_box(&job), black_box(&submit)));
    });
    let header = header(7);
    group.bench_function("judge (hash, block check, rules)", |b| {
        b.iter(|| judge(black_box(&header), black_box(&context)));
    });
    group.finish();
}

criterion_group!(benches, hashing, stratum_v1);
criterion_main!(benches);
