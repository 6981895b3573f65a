//! Hashes of acknowledged items, kept across runs, for a source that is read completely each time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ConnectError, kept};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// Hashes of sent items, sixteen hex digits each.
    sent: BTreeSet<String>,
}

/// Hashes of acknowledged items, and the file that keeps them.
#[derive(Debug)]
pub(crate) struct Sent {
    path: PathBuf,
    before: BTreeSet<String>,
    now: BTreeSet<String>,
}

fn name_of(hash: u64) -> String {
    format!("{hash:016x}")
}

impl Sent {
    /// Reads the file; a missing file means that nothing was sent.
    pub(crate) fn open(path: &Path) -> Result<Self, ConnectError> {
        let before = kept::load::<Stored>(path)?.sent;
        Ok(Self { path: path.to_owned(), before, now: BTreeSet::new() })
    }

    /// Whether an item was acknowledged before. Items that are asked for are kept by the next [`Self::save`]; the
    /// others are no longer in the source and are dropped.
    pub(crate) fn has(&mut self, hash: u64) -> bool {
        let name = name_of(hash);
        let known = self.before.contains(&name);
        if known {
            self.now.insert(name);
        }
        known
    }

    pub(crate) fn add(&mut self, hash: u64) {
        self.now.insert(name_of(hash));
    }

    /// Writes the file.
    pub(crate) fn save(&self) -> Result<(), ConnectError> {
        kept::save(&self.path, &Stored { sent: self.now.clone() })
    }
}
