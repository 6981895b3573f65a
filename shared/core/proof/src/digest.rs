//! The result of double SHA-256.

/// A SHA-256d result in internal byte order: as the hash function returns it, little endian when read as a number.
pub type Hash256 = [u8; 32];
