//! A stream of many mined shares at a difficulty of 16 hashes each, for benches.

use serde_json::{Value, json};
use wb_proof::hex;
use wb_proof::stratum_v1::Submit;
use wb_units::Micros;

use crate::TestkitError;
use crate::build::{Builder, Rated};
use crate::fleet::{NBITS, invented_block_hash, job, job_body, seconds, session, session_body};
use crate::mining::nonces;
use crate::plan::FLEET_START_US;
use crate::random::Random;

/// The assigned difficulty of each session: 2^-28, 16 hashes per share.
pub const STREAM_ASSIGNED_DIFFICULTY: &str = "0.0000000037252902984619140625";
/// The same in units of 2^-32.
pub const STREAM_ASSIGNED_Q32: u128 = 16;

const SITE: &str = "bench-1";
const SCOPE: &str = "bench-1/pool";
const CUSTOMER: &str = "bench";
const HEIGHT: u32 = 969_001;

/// Facts and shares of a bench.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareStream {
    /// The facts of the shares, in ingest's JSON form, from the operator.
    pub facts: Vec<Value>,
    /// Sessions and the job; send them after the facts are recorded.
    pub sessions_and_jobs: Vec<Value>,
    /// The shares, machine by machine in turn. All are accepted, and none solves a block.
    pub shares: Vec<StreamShare>,
}

/// A share, ready for both wire forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamShare {
    /// The key of the event: the session.
    pub session_id: String,
    /// The sequence under that key, from 0.
    pub sequence: u64,
    /// When it was submitted.
    pub event_time_us: Micros,
    /// Its job.
    pub job_id: String,
    /// The miner's part of the extranonce.
    pub extranonce2: Vec<u8>,
    /// The header's time, seconds since 1970.
    pub ntime: u32,
    /// The header's nonce.
    pub nonce: u32,
}

impl StreamShare {
    /// The share as an event in ingest's JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "kind": "share",
            "key": self.session_id,
            "sequence": self.sequence,
            "source_epoch": 1,
            "event_time_us": self.event_time_us,
            "body": {
                "session_id": self.session_id,
                "job_id": self.job_id,
                "extranonce2": hex::encode(&self.extranonce2),
                "ntime": format!("{:08x}", self.ntime),
                "nonce": format!("{:08x}", self.nonce),
            },
        })
    }
}

/// `n` mined shares of `machines` machines in turn; the same seed gives the same shares.
///
/// # Errors
/// [`TestkitError::Mining`] if there is no machine, or if a machine's nonces do not give enough shares (they give
/// about 268 million).
pub fn share_stream(seed: u64, machines: u32, n: usize) -> Result<ShareStream, TestkitError> {
    let per_machine = usize::try_from(machines).ok().and_then(|machines| n.checked_div(machines));
    let Some(per_machine) = per_machine.map(|whole| whole + 1) else {
        return Err(TestkitError::Mining { session: SCOPE.to_owned(), what: "no machines".to_owned() });
    };
    let mut builder = Builder::default();
    let mut random = Random::of(seed, "stream");
    let prev = invented_block_hash(&mut random);
    let job = job(&mut random, "j00", HEIGHT, &prev, FLEET_START_US);
    builder.site(SITE, "Bench", "UTC", FLEET_START_US);
    builder.fact("customer", CUSTOMER, FLEET_START_US, json!({"name": "Bench"}));
    let difficulty = json!({"chain": "main", "height": HEIGHT, "nbits": format!("{NBITS:08x}")});
    builder.fact("network_difficulty", "main", FLEET_START_US, difficulty);
    builder.fact("job", &format!("{SCOPE}/{}", job.job_id), FLEET_START_US, job_body(SCOPE, HEIGHT, &job));
    let mut by_machine = Vec::new();
    for index in 1..=machines {
        let machine = format!("bench-m{index:04}");
        let session_id = format!("{machine}/s1");
        let rated = Rated { power_w: 3_000, ..Rated::default() };
        builder.machine(&machine, SITE, "Bench miner", rated, FLEET_START_US);
        let session = session(index, STREAM_ASSIGNED_Q32);
        let body = session_body(&machine, SCOPE, &session.extranonce1, STREAM_ASSIGNED_DIFFICULTY);
        builder.fact("session", &session_id, FLEET_START_US, body);
        let submit = Submit {
            job_id: job.job_id.clone(),
            extranonce2: vec![0; session.extranonce2_size],
            ntime: seconds(FLEET_START_US),
            nonce: 0,
            version_bits: None,
        };
        let found = nonces(&session_id, &session, &job, &submit, per_machine)?;
        if found.len() < per_machine {
            let what = format!("its nonces hold {} shares, {per_machine} are needed", found.len());
            return Err(TestkitError::Mining { session: session_id, what });
        }
        by_machine.push((session_id, submit, found));
    }
    let mut shares = Vec::with_capacity(n);
    'rounds: for (sequence, at) in (0_u64..).zip(0..per_machine) {
        for (session_id, submit, found) in &by_machine {
            if shares.len() == n {
                break 'rounds;
            }
            // A microsecond apart, so that one job lasts longer than any bench.
            let event_time_us = FLEET_START_US + i64::try_from(shares.len()).unwrap_or(0);
            shares.push(StreamShare {
                session_id: session_id.clone(),
                sequence,
                event_time_us,
                job_id: submit.job_id.clone(),
                extranonce2: submit.extranonce2.clone(),
                ntime: submit.ntime,
                nonce: found[at],
            });
        }
    }
    let [facts, sessions_and_jobs] = builder.into_fact_parts();
    Ok(ShareStream { facts: facts.events, sessions_and_jobs: sessions_and_jobs.events, shares })
}
