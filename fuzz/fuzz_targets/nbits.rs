//! Compact bits: the target is the bytes they stand for, and goes back to bits that are never easier.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_fuzz::{meets, target_of};
use wb_proof::{Target, credit_q32_of_target};

fuzz_target!(|input: (u32, [u8; 32])| {
    let (nbits, hash) = input;
    let plain = target_of(nbits);
    let target = match Target::from_nbits(nbits) {
        Ok(target) => target,
        Err(error) => {
            assert_eq!(plain, None, "{nbits:08x}: {error}");
            return;
        }
    };
    assert_eq!(plain, Some(target.to_be_bytes()), "{nbits:08x}");
    assert_eq!(Target::from_nbits(target.to_nbits()), Ok(target), "{nbits:08x}");
    assert_eq!(target.is_met_by(&hash), meets(&hash, &target.to_be_bytes()));
    if let Ok(again) = Target::from_credit_q32(credit_q32_of_target(&target)) {
        assert!(
            again >= target || credit_q32_of_target(&target) == u128::MAX,
            "a credit is never worth more"
        );
    }
});
