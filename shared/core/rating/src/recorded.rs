//! The recorded versions of one contract: the first text of a version stands, and no later one takes its place.
//!
//! Statements are judged in the order in which they were recorded, so every reader of one log comes to one answer.

use std::collections::BTreeMap;

use serde::Deserialize;
use wb_units::Micros;
use wb_units::time::{boundary_at_or_after, rfc3339};

use crate::compare::{Difference, differences};
use crate::contract::Format;

/// The most differences that a refusal lists.
const LISTED_MAX: usize = 8;

/// The versions of one contract that stand, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedVersions {
    standing: BTreeMap<u64, Standing>,
}

/// A version that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    body: String,
    /// From when it holds, on the settlement grid: the earliest instant it was recorded for.
    begins_us: Micros,
}

/// Why a statement on a version is refused.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionRefused {
    /// The version is recorded with other terms.
    #[code("WB-5124")]
    #[error(
        "version {version} of contract {contract_id} is recorded with other terms, and a recorded version never \
         changes: {}; give the new terms the version {next} and the instant from which they hold",
        listed(differences)
    )]
    OtherTerms {
        /// The contract.
        contract_id: String,
        /// The version.
        version: u64,
        /// The next free version.
        next: u64,
        /// From the recorded text to the refused one.
        differences: Vec<Difference>,
    },
    /// There is no such version to withdraw.
    #[code("WB-5125")]
    #[error("contract {contract_id} has no version {version} to withdraw; it has {}", numbers(known))]
    NoSuchVersion {
        /// The contract.
        contract_id: String,
        /// The version.
        version: u64,
        /// The versions that stand.
        known: Vec<u64>,
    },
    /// The version has taken effect.
    #[code("WB-5126")]
    #[error(
        "version {version} of contract {contract_id} holds since {since}, so it cannot be withdrawn any more; \
         record a new version with the instant from which it holds"
    )]
    InEffect {
        /// The contract.
        contract_id: String,
        /// The version.
        version: u64,
        /// Its first instant.
        since: String,
    },
}

fn numbers(known: &[u64]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn listed(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "the texts differ".to_owned();
    }
    let mut shown: Vec<String> = differences.iter().take(LISTED_MAX).map(ToString::to_string).collect();
    if differences.len() > LISTED_MAX {
        shown.push(format!("and {} more", differences.len() - LISTED_MAX));
    }
    shown.join(", ")
}

/// The number of a document's version, as [`crate::Contract`] reads it; `None` for a text that has none it could read.
#[must_use]
pub fn version_of(body: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        version: Option<u64>,
    }
    serde_json::from_str::<Numbered>(body).ok().map(|numbered| numbered.version.unwrap_or(1))
}

impl RecordedVersions {
    /// Takes in a document (JSON) recorded to hold from an instant, and says which version it is. The same terms may be
    /// recorded again. A document whose version cannot be read is not judged: it is refused where it is read.
    ///
    /// # Errors
    /// [`VersionRefused::OtherTerms`].
    pub fn record(
        &mut self,
        contract_id: &str,
        from_us: Micros,
        body: &str,
    ) -> Result<Option<u64>, VersionRefused> {
        let Some(version) = self.check(contract_id, body)? else { return Ok(None) };
        let begins_us = boundary_at_or_after(from_us);
        let standing =
            self.standing.entry(version).or_insert_with(|| Standing { body: body.to_owned(), begins_us });
        standing.begins_us = standing.begins_us.min(begins_us);
        Ok(Some(version))
    }

    /// Judges a document like [`Self::record`], and takes nothing in.
    ///
    /// # Errors
    /// [`VersionRefused::OtherTerms`].
    pub fn check(&self, contract_id: &str, body: &str) -> Result<Option<u64>, VersionRefused> {
        let Some(version) = version_of(body) else { return Ok(None) };
        let Some(standing) = self.standing.get(&version) else { return Ok(Some(version)) };
        if standing.body == body {
            return Ok(Some(version));
        }
        // Another order of fields is no other text.
        let differences =
            differences((&standing.body, Format::Json), (body, Format::Json)).unwrap_or_default();
        if differences.is_empty() && same_json(&standing.body, body) {
            return Ok(Some(version));
        }
        let next = self.standing.last_key_value().map_or(1, |(last, _)| last.saturating_add(1));
        Err(VersionRefused::OtherTerms { contract_id: contract_id.to_owned(), version, next, differences })
    }

