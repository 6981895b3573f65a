//! What was acknowledged of a source that is read whole each time, kept across runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ConnectError, kept};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// Hashes of what was sent, sixteen hex digits each.
    sent: BTreeSet<String>,
}

/// Hashes of what was acknowledged, and the file they are kept in.
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
    /// Reads the file; one that is not there yet says that nothing was sent.
    pub(crate) fn open(path: &Path) -> Result<Self, ConnectError> {
        let before = kept::load::<Stored>(path)?.sent;
        Ok(Self { path: path.to_owned(), before, now: BTreeSet::new() })
    }

    /// Whether it was acknowledged before. What is asked for here stays remembered; the rest is forgotten with the next
    /// [`Self::save`], for it is not in the source any more.
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
