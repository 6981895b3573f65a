//! Bytes, shown and stored as lower-case hex.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wb_proof::hex;

/// The longest line: a ledger record of the largest size, every byte of it escaped, is still shorter.
pub const LINE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes as they lie in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The same bytes have one text.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(D::Error::custom("bytes are written as lower-case hex"));
        }
        hex::decode_vec("bytes", &text, LINE_BYTES_MAX).map(Self).map_err(D::Error::custom)
    }
}
