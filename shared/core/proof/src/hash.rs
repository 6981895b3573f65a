//! Double SHA-256, one message at a time or a batch of headers.

use sha2::{Digest, Sha256};

pub use crate::digest::Hash256;
use crate::hex::{self, HexError};
use crate::lanes::Chain;

/// The result slots of a batch are not as many as its messages.
#[wb_coded::coded]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[code("WB-1101")]
#[error("cannot hash {headers} messages into room for {results} results: give one result slot per message")]
pub struct BatchSizeMismatch {
    /// Headers, or other messages, given.
    pub headers: usize,
    /// Result slots given.
    pub results: usize,
}

/// SHA-256 of the SHA-256 of `message` (Bitcoin's block and transaction hash).
#[must_use]
pub fn sha256d(message: &[u8]) -> Hash256 {
    Sha256::digest(Sha256::digest(message)).into()
}

/// [`sha256d`] of the parts joined, without joining them in memory.
pub(crate) fn sha256d_parts(parts: &[&[u8]]) -> Hash256 {
    let mut first = Sha256::new();
    for part in parts {
        first.update(part);
    }
    Sha256::digest(first.finalize()).into()
}

/// Hashes a batch of headers: `out[i]` becomes the SHA-256d of `headers[i]`.
///
/// Headers are independent, so several are hashed side by side: 16 in the vectors of AVX-512, 8 in those of AVX2, 2
/// through the SHA instructions, one at a time elsewhere. The CPU is examined once ([`batch_path`]). A batch may have
/// any size; from a hundred on the cost per header is at its lowest.
///
/// # Errors
/// [`BatchSizeMismatch`] when `out` is not as long as `headers`; nothing is written then.
pub fn sha256d_headers(headers: &[[u8; 80]], out: &mut [Hash256]) -> Result<(), BatchSizeMismatch> {
    same_size(headers.len(), out.len())?;
    Chain::best().headers(headers, out);
    Ok(())
}

/// The SHA-256d of each header of a batch, as [`sha256d_headers`] writes them.
#[must_use]
pub fn hash_headers(headers: &[[u8; 80]]) -> Vec<Hash256> {
    let mut hashes = vec![[0; 32]; headers.len()];
    Chain::best().headers(headers, &mut hashes);
    hashes
}

/// Hashes a batch of messages of 64 bytes, which is what the nodes of a Merkle tree are: `out[i]` becomes the SHA-256d of
/// `messages[i]`. Otherwise as [`sha256d_headers`].
///
/// # Errors
/// [`BatchSizeMismatch`] when `out` is not as long as `messages`; nothing is written then.
pub fn sha256d_many_64(messages: &[[u8; 64]], out: &mut [Hash256]) -> Result<(), BatchSizeMismatch> {
    same_size(messages.len(), out.len())?;
    Chain::best().nodes(messages, out);
    Ok(())
}

/// How batches are hashed on this CPU: "avx512", "avx2", "sha-ni" or "portable".
#[must_use]
pub fn batch_path() -> &'static str {
    Chain::best().name()
}

fn same_size(headers: usize, results: usize) -> Result<(), BatchSizeMismatch> {
    if headers == results { Ok(()) } else { Err(BatchSizeMismatch { headers, results }) }
}

/// The hash as explorers and nodes print it: bytes reversed, 64 lower-case hex digits.
#[must_use]
pub fn display_hash(hash: &Hash256) -> String {
    let mut reversed = *hash;
    reversed.reverse();
    hex::encode(&reversed)
}

/// Reads what [`display_hash`] writes.
///
/// # Errors
/// [`HexError`] when `text` is not 64 hex digits; the message gives `field`.
pub fn parse_display_hash(field: &'static str, text: &str) -> Result<Hash256, HexError> {
    let mut hash: Hash256 = hex::decode_array(field, text)?;
    hash.reverse();
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn double_hash_of_hello_is_the_published_one() {
        assert_eq!(
            hex::encode(&sha256d(b"hello")),
            "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50"
        );
    }

    #[test]
    fn parts_hash_like_the_whole() {
        assert_eq!(sha256d_parts(&[b"he", b"", b"l", b"lo"]), sha256d(b"hello"));
        assert_eq!(sha256d_parts(&[]), sha256d(b""));
    }

    #[test]
    fn batch_gives_what_single_gives_and_refuses_uneven_slices() {
        let headers = [[0_u8; 80], [1; 80], [2; 80]];
        let mut out = [[0_u8; 32]; 3];
        sha256d_headers(&headers, &mut out).unwrap();
        for (header, hash) in headers.iter().zip(&out) {
            assert_eq!(*hash, sha256d(header));
        }
        let mut short = [[7_u8; 32]; 2];
        assert_eq!(sha256d_headers(&headers, &mut short), Err(BatchSizeMismatch { headers: 3, results: 2 }));
        assert_eq!(short, [[7_u8; 32]; 2], "a refused batch writes nothing");
        sha256d_headers(&[], &mut []).unwrap();
        let error = sha256d_many_64(&[[0; 64]], &mut short).unwrap_err();
        assert_eq!(error, BatchSizeMismatch { headers: 1, results: 2 });
        assert_eq!(short, [[7_u8; 32]; 2], "a refused batch writes nothing");
    }

    #[test]
    fn display_form_reverses_and_reads_back() {
        let mut hash = [0_u8; 32];
        hash[0] = 0xab;
        let text = display_hash(&hash);
        assert!(text.ends_with("ab") && text.starts_with("00"));
        assert_eq!(parse_display_hash("hash", &text), Ok(hash));
    }
}
