//! The 80-byte block header.

use crate::hash::{Hash256, sha256d};
use crate::share_id::ShareId;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 80;

/// A header of another length than 80 bytes.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[code("WB-1102")]
#[error("a block header has 80 bytes; this one has {bytes}")]
pub struct HeaderSizeError {
    /// Bytes given.
    pub bytes: usize,
}

/// A block header, field by field. All integers stand little endian in the 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// Bytes 0..4. Consensus reads it as signed; held unsigned here because version rolling works on its bits.
    pub version: u32,
    /// Bytes 4..36: hash of the block before, internal byte order.
    pub prev: Hash256,
    /// Bytes 36..68: Merkle root, internal byte order.
    pub root: Hash256,
    /// Bytes 68..72: seconds since 1970-01-01 UTC, as the miner set it.
    pub ntime: u32,
    /// Bytes 72..76: the network target in compact form.
    pub nbits: u32,
    /// Bytes 76..80.
    pub nonce: u32,
}

impl Header {
    /// Splits 80 bytes into fields. Any 80 bytes are a header; whether they prove work is not checked here.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Self {
        Self {
            version: le_u32(bytes, 0),
            prev: hash_at(bytes, 4),
            root: hash_at(bytes, 36),
            ntime: le_u32(bytes, 68),
            nbits: le_u32(bytes, 72),
            nonce: le_u32(bytes, 76),
        }
    }

    /// [`Header::from_bytes`] of a slice.
    ///
    /// # Errors
    /// [`HeaderSizeError`] when the slice does not have 80 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, HeaderSizeError> {
        let array: &[u8; HEADER_BYTES] =
            bytes.try_into().map_err(|_| HeaderSizeError { bytes: bytes.len() })?;
        Ok(Self::from_bytes(array))
    }

    /// The 80 bytes that are hashed.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.version.to_le_bytes());
        bytes[4..36].copy_from_slice(&self.prev);
        bytes[36..68].copy_from_slice(&self.root);
        bytes[68..72].copy_from_slice(&self.ntime.to_le_bytes());
        bytes[72..76].copy_from_slice(&self.nbits.to_le_bytes());
        bytes[76..80].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// SHA-256d of the 80 bytes, internal byte order.
    #[must_use]
    pub fn hash(&self) -> Hash256 {
        sha256d(&self.to_bytes())
    }

    /// The share id of this header.
    #[must_use]
    pub fn share_id(&self) -> ShareId {
        ShareId::of_hash(&self.hash())
    }
}

fn le_u32(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn hash_at(bytes: &[u8; HEADER_BYTES], at: usize) -> Hash256 {
    let mut hash = [0; 32];
    hash.copy_from_slice(&bytes[at..at + 32]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{display_hash, hex};

    const GENESIS: &str = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";

    #[test]
    fn genesis_fields_hash_and_bytes() {
        let bytes: [u8; 80] = hex::decode_array("header", GENESIS).unwrap();
        let header = Header::from_bytes(&bytes);
        assert_eq!(
            (header.version, header.ntime, header.nbits, header.nonce),
            (1, 1_231_006_505, 0x1d00_ffff, 2_083_236_893)
        );
        assert_eq!(header.prev, [0; 32]);
        assert_eq!(
            display_hash(&header.root),
            "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
        );
        assert_eq!(
            display_hash(&header.hash()),
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
        );
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(header.share_id(), ShareId::of_hash(&header.hash()));
    }

    #[test]
    fn other_lengths_are_refused() {
        for bytes in [0, 1, 79, 81, 160] {
            assert_eq!(Header::from_slice(&vec![0; bytes]), Err(HeaderSizeError { bytes }));
        }
    }
}
