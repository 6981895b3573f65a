//! Connectors: read foreign systems and send events for them.
//!
//! - [`ckpool`]: a ckpool share log, as sessions, jobs and shares.
//! - [`bitcoind`]: the chain of a Bitcoin Core node, as tips and network difficulties.
//! - [`miners`]: the answers of polled machines, as samples.
//! - [`slurm`]: accounting rows, as GPU spans.
//! - [`dcgm`]: energy counters of GPUs, as register readings.
//! - [`import`]: files of prices and opening balances, as facts.
//! - [`fact_files`]: files of all other facts.
//!
//! A connector is a client of the ingest API: it has an API key, sends JSON, and advances only when everything sent
//! is durable. What it sends twice counts once.

pub mod bitcoind;
mod bounds;
pub mod ckpool;
pub mod dcgm;
mod error;
pub mod fact_files;
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

/// The present by this machine's clock, UTC microseconds.
pub(crate) fn now_us() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// The first eight bytes of the SHA-256 of some texts, each ended by a zero byte, as a number.
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

/// Makes an id from a text: characters that are not allowed become `-`, and a long text is cut and gets its hash.
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
