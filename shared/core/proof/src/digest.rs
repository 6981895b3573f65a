//! What double SHA-256 gives.

/// A SHA-256d result in internal byte order: as the hash function returns it, little endian when read as a number.
pub type Hash256 = [u8; 32];
