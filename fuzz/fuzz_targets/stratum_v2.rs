//! Stratum V2 submits in their wire form: no frame makes the reader panic, and every refusal has a code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_proof::stratum_v2::decode_submit_frame;

fuzz_target!(|frame: &[u8]| {
    if let Err(error) = decode_submit_frame(frame) {
        assert!(error.to_string().contains(error.code()), "{error}");
    }
});
