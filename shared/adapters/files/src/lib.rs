//! Writes files atomically and durably, even across a crash or a power cut.
//!
//! New content is written to another name in the same folder, synced and moved into place by one system call, and
//! then the folder is synced. Before the last step a power cut may restore the old content; after it the new content
//! stays. A killed process may leave a file whose name ends in [`UNFINISHED`]; such files are ignored.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The extension of an unfinished file.
pub const UNFINISHED: &str = "unfinished";

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only its owner, because it holds a secret.
    Secret,
    /// As the system's settings (`umask`) allow.
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

/// Writes a file, replacing an existing one.
///
/// # Errors
/// Any error of the file system. Unless only syncing the folder failed, the old file is unchanged.
pub fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut file = Replacement::begin(path, access)?;
    file.write_all(content)?;
    file.put_in_place()
}

/// Creates a file; `false` if it already exists, which leaves it unchanged. Of several processes that create it at
/// once, one succeeds.
///
/// # Errors
/// Any error of the file system.
pub fn create(path: &Path, content: &[u8], access: Access) -> io::Result<bool> {
    let mut file = Replacement::begin(path, access)?;
    file.write_all(content)?;
    file.put_where_nothing_is()
}

/// Creates a folder and its missing parents durably.
///
/// # Errors
/// Any error of the file system.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    // Parents first, because a parent holds the entry of its folder.
    let above = folder.parent().unwrap_or(Path::new(""));
    if !above.as_os_str().is_empty() {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        // Another process created it first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync_folder_of(folder)
}

/// Renames a file or folder within its folder, and syncs the folder.
///
/// # Errors
/// Any error of the file system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Whether a file is unfinished.
#[must_use]
pub fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == UNFINISHED)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A file in progress, for content that is produced piece by piece. It is removed when dropped before it is put in
/// place.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    aside: PathBuf,
    path: PathBuf,
}

impl Replacement {
    /// Starts a file for `path`.
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

    /// Moves the file into place durably, replacing an existing one.
    ///
    /// # Errors
    /// Any error of the file system. Unless only syncing the folder failed, the old file is unchanged.
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
        // A secret must have only one name.
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
        // After it is put in place there is nothing to remove, and a failure was already returned.
        let _ = fs::remove_file(&self.aside);
    }
}
