//! mining.notify: a decoded job has the values of the text, and is rebuilt alike alone, in a batch and by hand.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wb_fuzz::rebuilt;
use wb_proof::hex::encode;
use wb_proof::stratum_v1::{
    MAX_BRANCH_HASHES, MAX_COINBASE_BYTES, NotifyText, Session, Submit, decode_notify, rebuild, rebuild_batch,
};

/// Texts, or bytes to be made hex: random texts alone would never get past the first field.
#[derive(Debug, Arbitrary)]
enum Field {
    Text(String),
    Bytes(Vec<u8>),
}

impl Field {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => encode(bytes),
        }
    }
}

#[derive(Debug, Arbitrary)]
struct Input {
    job_id: String,
    prevhash: Result<[u8; 32], String>,
    coinb1: Field,
    coinb2: Field,
    branch: Vec<Result<[u8; 32], String>>,
    numbers: [Result<u32, String>; 3],
    extranonces: [Vec<u8>; 3],
    nonce: u32,
}

fn hash(field: &Result<[u8; 32], String>) -> String {
    field.as_ref().map_or_else(Clone::clone, |bytes| encode(bytes))
}

fuzz_target!(|input: Input| {
    let [version, nbits, ntime] = input
        .numbers
        .each_ref()
        .map(|field| field.as_ref().map_or_else(Clone::clone, |number| format!("{number:08x}")));
    let (prevhash, coinb1, coinb2) = (hash(&input.prevhash), input.coinb1.text(), input.coinb2.text());
    let branch: Vec<String> = input.branch.iter().map(hash).collect();
    let text = NotifyText {
        job_id: &input.job_id,
        prevhash: &prevhash,
        coinb1: &coinb1,
        coinb2: &coinb2,
        branch: &branch,
        version: &version,
        nbits: &nbits,
        ntime: &ntime,
        clean_jobs: true,
    };
    let job = match decode_notify(&text) {
        Ok(job) => job,
        Err(error) => {
            assert!(error.code().starts_with("WB-1") && !error.to_string().is_empty());
            return;
        }
    };
    assert!(
        job.coinb1.len() + job.coinb2.len() <= MAX_COINBASE_BYTES && job.branch.len() <= MAX_BRANCH_HASHES
    );
    assert_eq!(encode(&job.coinb1), coinb1.to_ascii_lowercase());
    assert_eq!(encode(&job.prevhash_wire), prevhash.to_ascii_lowercase());

    let [extranonce1, first, second] = input.extranonces;
    let of = |extranonce2: Vec<u8>| {
        let session = Session {
            extranonce1: extranonce1.clone(),
            extranonce2_size: extranonce2.len(),
            version_mask: None,
            assigned_q32: 1,
        };
        let submit = Submit {
            job_id: job.job_id.clone(),
            extranonce2,
            ntime: 1,
            nonce: input.nonce,
            version_bits: None,
        };
        (session, submit)
    };
    let shares = [of(first), of(second)];
    let both: Vec<(&Session, &Submit)> = shares.iter().map(|(session, submit)| (session, submit)).collect();
    for ((session, submit), header) in both.iter().zip(rebuild_batch(&job, &both)) {
        assert_eq!(rebuild(session, &job, submit), header);
        assert_eq!(header.ok().map(|header| header.to_bytes()), rebuilt(session, &job, submit));
    }
});
