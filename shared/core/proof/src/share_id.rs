//! A share's identity. It is made of the share's proof, so that one proof cannot be claimed under two ids.

use std::fmt;
use std::str::FromStr;

use crate::hash::Hash256;
use crate::hex::{self, HexError};

/// The first 16 bytes of a share's hash in internal byte order.
///
/// These are the low-order bytes of the number that is compared with the target, so that they stay evenly spread
/// however hard the work was. The order of ids is the order of these bytes and has no other meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId(pub [u8; 16]);

impl ShareId {
    /// The id of the share whose header hashes to `hash`.
    #[must_use]
    pub fn of_hash(hash: &Hash256) -> Self {
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = *from;
        }
        Self(id)
    }

    /// The partition of `n` that holds this share: the first four bytes read little endian, modulo `n`.
    ///
    /// A topic has at least one partition; `n` = 0 gives 0 rather than a division by zero.
    #[must_use]
    pub fn partition(&self, n: u32) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d]).checked_rem(n).unwrap_or(0)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareId({self})")
    }
}

impl FromStr for ShareId {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        hex::decode_array("share id", text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_the_front_of_the_hash_and_prints_as_hex() {
        let mut hash = [0_u8; 32];
        for (n, byte) in (0_u8..).zip(hash.iter_mut()) {
            *byte = n;
        }
        let id = ShareId::of_hash(&hash);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "ShareId(000102030405060708090a0b0c0d0e0f)");
        assert!("0001".parse::<ShareId>().is_err());
    }

    #[test]
    fn partition_reads_four_bytes_little_endian() {
        let mut bytes = [0xff_u8; 16];
        bytes[..4].copy_from_slice(&[0x0a, 0x01, 0x00, 0x00]);
        let id = ShareId(bytes);
        assert_eq!(id.partition(1000), 266);
        assert_eq!(id.partition(16), 10);
        assert_eq!(id.partition(1), 0);
        assert_eq!(id.partition(0), 0);
    }
}
