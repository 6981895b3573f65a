//! Checks which recordings in a folder can be parsed: `weighbridge connect miners --check`.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use wb_metering::miner::ANSWERS_MAX_BYTES;
use wb_metering::miner::check::{CheckRow, Outcome, check, table};
use wb_metering::miner::repair::repaired;

use crate::ConnectError;
pub use crate::bounds::FILES_MAX;

/// The result of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// A row per file, and one per folder of a machine's answers.
    pub rows: Vec<CheckRow>,
    pub files: usize,
    /// How many files cannot be parsed.
    pub refused: usize,
}

impl Checked {
    /// The rows as text.
    #[must_use]
    pub fn table(&self) -> String {
        table(&self.rows)
    }
}

/// Reads all `.json` files under a folder.
///
/// # Errors
/// [`ConnectError::File`] if a folder cannot be read, [`ConnectError::NoRecordings`] if there is no file, or more
/// than [`FILES_MAX`]. A file that cannot be read is a row with the reason.
pub fn folder(root: &Path) -> Result<Checked, ConnectError> {
    let mut paths = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(ConnectError::file("read the folder", &folder))? {
            let entry = entry.map_err(ConnectError::file("read the folder", &folder))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
    }
    if paths.is_empty() || paths.len() > FILES_MAX {
        return Err(ConnectError::NoRecordings { folder: root.to_path_buf(), files: paths.len() });
    }
    paths.sort();
    let mut texts = Vec::new();
    let mut rows = Vec::new();
    for path in &paths {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        match text_of(path) {
            Ok(text) => texts.push((name, text)),
            Err(error) => rows.push(CheckRow { path: name, outcome: Outcome::Refused(error.to_string()) }),
        }
    }
    rows.extend(check(&texts));
    rows.sort_by(|left, right| left.path.cmp(&right.path));
    let refused = rows.iter().filter(|row| matches!(row.outcome, Outcome::Refused(_))).count();
    Ok(Checked { rows, files: paths.len(), refused })
}

/// A file's text, cut off just above the limit, and put right as the poller puts right what comes over the wire.
fn text_of(path: &PathBuf) -> std::io::Result<String> {
    let most = u64::try_from(ANSWERS_MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > ANSWERS_MAX_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    match repaired(&bytes) {
        Some(text) => Ok(text),
        None => String::from_utf8(bytes).map_err(std::io::Error::other),
    }
}
