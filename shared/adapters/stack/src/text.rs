//! Atomic writes of small files, and the ends of logs.

use crate::StackError;
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};
use wb_files::Access;

/// How many log lines an error shows.
const TAIL_LINES: usize = 20;
/// How many bytes of a log are searched for them, which limits an error's size.
const TAIL_BYTES: u64 = 8 * 1024;

/// Replaces a file's content.
pub(crate) fn write_whole(path: &Path, content: &str) -> Result<(), StackError> {
    wb_files::replace(path, content.as_bytes(), Access::Usual).map_err(StackError::io("write", path))
}

/// The last lines of a log from `offset` on, indented. Never fails, because errors use it.
pub(crate) fn log_tail(path: &Path, offset: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(offset.max(length.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => tail(&String::from_utf8_lossy(&bytes)),
        Err(error) => format!("  (the log could not be read: {error})"),
    }
}

/// The last lines of a text, indented.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "  (nothing)".to_owned();
    }
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines[first..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_tail_keeps_the_last_lines_and_skips_empty_ones() {
        let text: String = (0..50).map(|n| format!("line {n}\n\n")).collect();
        let shown = tail(&text);
        assert_eq!(shown.lines().count(), TAIL_LINES);
        assert!(shown.starts_with("  line 30\n") && shown.ends_with("  line 49"), "{shown}");
        assert_eq!(tail("\n \n"), "  (nothing)");
    }

    #[test]
    fn a_log_tail_begins_at_this_runs_offset_and_survives_a_missing_file() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        fs::write(&log, "of the run before\nof this run\n").unwrap();
        assert_eq!(log_tail(&log, 18), "  of this run");
        assert!(log_tail(&dir.path().join("none"), 0).contains("could not be read"));
    }
}
