//! The files of a share log: finding them, identifying them, and reading their whole lines.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::lines::{LINE_BYTES_MAX, folder_height};
use crate::{ConnectError, short_hash};

/// How deep folders are searched: one level per block, and one more.
const DEPTH_MAX: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    /// Size and time of the last change, which show whether it is new.
    pub(crate) stamp: (u64, Option<SystemTime>),
    /// The height in its folder's name.
    pub(crate) height: Option<u32>,
}

/// All files of the log: workbases before shares, then by folder, which is by height, then by age.
pub(crate) fn list(dir: &Path) -> Result<Vec<LogFile>, ConnectError> {
    let mut found = Vec::new();
    walk(dir, 0, &mut found)?;
    found.sort_by_key(|file| {
        let folder = file.path.parent().map(Path::to_path_buf);
        (!is_workinfo(&file.path), folder, file.stamp.1, file.path.clone())
    });
    Ok(found)
}

fn is_workinfo(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".workinfo"))
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<LogFile>) -> Result<(), ConnectError> {
    for entry in fs::read_dir(dir).map_err(ConnectError::file("read the folder", dir))? {
        let entry = entry.map_err(ConnectError::file("read the folder", dir))?;
        let path = entry.path();
        // A file that disappears meanwhile is skipped.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            if depth < DEPTH_MAX {
                walk(&path, depth + 1, found)?;
            }
        } else if metadata.is_file() && stem(&path).is_some() {
            let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
            let height = folder.and_then(|name| folder_height(&name));
            found.push(LogFile { stamp: (metadata.len(), metadata.modified().ok()), height, path });
        }
    }
    Ok(())
}

/// A file's name without the suffix of a rotation: `1.sharelog` for `1.sharelog` and `1.sharelog.2`. None for other
/// files, and for compressed ones, which were read before.
fn stem(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    if [".gz", ".zst", ".xz", ".bz2", ".tmp"].iter().any(|packed| name.ends_with(packed)) {
        return None;
    }
    [".sharelog", ".workinfo"].iter().find_map(|kind| {
        let end = name.rfind(kind)? + kind.len();
        let rest = &name[end..];
        (rest.is_empty() || rest.starts_with('.') || rest.starts_with('-')).then(|| name[..end].to_owned())
    })
}

/// Lines read from an offset on.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Each whole line with its offset; `None` for a line that is too long.
    pub(crate) lines: Vec<(u64, Option<String>)>,
    /// Where the next line begins.
    pub(crate) end: u64,
}

/// An open file with its identity.
pub(crate) struct OpenFile {
    reader: BufReader<File>,
    /// The hash of name and first line. It survives a rename, and changes if the file is truncated and rewritten.
    pub(crate) fingerprint: u64,
}

/// Opens a file; none if it has no whole line yet, or is gone.
pub(crate) fn open(path: &Path) -> Result<Option<OpenFile>, ConnectError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConnectError::file("open", path)(error)),
    };
    let mut opened = OpenFile { reader: BufReader::new(file), fingerprint: 0 };
    let first = opened.read(0, 1, path)?;
    let Some((_, line)) = first.lines.first() else { return Ok(None) };
    let text = line.as_deref().unwrap_or_default();
    opened.fingerprint = short_hash(&[stem(path).unwrap_or_default().as_bytes(), text.as_bytes()]);
    Ok(Some(opened))
}

impl OpenFile {
    /// Reads at most this many whole lines. An unfinished last line is left for later.
    pub(crate) fn read(&mut self, from: u64, lines_max: usize, path: &Path) -> Result<Lines, ConnectError> {
        let failed = |operation| ConnectError::file(operation, path);
        self.reader.seek(SeekFrom::Start(from)).map_err(failed("seek in"))?;
        let mut read = Lines { lines: Vec::new(), end: from };
        while read.lines.len() < lines_max {
            let mut bytes = Vec::new();
            let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
            let reader = &mut self.reader;
            reader.take(limit).read_until(b'\n', &mut bytes).map_err(failed("read"))?;
            let mut length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let mut whole = bytes.last() == Some(&b'\n');
            let too_long = !whole && bytes.len() == LINE_BYTES_MAX;
            if too_long {
                let (skipped, found) = self.skip_line().map_err(failed("read"))?;
                length = length.saturating_add(skipped);
                whole = found;
            }
            if !whole {
                break;
            }
            let line = (!too_long).then(|| String::from_utf8_lossy(&bytes).trim_end().to_owned());
            read.lines.push((read.end, line));
            read.end = read.end.saturating_add(length);
        }
        Ok(read)
    }

    /// Skips to the end of a line.
    fn skip_line(&mut self) -> std::io::Result<(u64, bool)> {
        let mut skipped = 0_u64;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok((skipped, false));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(used);
            skipped = skipped.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
            if end.is_some() {
                return Ok((skipped, true));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_belong_together_and_others_do_not() {
        for (name, expected) in [
            ("01.sharelog", Some("01.sharelog")),
            ("01.sharelog.1", Some("01.sharelog")),
            ("01.sharelog-20261101", Some("01.sharelog")),
            ("01.workinfo", Some("01.workinfo")),
            ("01.workinfo.json", Some("01.workinfo")),
            ("01.sharelog.1.gz", None),
            ("01.sharelogs", None),
            ("ckpool.log", None),
        ] {
            assert_eq!(stem(Path::new(name)).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn only_whole_lines_are_read_and_giants_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.sharelog");
        fs::write(&path, "half").unwrap();
        assert!(open(&path).unwrap().is_none());
        let giant = "x".repeat(LINE_BYTES_MAX + 5);
        fs::write(&path, format!("one\n{giant}\ntwo\nhal")).unwrap();
        let mut file = open(&path).unwrap().unwrap();
        let read = file.read(0, 10, &path).unwrap();
        let found: Vec<_> = read.lines.iter().map(|(_, line)| line.as_deref()).collect();
        assert_eq!(found, [Some("one"), None, Some("two")]);
        let rest = file.read(read.end, 10, &path).unwrap();
        assert!(rest.lines.is_empty() && rest.end == read.end);
        fs::write(&path, format!("one\n{giant}\ntwo\nhalf\n")).unwrap();
        let rest = open(&path).unwrap().unwrap().read(read.end, 10, &path).unwrap();
        assert_eq!(rest.lines[0].1.as_deref(), Some("half"));
    }

    #[test]
    fn a_file_is_known_by_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.sharelog");
        fs::write(&path, "one\n").unwrap();
        let before = open(&path).unwrap().unwrap().fingerprint;
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(open(&path).unwrap().unwrap().fingerprint, before);
        let rotated = folder.path().join("1.sharelog.1");
        fs::rename(&path, &rotated).unwrap();
        assert_eq!(open(&rotated).unwrap().unwrap().fingerprint, before);
        fs::write(&path, "three\n").unwrap();
        assert_ne!(open(&path).unwrap().unwrap().fingerprint, before);
        let files = list(folder.path()).unwrap();
        assert_eq!(files.len(), 2);
    }
}
