//! The acknowledged position in each file, kept across restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ConnectError, kept};

/// A file and its position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Its path, for information.
    path: String,
    /// The first byte that is not acknowledged.
    offset: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// By fingerprint of name and first line, sixteen hex digits; a rename does not change it.
    files: BTreeMap<String, Entry>,
}

/// The positions, and the file that keeps them.
#[derive(Debug)]
pub(crate) struct Positions {
    path: PathBuf,
    stored: Stored,
}

fn name_of(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

impl Positions {
    /// Reads the file; a missing file means that nothing was read.
    pub(crate) fn open(path: &Path) -> Result<Self, ConnectError> {
        Ok(Self { path: path.to_owned(), stored: kept::load(path)? })
    }

    pub(crate) fn offset(&self, fingerprint: u64) -> u64 {
        self.stored.files.get(&name_of(fingerprint)).map_or(0, |entry| entry.offset)
    }

    pub(crate) fn advance(&mut self, fingerprint: u64, path: &Path, offset: u64) {
        let entry = Entry { path: path.to_string_lossy().into_owned(), offset };
        self.stored.files.insert(name_of(fingerprint), entry);
    }

    /// Removes files that no longer exist.
    pub(crate) fn keep_only(&mut self, fingerprints: &BTreeSet<u64>) {
        let names: BTreeSet<String> = fingerprints.iter().map(|fingerprint| name_of(*fingerprint)).collect();
        self.stored.files.retain(|name, _| names.contains(name));
    }

    /// Writes the file.
    pub(crate) fn save(&self) -> Result<(), ConnectError> {
        kept::save(&self.path, &self.stored)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn positions_are_found_again_and_foreign_files_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/position.json");
        let mut positions = Positions::open(&path).unwrap();
        positions.advance(1, Path::new("a"), 10);
        positions.advance(2, Path::new("b"), 20);
        positions.save().unwrap();
        let mut again = Positions::open(&path).unwrap();
        assert_eq!((again.offset(1), again.offset(2), again.offset(3)), (10, 20, 0));
        again.keep_only(&BTreeSet::from([2]));
        again.save().unwrap();
        assert_eq!(Positions::open(&path).unwrap().offset(1), 0);
        for foreign in ["", "{}", "[1]", r#"{"version":2,"files":{}}"#] {
            fs::write(&path, foreign).unwrap();
            assert_eq!(Positions::open(&path).unwrap_err().code(), "WB-5706", "{foreign}");
        }
    }
}
