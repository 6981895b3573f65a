//! The verdict on any header in any context: accepted exactly when sha2 and a plain computation accept it.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wb_fuzz::{assert_judged, sha256d};
use wb_proof::{Header, ShareContext, U256, achieved_difficulty_q32};

#[derive(Debug, Arbitrary)]
struct Input {
    header: [u8; 80],
    /// Bits taken off the credit, so that all sizes of difficulty come up.
    assigned_q32: u128,
    shift: u8,
    /// None: the header's own.
    network_nbits: Option<u32>,
    job_ntime: Option<u32>,
    event_time_s: Result<i16, i64>,
    stale: bool,
}

fuzz_target!(|input: Input| {
    let header = Header::from_bytes(&input.header);
    let context = ShareContext {
        assigned_q32: input.assigned_q32 >> (input.shift % 128),
        network_nbits: input.network_nbits.unwrap_or(header.nbits),
        job_ntime: input.job_ntime.unwrap_or(header.ntime),
        event_time_s: match input.event_time_s {
            Ok(skew_s) => i64::from(header.ntime) + i64::from(skew_s),
            Err(event_time_s) => event_time_s,
        },
        stale: input.stale,
    };
    assert_judged(&header, &context);
    // The edge: exactly what the hash reached, and one unit more.
    let reached = achieved_difficulty_q32(&sha256d(&input.header));
    for assigned in [reached, reached.saturating_add(U256::from(1))] {
        if let Ok(assigned_q32) = u128::try_from(assigned) {
            assert_judged(&header, &ShareContext { assigned_q32, ..context });
        }
    }
});
