//! An archive in a folder: one immutable, compressed file per block. Several machines may share it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_files::Access;
use wb_fold::{BlockId, LogRecord};

use crate::form::{self, ArchivedBlock};
use crate::{FORM_BYTES_MAX, FrameArchive, FrameArchiveError};

/// The compression level: zstd's default.
const LEVEL: i32 = 3;

/// An archive in a folder: `<dir>/<log id, hex>/<topic>-<partition>/<block>.frames`.
#[derive(Debug, Clone)]
pub struct FolderArchive {
    dir: PathBuf,
}

impl FolderArchive {
    /// Creates an archive in a folder. The folder is created with the first block.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn folder_of(&self, log_id: &[u8], id: &BlockId) -> PathBuf {
        let log = faster_hex::hex_string(log_id);
        self.dir.join(log).join(format!("{}-{}", id.topic, id.partition))
    }

    /// The path of a block's file, which may not exist.
    #[must_use]
    pub fn path_of(&self, log_id: &[u8], id: &BlockId) -> PathBuf {
        self.folder_of(log_id, id).join(format!("{:020}.frames", id.block))
    }
}

fn write(folder: &Path, path: &Path, form: &[u8]) -> io::Result<()> {
    wb_files::make_folder(folder)?;
    wb_files::replace(path, &zstd::bulk::compress(form, LEVEL)?, Access::Usual)
}

/// The entries of a folder; empty if it does not exist.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes a file if it is unfinished and old enough.
fn remove_if_left(path: &Path, age: Duration) -> io::Result<bool> {
    if !wb_files::is_unfinished(path) {
        return Ok(false);
    }
    let written = fs::metadata(path)?.modified()?;
    // If the clock was set back, a file looks younger, never older.
    if written.elapsed().unwrap_or_default() < age {
        return Ok(false);
    }
    fs::remove_file(path).map(|()| true)
}

/// The form in a file; `None` if there is no file.
fn read_form(path: &Path) -> Result<Option<Vec<u8>>, FrameArchiveError> {
    let failed = |source| FrameArchiveError::Read { path: path.to_owned(), source };
    let damaged = |problem: String| FrameArchiveError::Damaged { path: path.to_owned(), problem };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let bound = u64::try_from(FORM_BYTES_MAX + 4_096).unwrap_or(u64::MAX);
    let mut packed = Vec::new();
    file.take(bound.saturating_add(1)).read_to_end(&mut packed).map_err(failed)?;
    let decoder = zstd::stream::read::Decoder::new(packed.as_slice());
    let mut decoder = decoder.map_err(|error| damaged(format!("it cannot be unpacked: {error}")))?;
    let mut form = Vec::new();
    let unpacked = (&mut decoder).take(bound.saturating_add(1)).read_to_end(&mut form);
    unpacked.map_err(|error| damaged(format!("it cannot be unpacked: {error}")))?;
    if u64::try_from(form.len()).unwrap_or(u64::MAX) > bound {
        return Err(damaged(format!("it holds more than {bound} bytes")));
    }
    Ok(Some(form))
}

impl FrameArchive for FolderArchive {
    fn keep(
        &self,
        log_id: &[u8],
        id: &BlockId,
        records: &[LogRecord],
    ) -> Result<[u8; 32], FrameArchiveError> {
        let form = form::encode(id, records)?;
        let hash = form::hash(&form);
        let path = self.path_of(log_id, id);
        // A damaged or different file is replaced; a correct one is kept.
        if matches!(read_form(&path), Ok(Some(there)) if there == form) {
            return Ok(hash);
        }
        let folder = self.folder_of(log_id, id);
        write(&folder, &path, &form)
            .map_err(|source| FrameArchiveError::Write { path: path.clone(), source })?;
        Ok(hash)
    }

    fn fetch(
        &self,
        log_id: &[u8],
        id: &BlockId,
        hash: &[u8],
    ) -> Result<Option<ArchivedBlock>, FrameArchiveError> {
        let path = self.path_of(log_id, id);
        let Some(form) = read_form(&path)? else { return Ok(None) };
        let damaged = |problem: String| FrameArchiveError::Damaged { path: path.clone(), problem };
        let found = form::hash(&form);
        if found != hash {
            let (found, committed) = (faster_hex::hex_string(&found), faster_hex::hex_string(hash));
            return Err(damaged(format!("its SHA-256 is {found}, but its commit has {committed}")));
        }
        let block = form::decode(&form).map_err(damaged)?;
        if block.id == *id {
            Ok(Some(block))
        } else {
            Err(damaged(format!("it holds block {} of {}", block.id.block, block.id.topic)))
        }
    }

    fn sweep(&self, log_id: &[u8], age: Duration) -> Result<u64, FrameArchiveError> {
        let log = self.dir.join(faster_hex::hex_string(log_id));
        let failed = |path: &Path, source| FrameArchiveError::Write { path: path.to_owned(), source };
        let mut removed = 0;
        for folder in entries(&log).map_err(|error| failed(&log, error))? {
            for path in entries(&folder).map_err(|error| failed(&folder, error))? {
                removed += u64::from(remove_if_left(&path, age).map_err(|error| failed(&path, error))?);
            }
        }
        Ok(removed)
    }
}
