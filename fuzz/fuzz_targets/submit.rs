//! mining.submit and the terms of a session: decoding keeps the values of the text, and every refusal has a code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_proof::hex::encode;
use wb_proof::stratum_v1::{
    MAX_EXTRANONCE_BYTES, MAX_JOB_ID_BYTES, SessionText, SubmitText, decode_session, decode_submit,
};

type Input<'a> = (&'a str, &'a str, &'a str, &'a str, Option<&'a str>, &'a str, usize);

fuzz_target!(|input: Input<'_>| {
    let (job_id, extranonce, ntime, nonce, version, difficulty, extranonce2_size) = input;
    let text = SubmitText { job_id, extranonce2: extranonce, ntime, nonce, version_bits: version };
    match decode_submit(&text) {
        Ok(submit) => {
            assert!(!submit.job_id.is_empty() && submit.job_id.len() <= MAX_JOB_ID_BYTES);
            assert_eq!(submit.job_id, job_id);
            assert_eq!(encode(&submit.extranonce2), extranonce.to_ascii_lowercase());
            assert_eq!(format!("{:08x}", submit.ntime), ntime.to_ascii_lowercase());
            assert_eq!(format!("{:08x}", submit.nonce), nonce.to_ascii_lowercase());
            let bits = submit.version_bits.map(|bits| format!("{bits:08x}"));
            assert_eq!(bits, version.map(str::to_ascii_lowercase));
        }
        Err(error) => assert!(error.to_string().contains(error.code()), "{error}"),
    }
    let text = SessionText {
        extranonce1: extranonce,
        extranonce2_size,
        version_mask: version,
        assigned_difficulty: difficulty,
    };
    match decode_session(&text) {
        Ok(session) => {
            assert!(session.assigned_q32 > 0, "zero is no assignment");
            assert!(session.extranonce2_size <= MAX_EXTRANONCE_BYTES);
            assert!(session.extranonce1.len() <= MAX_EXTRANONCE_BYTES);
        }
        Err(error) => assert!(error.to_string().contains(error.code()), "{error}"),
    }
});