    /// Withdraws a version that does not hold yet. Its number is free again.
    ///
    /// # Errors
    /// [`VersionRefused::NoSuchVersion`] and [`VersionRefused::InEffect`].
    pub fn withdraw(&mut self, contract_id: &str, version: u64, at_us: Micros) -> Result<(), VersionRefused> {
        self.check_withdrawal(contract_id, version, at_us)?;
        self.standing.remove(&version);
        Ok(())
    }

    /// Judges a withdrawal like [`Self::withdraw`], and withdraws nothing.
    ///
    /// # Errors
    /// [`VersionRefused::NoSuchVersion`] and [`VersionRefused::InEffect`].
    pub fn check_withdrawal(
        &self,
        contract_id: &str,
        version: u64,
        at_us: Micros,
    ) -> Result<(), VersionRefused> {
        let contract_id = contract_id.to_owned();
        let Some(standing) = self.standing.get(&version) else {
            let known = self.standing.keys().copied().collect();
            return Err(VersionRefused::NoSuchVersion { contract_id, version, known });
        };
        if at_us >= standing.begins_us {
            let since = rfc3339(standing.begins_us);
            return Err(VersionRefused::InEffect { contract_id, version, since });
        }
        Ok(())
    }
}

fn same_json(left: &str, right: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    read(left).is_some_and(|left| Some(left) == read(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_units::SETTLEMENT_INTERVAL_US as STEP_US;

    fn body(version: Option<u64>, price: &str) -> String {
        let version = version.map_or_else(String::new, |version| format!(r#""version":{version},"#));
        format!(r#"{{"contract_id":"c",{version}"components":[{{"id":"power","unit_price":"{price}"}}]}}"#)
    }

    #[test]
    fn the_first_text_of_a_version_stands() {
        let mut versions = RecordedVersions::default();
        assert_eq!(versions.record("c", 0, &body(None, "0.07")), Ok(Some(1)));
        assert_eq!(versions.record("c", STEP_US, &body(None, "0.07")), Ok(Some(1)), "the same terms");
        let swapped = r#"{"components":[{"unit_price":"0.07","id":"power"}],"contract_id":"c"}"#;
        assert_eq!(versions.record("c", 0, swapped), Ok(Some(1)), "the same terms in another order");
        let refused = versions.record("c", 0, &body(Some(1), "0.09")).unwrap_err();
        assert_eq!(refused.code(), "WB-5124");
        let text = refused.to_string();
        for word in ["version 1 of contract c", "\"0.07\" -> \"0.09\"", "version 2"] {
            assert!(text.contains(word), "{text} lacks {word}");
        }
        assert_eq!(versions.record("c", 0, &body(Some(2), "0.09")), Ok(Some(2)));
        assert_eq!(versions.record("c", 0, "no document"), Ok(None));
    }

    #[test]
    fn a_version_is_withdrawn_before_it_holds_and_never_after() {
        let mut versions = RecordedVersions::default();
        assert_eq!(versions.withdraw("c", 1, 0).unwrap_err().code(), "WB-5125");
        assert_eq!(versions.record("c", 2 * STEP_US + 1, &body(Some(1), "1")), Ok(Some(1)));
        assert_eq!(versions.withdraw("c", 1, 3 * STEP_US).unwrap_err().code(), "WB-5126");
        assert_eq!(versions.withdraw("c", 1, 3 * STEP_US - 1), Ok(()));
        assert_eq!(versions.record("c", 0, &body(Some(1), "2")), Ok(Some(1)), "the number is free again");
        assert!(versions.withdraw("c", 1, STEP_US).is_err());
    }

    #[test]
    fn a_refusal_lists_few_differences() {
        let of = |value: u64| {
            let fields: Vec<String> = (0..20).map(|field| format!(r#""f{field}":{value}"#)).collect();
            format!("{{{}}}", fields.join(","))
        };
        let mut versions = RecordedVersions::default();
        assert!(versions.record("c", 0, &of(1)).is_ok());
        let text = versions.record("c", 0, &of(2)).unwrap_err().to_string();
        assert!(text.contains("and 12 more"), "{text}");
    }
}
