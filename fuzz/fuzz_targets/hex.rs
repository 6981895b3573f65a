//! Hex: what is taken is exactly the bytes that the digits say, and what is refused has a reason that can be checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wb_proof::hex::{HexError, decode_array, decode_u32, decode_vec, encode};

const LIMIT_BYTES: usize = 64;

fuzz_target!(|text: &str| {
    match decode_vec("field", text, LIMIT_BYTES) {
        Ok(bytes) => {
            assert_eq!(encode(&bytes), text.to_ascii_lowercase());
            assert!(bytes.len() <= LIMIT_BYTES);
        }
        Err(HexError::TooLong { .. }) => assert!(text.len() > 2 * LIMIT_BYTES),
        Err(HexError::OddLength { .. }) => assert!(text.len() % 2 == 1),
        Err(HexError::NotAscii { position, .. }) => assert!(text.as_bytes()[position] >= 0x80),
        Err(HexError::NotHex { position, found, .. }) => {
            assert!(text[position..].starts_with(found) && !found.is_ascii_hexdigit());
        }
        Err(HexError::WrongLength { .. }) => unreachable!("a field of any length has no wrong one"),
    }
    if let Ok(bytes) = decode_array::<32>("field", text) {
        assert_eq!(decode_vec("field", text, 32).as_deref(), Ok(bytes.as_slice()));
    }
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8 && !text.starts_with('+'));
    assert_eq!(decode_u32("field", text).ok(), number);
});
