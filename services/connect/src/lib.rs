//! Connectors: what others record becomes events.
//!
//! - [`ckpool`]: a ckpool share log becomes sessions, jobs and shares.
//! - [`bitcoind`]: a Bitcoin Core node's chain becomes tips and network difficulties.
//! - [`miners`]: machines' own answers, polled, become samples.
//! - [`slurm`]: accounting rows become GPU spans.
//! - [`dcgm`]: GPUs' energy counters become register readings.
//! - [`import`]: files of prices and opening balances become facts.
//!
//! A connector is a client of the ingest API like any other: it holds an API key, sends JSON, and moves on only when it
//! was told that what it sent is durable. Whatever it sends twice counts once.

pub mod bitcoind;
mod bounds;
pub mod ckpool;
pub mod dcgm;
mod error;
pub mod import;
mod ingest;
mod kept;
pub mod miners;
mod sent;
pub mod slurm;
mod stop;

pub use error::ConnectError;
pub use ingest::{Ingest, Refused};
pub use stop::Stop;

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use wb_units::Micros;

/// This machine's clock, UTC microseconds.
pub(crate) fn now_us() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// The first eight bytes of the SHA-256 of some texts, each closed by a zero byte, as a number.
pub(crate) fn short_hash(texts: &[&[u8]]) -> u64 {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text);
        hasher.update([0]);
    }
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    u64::from_be_bytes(first)
}

/// Makes an id of a text: other characters than an id may have become `-`, and what is too long is cut and told apart by
/// its hash.
pub(crate) fn id_of(text: &str, bytes_max: usize) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._:/-".contains(letter);
    let plain: String = text.chars().map(|letter| if allowed(letter) { letter } else { '-' }).collect();
    if plain == text && !plain.is_empty() && plain.len() <= bytes_max {
        return plain;
    }
    let hash = format!("{:016x}", short_hash(&[text.as_bytes()]));
    let kept: String = plain.chars().take(bytes_max.saturating_sub(17)).collect();
    format!("{kept}.{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_apart_and_within_bounds() {
        assert_eq!(id_of("bc1q.worker-1", 64), "bc1q.worker-1");
        let ids = ["a b", "a-b", "a_b", "", "é"].map(|text| id_of(text, 64));
        for (index, id) in ids.iter().enumerate() {
            assert!(!id.is_empty() && id.len() <= 64, "{id}");
            assert!(!ids[..index].contains(id), "{ids:?}");
        }
        let long = "w".repeat(500);
        assert_eq!(id_of(&long, 64).len(), 64);
    }
}
