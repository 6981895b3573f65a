//! Event sources and their API keys.
//!
//! Only the SHA-256 of a key is stored. No salt or stretching is needed, because a key is 256 random bits.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::bearer::bearer_token;
use crate::error::AuthError;
use crate::tenant::is_identifier;

/// The prefix of API keys, by which scanners recognise a leaked one.
pub const API_KEY_PREFIX: &str = "wbk_";

/// The longest API key that is hashed; longer ones are refused.
pub const API_KEY_MAX_BYTES: usize = 256;

/// Random bytes in a generated key.
const API_KEY_RANDOM_BYTES: usize = 32;

/// The roles of a source: what it may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Shares of a pool or proxy, rebuilt from its jobs.
    Pool,
    /// Bare headers of recorded history.
    Replay,
    /// Miner samples and node health.
    Telemetry,
    /// Energy readings.
    Meter,
    /// GPU allocation spans.
    Scheduler,
    /// Reference facts: sites, contracts, assignments, sessions, jobs, prices.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Pool, Self::Replay, Self::Telemetry, Self::Meter, Self::Scheduler, Self::Operator];

    /// The role's name in configuration and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Replay => "replay",
            Self::Telemetry => "telemetry",
            Self::Meter => "meter",
            Self::Scheduler => "scheduler",
            Self::Operator => "operator",
        }
    }
}

/// A source as configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// The source's identifier; it becomes the `source` of its events.
    pub id: String,
    /// SHA-256 of the whole key, prefix included, as 64 lower-case hex digits.
    pub key_sha256_hex: String,
    /// Its roles.
    pub roles: Vec<Role>,
}

/// An authenticated source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The source's identifier.
    pub id: String,
    roles: Vec<Role>,
}

impl Source {
    /// Whether it has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Requires a role.
    ///
    /// # Errors
    /// [`AuthError::RoleMissing`] if the source lacks it.
    pub fn require(&self, role: Role) -> Result<(), AuthError> {
        if self.has(role) {
            Ok(())
        } else {
            Err(AuthError::RoleMissing { source_id: self.id.clone(), needed: role.as_str() })
        }
    }
}

/// The sources that may send events, by the hash of their keys.
#[derive(Debug, Clone)]
pub struct SourceKeys {
    entries: Vec<([u8; 32], Source)>,
}

