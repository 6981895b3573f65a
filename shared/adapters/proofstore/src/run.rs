//! Runs: files of sorted ids, written once and read by page.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wb_events::identity::EventId;

use crate::FENCE_IDS;

/// The extension of run files.
pub(crate) const EXTENSION: &str = "run";
const ID_BYTES: usize = 16;
/// Ids that a merge reads at once from each section.
const MERGE_IDS: usize = 4_096;

/// A finished run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) number: u64,
    file: File,
}

/// The path of a run.
pub(crate) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.{EXTENSION}"))
}

impl Run {
    /// Opens a run of a snapshot.
    pub(crate) fn open(dir: &Path, number: u64) -> io::Result<Self> {
        Ok(Self { number, file: File::open(path_of(dir, number))? })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// How many ids the file has.
    pub(crate) fn ids(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len() / 16)
    }
}

/// A section in an unfinished run.
#[derive(Debug)]
pub(crate) struct Draft {
    first_id: u64,
    ids: usize,
    fences: Vec<u64>,
}

impl Draft {
    pub(crate) fn bind(self, run: &Arc<Run>) -> Section {
        Section { run: Arc::clone(run), first_id: self.first_id, ids: self.ids, fences: self.fences }
    }
}

/// The sorted ids of one tip and verdict in a run.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) run: Arc<Run>,
    pub(crate) first_id: u64,
    pub(crate) ids: usize,
    /// The leading bytes of the first id of each page.
    pub(crate) fences: Vec<u64>,
}

fn leading(id: &EventId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id[..8]);
    u64::from_be_bytes(bytes)
}

/// Writes a run section by section.
pub(crate) struct RunWriter {
    out: BufWriter<File>,
    number: u64,
    ids: u64,
}

impl RunWriter {
    /// Starts a run. Its number is random, so another owner that writes to this folder does not use the same one.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let number = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let path = path_of(dir, number);
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        Ok(Self { out: BufWriter::new(file), number, ids: 0 })
    }

    /// Writes ids in ascending order; returns `None` if there are none.
    pub(crate) fn section(&mut self, ids: impl Iterator<Item = EventId>) -> io::Result<Option<Draft>> {
        let mut draft = Draft { first_id: self.ids, ids: 0, fences: Vec::new() };
        for id in ids {
            if draft.ids.is_multiple_of(FENCE_IDS) {
                draft.fences.push(leading(&id));
            }
            self.out.write_all(&id)?;
            draft.ids += 1;
            self.ids += 1;
        }
        Ok((draft.ids > 0).then_some(draft))
    }

    pub(crate) fn finish(self) -> io::Result<Run> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Run { number: self.number, file })
    }
}

impl Section {
    pub(crate) fn fence_bytes(&self) -> usize {
        self.fences.capacity() * size_of::<u64>()
    }

    /// Reads ids from an index on into a buffer, whose length is a whole number of ids.
    fn read(&self, from: usize, buffer: &mut [u8]) -> io::Result<()> {
        let first = self.first_id + u64::try_from(from).map_err(io::Error::other)?;
        self.run.file.read_exact_at(buffer, first * 16)
    }

    /// Whether the section has an id.
    pub(crate) fn contains(&self, id: &EventId) -> io::Result<bool> {
        let wanted = leading(id);
        // Ids with equal leading bytes may begin on the page before the first equal fence.
        let mut page = self.fences.partition_point(|fence| *fence < wanted).saturating_sub(1);
        let mut buffer = [0; FENCE_IDS * ID_BYTES];
        while self.fences.get(page).is_some_and(|fence| *fence <= wanted) {
            let from = page * FENCE_IDS;
            let ids = FENCE_IDS.min(self.ids - from);
            let bytes = &mut buffer[..ids * ID_BYTES];
            self.read(from, bytes)?;
            let (ids, _) = bytes.as_chunks::<ID_BYTES>();
            if ids.binary_search(id).is_ok() {
                return Ok(true);
            }
            page += 1;
        }
        Ok(false)
    }
}

/// Reads a section from start to end.
struct Cursor<'a> {
    section: &'a Section,
    next: usize,
    buffer: Vec<EventId>,
    place: usize,
}

impl Cursor<'_> {
    fn next(&mut self) -> io::Result<Option<EventId>> {
        if self.place == self.buffer.len() {
            let ids = MERGE_IDS.min(self.section.ids - self.next);
            let mut bytes = vec![0; ids * ID_BYTES];
            self.section.read(self.next, &mut bytes)?;
            self.buffer = bytes.as_chunks::<ID_BYTES>().0.to_vec();
            self.next += ids;
            self.place = 0;
        }
        let id = self.buffer.get(self.place).copied();
        self.place += 1;
        Ok(id)
    }
}

/// All ids of some sections, ascending, without repeats.
pub(crate) fn merged(sections: &[Section]) -> io::Result<Vec<EventId>> {
    let mut cursors: Vec<Cursor<'_>> =
        sections.iter().map(|section| Cursor { section, next: 0, buffer: Vec::new(), place: 0 }).collect();
    let mut heap = BinaryHeap::new();
    for (place, cursor) in cursors.iter_mut().enumerate() {
        if let Some(id) = cursor.next()? {
            heap.push(Reverse((id, place)));
        }
    }
    let mut ids: Vec<EventId> = Vec::with_capacity(sections.iter().map(|section| section.ids).sum());
    while let Some(Reverse((id, place))) = heap.pop() {
        if ids.last() != Some(&id) {
            ids.push(id);
        }
        if let Some(next) = cursors[place].next()? {
            heap.push(Reverse((next, place)));
        }
    }
    Ok(ids)
}
