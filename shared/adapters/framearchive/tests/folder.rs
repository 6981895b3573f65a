//! The folder archive on a real file system.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

use wb_fold::{BlockId, LogRecord};
use wb_framearchive::{FolderArchive, FrameArchive as _, FrameArchiveError};

const LOG: [u8; 16] = [7; 16];

fn id(block: u64) -> BlockId {
    BlockId { topic: "energy".into(), partition: 1, block }
}

fn records(first: u64, count: u64) -> Vec<LogRecord> {
    let payload = |offset: u64| offset.to_le_bytes().repeat(100);
    (first..first + count)
        .map(|offset| LogRecord { offset, append_time_us: 1_000, payload: payload(offset) })
        .collect()
}

#[test]
fn a_block_is_kept_once_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let archive = FolderArchive::new(folder.path().join("archive"));
    let hash = archive.keep(&LOG, &id(0), &records(5, 30)).unwrap();
    let path = archive.path_of(&LOG, &id(0));
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(archive.keep(&LOG, &id(0), &records(5, 30)).unwrap(), hash);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written, "it is left as it is");
    let block = archive.fetch(&LOG, &id(0), &hash).unwrap().unwrap();
    assert_eq!((block.first_offset, block.end_offset), (5, 35));
    assert_eq!(block.records, records(5, 30));
    assert_eq!(archive.fetch(&LOG, &id(1), &hash).unwrap(), None);
    assert_eq!(archive.fetch(&[8; 16], &id(0), &hash).unwrap(), None, "another log's block is another");
}

#[test]
fn what_is_torn_or_changed_is_found_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let archive = FolderArchive::new(folder.path());
    let hash = archive.keep(&LOG, &id(4), &records(0, 10)).unwrap();
    let path = archive.path_of(&LOG, &id(4));
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let other = archive.path_of(&LOG, &id(5));
    archive.keep(&LOG, &id(5), &records(0, 11)).unwrap();
    for (what, bytes) in [
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("flipped", flipped),
        ("another block's", fs::read(other).unwrap()),
    ] {
        fs::write(&path, bytes).unwrap();
        let refused = archive.fetch(&LOG, &id(4), &hash);
        assert!(matches!(refused, Err(FrameArchiveError::Damaged { .. })), "{what}: {refused:?}");
        assert_eq!(archive.keep(&LOG, &id(4), &records(0, 10)).unwrap(), hash, "{what}");
        assert!(archive.fetch(&LOG, &id(4), &hash).unwrap().is_some(), "{what}");
    }
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 2, "nothing is left aside");
}

#[test]
fn writers_at_once_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let archive = FolderArchive::new(folder.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| archive.keep(&LOG, &id(0), &records(0, 50)).unwrap());
        }
    });
    let hash = archive.keep(&LOG, &id(0), &records(0, 50)).unwrap();
    assert_eq!(archive.fetch(&LOG, &id(0), &hash).unwrap().unwrap().records.len(), 50);
    assert_eq!(fs::read_dir(archive.path_of(&LOG, &id(0)).parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = FolderArchive::new(file).keep(&LOG, &id(0), &records(0, 1));
    assert!(matches!(refused, Err(FrameArchiveError::Write { .. })), "{refused:?}");
}

#[test]
fn what_a_killed_writer_left_is_swept_once_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let archive = FolderArchive::new(folder.path());
    assert_eq!(archive.sweep(&LOG, Duration::ZERO).unwrap(), 0, "no archive yet");
    let hash = archive.keep(&LOG, &id(0), &records(0, 3)).unwrap();
    let left = archive.path_of(&LOG, &id(0)).with_extension("0123456789abcdef.unfinished");
    fs::write(&left, "half").unwrap();
    assert_eq!(archive.sweep(&LOG, Duration::from_secs(3_600)).unwrap(), 0, "it may be under way");
    assert_eq!(archive.sweep(&LOG, Duration::ZERO).unwrap(), 1);
    assert!(!left.exists());
    assert!(archive.fetch(&LOG, &id(0), &hash).unwrap().is_some());
}