impl SourceKeys {
    /// Creates the list of configured sources.
    ///
    /// Entries may share an id (two keys while one is replaced), but not a key.
    ///
    /// # Errors
    /// [`AuthError::SourceEntry`] for an id outside the alphabet, a hash that is not 64 lower-case
    /// hex digits, no role, or a key used twice.
    pub fn from_entries(entries: Vec<SourceEntry>) -> Result<Self, AuthError> {
        let mut known: Vec<([u8; 32], Source)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let refuse =
                |problem| AuthError::SourceEntry { source_id: entry.id.chars().take(128).collect(), problem };
            if !is_identifier(&entry.id) {
                return Err(refuse("an id is 1 to 128 characters of [A-Za-z0-9._:/-]"));
            }
            let mut hash = [0_u8; 32];
            let lower_case = !entry.key_sha256_hex.bytes().any(|byte| byte.is_ascii_uppercase());
            let decoded = entry.key_sha256_hex.len() == 64
                && lower_case
                && faster_hex::hex_decode(entry.key_sha256_hex.as_bytes(), &mut hash).is_ok();
            if !decoded {
                return Err(refuse("key_sha256_hex must be 64 lower-case hex digits"));
            }
            if entry.roles.is_empty() {
                return Err(refuse("give it at least one role"));
            }
            if known.iter().any(|(other, _)| *other == hash) {
                return Err(refuse("its key is another entry's key: every entry needs a key of its own"));
            }
            known.push((hash, Source { id: entry.id, roles: entry.roles }));
        }
        Ok(Self { entries: known })
    }

    /// Finds the source of an `Authorization` header.
    ///
    /// All entries are compared, each in constant time.
    ///
    /// # Errors
    /// [`AuthError::Missing`], [`AuthError::Malformed`] or [`AuthError::UnknownKey`].
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<&Source, AuthError> {
        let key = bearer_token(authorization)?;
        if !key.starts_with(API_KEY_PREFIX) || key.len() > API_KEY_MAX_BYTES {
            return Err(AuthError::UnknownKey);
        }
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let mut found = None;
        for (known, source) in &self.entries {
            if verify_slices_are_equal(known, &hash).is_ok() {
                found = Some(source);
            }
        }
        found.ok_or(AuthError::UnknownKey)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key, so that every source is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A new API key: the key for the source, and its hash for the configuration.
pub struct GeneratedKey {
    /// The key. Show it once and do not store it.
    pub key: String,
    /// The value for `key_sha256_hex`.
    pub key_sha256_hex: String,
}

impl GeneratedKey {
    /// Creates a key from 256 random bits.
    ///
    /// # Errors
    /// [`AuthError::Issue`] if the system gives no random bytes.
    pub fn random() -> Result<Self, AuthError> {
        let mut random = [0_u8; API_KEY_RANDOM_BYTES];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| AuthError::Issue { problem: "the system gave no random bytes".to_owned() })?;
        let key = format!("{API_KEY_PREFIX}{}", faster_hex::hex_string(&random));
        let key_sha256_hex = faster_hex::hex_string(&Sha256::digest(key.as_bytes()));
        Ok(Self { key, key_sha256_hex })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, key: &str, roles: Vec<Role>) -> SourceEntry {
        let key_sha256_hex = faster_hex::hex_string(&Sha256::digest(key.as_bytes()));
        SourceEntry { id: id.to_owned(), key_sha256_hex, roles }
    }

    #[test]
    fn a_source_is_found_by_its_key_only() {
        let keys = SourceKeys::from_entries(vec![
            entry("pool-a", "wbk_aaaa", vec![Role::Pool]),
            entry("office", "wbk_bbbb", vec![Role::Operator, Role::Replay]),
        ])
        .unwrap();
        let source = keys.authenticate(Some("Bearer wbk_bbbb")).unwrap();
        assert_eq!(source.id, "office");
        assert!(source.require(Role::Operator).is_ok());
        let refusal = source.require(Role::Meter).unwrap_err();
        assert_eq!((refusal.code(), refusal.is_forbidden()), ("WB-3004", true));
        for (header, code) in [
            (None, "WB-3001"),
            (Some("wbk_aaaa"), "WB-3002"),
            (Some("Bearer wbk_aaab"), "WB-3003"),
            (Some("Bearer aaaa"), "WB-3003"),
            (Some("Bearer wbk_"), "WB-3003"),
        ] {
            assert_eq!(keys.authenticate(header).unwrap_err().code(), code, "{header:?}");
        }
    }

    #[test]
    fn a_key_that_is_too_long_is_not_hashed() {
        let long = format!("wbk_{}", "a".repeat(API_KEY_MAX_BYTES));
        let keys = SourceKeys::from_entries(vec![entry("x", &long, vec![Role::Pool])]).unwrap();
        assert_eq!(keys.authenticate(Some(&format!("Bearer {long}"))).unwrap_err().code(), "WB-3003");
    }

    #[test]
    fn entries_that_cannot_be_used_are_refused() {
        let good = entry("x", "wbk_x", vec![Role::Pool]);
        let upper = SourceEntry { key_sha256_hex: good.key_sha256_hex.to_uppercase(), ..good.clone() };
        let short = SourceEntry { key_sha256_hex: "ab".to_owned(), ..good.clone() };
        for wrong in [
            vec![entry("", "wbk_x", vec![Role::Pool])],
            vec![entry("x y", "wbk_x", vec![Role::Pool])],
            vec![entry("x", "wbk_x", vec![])],
            vec![upper],
            vec![short],
            vec![good.clone(), SourceEntry { id: "y".to_owned(), ..good }],
        ] {
            assert_eq!(SourceKeys::from_entries(wrong).unwrap_err().code(), "WB-3005");
        }
    }

    #[test]
    fn a_generated_key_is_accepted_and_never_repeats() {
        let first = GeneratedKey::random().unwrap();
        let second = GeneratedKey::random().unwrap();
        assert_ne!(first.key, second.key);
        let keys = SourceKeys::from_entries(vec![SourceEntry {
            id: "x".to_owned(),
            key_sha256_hex: first.key_sha256_hex,
            roles: vec![Role::Meter],
        }])
        .unwrap();
        assert!(keys.authenticate(Some(&format!("Bearer {}", first.key))).is_ok());
        assert!(keys.authenticate(Some(&format!("Bearer {}", second.key))).is_err());
    }
}
