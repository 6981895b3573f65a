//! Files that are there whole or not at all, also after a crash or a power cut.
//!
//! A new content is written under another name in the same folder, synced, put in its place by one call of the file
//! system, and then the folder is synced: before the last step a power cut may still show the old content, after it the new
//! one stays. A process that is killed in between leaves a file whose name ends in [`UNFINISHED`], which nobody reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The extension of a file that is not in its place yet.
pub const UNFINISHED: &str = "unfinished";

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its owner only: it holds a secret.
    Secret,
    /// Whom the system's settings (`umask`) let.
    Usual,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::Secret => 0o600,
            Self::Usual => 0o666,
        }
    }
}

/// Writes a file in place of the one before, if there is one.
///
/// # Errors
/// Any error of the file system. Unless it is that the folder could not be synced, the file before still holds.
pub fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut file = Replacement::begin(path, access)?;
    file.write_all(content)?;
    file.put_in_place()
}

/// Writes a file unless there is one; `false` where there is, which is then left alone. Of several processes that create
/// one file at once, one succeeds.
///
/// # Errors
/// Any error of the file system.
pub fn create(path: &Path, content: &[u8], access: Access) -> io::Result<bool> {
    let mut file = Replacement::begin(path, access)?;
    file.write_all(content)?;
    file.put_where_nothing_is()
}

/// Makes a folder and those above it that are missing, so that they outlive a power cut.
///
/// # Errors
/// Any error of the file system.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    // Those above first: a folder is kept by the one that holds it.
    let above = folder.parent().unwrap_or(Path::new(""));
    if !above.as_os_str().is_empty() {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync_folder_of(folder)
}

/// Moves a file or a folder to another name in the same folder, and syncs the folder.
///
/// # Errors
/// Any error of the file system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Whether a file is one that was never put in its place.
#[must_use]
pub fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == UNFINISHED)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A file that is being written, for contents that are not at hand whole. Dropped before it is put in its place, it goes.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    aside: PathBuf,
    path: PathBuf,
}

impl Replacement {
    /// Begins a file that shall be at `path`.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn begin(path: &Path, access: Access) -> io::Result<Self> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        let tag = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let mut aside = name.to_owned();
        aside.push(format!(".{tag:016x}.{UNFINISHED}"));
        let aside = path.with_file_name(aside);
        let file = OpenOptions::new().write(true).create_new(true).mode(access.mode()).open(&aside)?;
        Ok(Self { file, aside, path: path.to_owned() })
    }

    /// Puts the file in the place of the one before, for good.
    ///
    /// # Errors
    /// Any error of the file system. Unless it is that the folder could not be synced, the file before still holds.
    pub fn put_in_place(self) -> io::Result<()> {
        self.file.sync_all()?;
        rename(&self.aside, &self.path)
    }

    fn put_where_nothing_is(self) -> io::Result<bool> {
        self.file.sync_all()?;
        match fs::hard_link(&self.aside, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        // A secret has one name only.
        fs::remove_file(&self.aside)?;
        sync_folder_of(&self.path)?;
        Ok(true)
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Once it is in its place there is nothing left to remove, and a failure was told already.
        let _ = fs::remove_file(&self.aside);
    }
}
