//! Saves a partition's state and proofs in a folder, so that it need not be folded from its beginning.
//!
//! A snapshot is one file, which is replaced atomically: position, state, list of sections, and the SHA-256 over
//! them. A missing, damaged or foreign snapshot is not an error, because everything follows from the log.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wb_files::Access;
use wb_fold::State;
use wb_fold::snapshot::{Reader, SnapshotError, Writer};

use crate::ProofStore;

/// The name of the file.
pub const FILE: &str = "snapshot";
/// How long runs that no snapshot lists are kept: a stale owner must not remove those of the next owner, which may
/// not have saved a snapshot yet.
pub const RUN_GRACE: Duration = Duration::from_secs(3_600);
/// The position lies within this many bytes at the start.
const POSITION_BYTES_MAX: u64 = 1_024;

/// The log, the rules and the block of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The log that was folded.
    pub log_id: Vec<u8>,
    pub topic: String,
    pub partition: u32,
    /// The version of the rules.
    pub fold_version: u32,
    /// The next block.
    pub next_block: u64,
    /// The offset at which the next block begins.
    pub end_offset: u64,
    /// The hash of the last block's commit.
    pub commit_hash: [u8; 32],
}

/// Saves a snapshot in place of the existing one, unless that is of a later block of the same log, which means that a
/// stale owner is saving. The runs become durable first and the snapshot last; then runs that it does not list are
/// removed.
///
/// # Errors
/// Any error of the file system; the existing snapshot is then still valid.
pub fn save(dir: &Path, position: &Position, state: &State, store: &ProofStore) -> io::Result<()> {
    let there = position_in(dir)?.filter(|there| there.log_id == position.log_id);
    if there.is_some_and(|there| there.next_block > position.next_block) {
        return Ok(());
    }
    let mut writer = Writer::default();
    writer.count(position.log_id.len());
    writer.fixed(&position.log_id);
    writer.text(&position.topic);
    writer.u64(u64::from(position.partition));
    writer.u64(u64::from(position.fold_version));
    writer.u64(position.next_block);
    writer.u64(position.end_offset);
    writer.fixed(&position.commit_hash);
    let proofs = store.to_bytes()?;
    writer.count(proofs.len());
    writer.fixed(&proofs);
    writer.fixed(&state.to_bytes());
    let mut content = writer.into_bytes();
    let hash = Sha256::digest(&content);
    content.extend_from_slice(&hash);
    wb_files::replace(&dir.join(FILE), &content, Access::Usual)?;
    store.collect(RUN_GRACE).map_err(io::Error::other)
}

/// The position of the snapshot in a folder, without reading or checking all of it.
///
/// # Errors
/// Any error of the file system except a missing file.
fn position_in(dir: &Path) -> io::Result<Option<Position>> {
    let file = match File::open(dir.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut start = Vec::new();
    file.take(POSITION_BYTES_MAX).read_to_end(&mut start)?;
    Ok(read_position(&mut Reader::new(&start)).ok())
}

/// Loads the snapshot in a folder. `None` if there is no valid one.
///
/// # Errors
/// Any error of the file system except a missing file.
pub fn load(dir: &Path) -> io::Result<Option<(Position, State, ProofStore)>> {
    let whole = match fs::read(dir.join(FILE)) {
        Ok(whole) => whole,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((body, hash)) = whole.split_last_chunk::<32>() else { return Ok(None) };
    if Sha256::digest(body).as_slice() != hash {
        return Ok(None);
    }
    Ok(read(dir, body).unwrap_or(None))
}

fn read_position(reader: &mut Reader<'_>) -> Result<Position, SnapshotError> {
    let log_id_bytes = reader.count(1)?;
    let log_id = reader.fixed(log_id_bytes)?.to_vec();
    let number = |value: u64| u32::try_from(value).map_err(|_| SnapshotError::Damaged);
    Ok(Position {
        log_id,
        topic: reader.text()?,
        partition: number(reader.u64()?)?,
        fold_version: number(reader.u64()?)?,
        next_block: reader.u64()?,
        end_offset: reader.u64()?,
        commit_hash: reader.array()?,
    })
}

fn read(dir: &Path, body: &[u8]) -> Result<Option<(Position, State, ProofStore)>, SnapshotError> {
    let mut reader = Reader::new(body);
    let position = read_position(&mut reader)?;
    let proofs_bytes = reader.count(1)?;
    let proofs = reader.fixed(proofs_bytes)?;
    let Some(store) = ProofStore::from_bytes(dir, proofs)? else { return Ok(None) };
    let state = State::from_bytes(reader.rest())?;
    Ok(Some((position, state, store)))
}
