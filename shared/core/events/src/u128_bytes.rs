//! 128-bit integers in Protobuf, which has none: 16 bytes, little endian.

/// Writes the 16 bytes.
#[must_use]
pub fn encode(value: u128) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

/// Reads the 16 bytes; `None` for any other length.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_le_bytes)
}
