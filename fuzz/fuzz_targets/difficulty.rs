//! Difficulty text: what is read is never zero, never more than the text, and can be written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_proof::{Target, U256, difficulty_decimal, parse_difficulty_q32, work_text};

fuzz_target!(|text: &str| {
    let q32 = match parse_difficulty_q32(text) {
        Ok(q32) => q32,
        Err(error) => {
            assert!(error.to_string().contains(error.code()));
            return;
        }
    };
    assert!(q32 > 0 && Target::from_credit_q32(q32).is_ok());
    let exact = difficulty_decimal(U256::from(q32), U256::from(1_u64 << 32), 32);
    assert_eq!(parse_difficulty_q32(&exact), Ok(q32), "{text:?} is {exact}");
    assert!(work_text(q32).ends_with(" x 2^48/65535"));
    // A double is near enough to tell a slipped decimal point.
    if let (Ok(stated), Ok(read)) = (text.parse::<f64>(), exact.parse::<f64>()) {
        assert!(
            read <= stated * 1.000_000_1 && stated <= (read + 2.4e-10) * 1.000_000_1,
            "{text:?} is {exact}"
        );
    }
});
