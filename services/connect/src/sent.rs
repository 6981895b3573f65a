//! What was acknowledged of a source that is read whole each time, kept across runs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ConnectError;

const VERSION: u32 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    version: u32,
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
        let wrong = |detail: String| ConnectError::Position { path: path.to_owned(), detail };
        let stored = match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Stored { version: VERSION, sent: BTreeSet::new() }
            }
            Err(error) => return Err(ConnectError::file("read", path)(error)),
        };
        if stored.version != VERSION {
            return Err(wrong(format!("its version is {}, this program reads {VERSION}", stored.version)));
        }
        Ok(Self { path: path.to_owned(), before: stored.sent, now: BTreeSet::new() })
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

    /// Writes the file: beside it first, then into its place, so that it is whole whenever one looks.
    pub(crate) fn save(&self) -> Result<(), ConnectError> {
        let aside = self.path.with_extension("tmp");
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(ConnectError::file("make the folder", folder))?;
        }
        let stored = Stored { version: VERSION, sent: self.now.clone() };
        let text = serde_json::to_string_pretty(&stored)
            .map_err(|error| ConnectError::file("write", &aside)(error.into()))?;
        let mut file = File::create(&aside).map_err(ConnectError::file("write", &aside))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(ConnectError::file("write", &aside))?;
        fs::rename(&aside, &self.path).map_err(ConnectError::file("replace", &self.path))
    }
}
