//! Proofs of older chain tips on disk: sorted runs with fences in memory.
//!
//! A *run* is a file of sorted ids, written once. A *section* is the part of a run that belongs to one tip and one
//! verdict. The leading eight bytes of every [`FENCE_IDS`]th id of a section are kept in memory, so that a lookup
//! reads one page of 4 KiB. If late shares bring a tip to more than [`SECTIONS_MAX`] sections, these are merged.
//!
//! Runs have random names and are never changed, so owners of a partition that overlap for a while may share the
//! folder: each reads only the runs that it wrote or that its snapshot lists.
//!
//! The store is a cache of the log. A [`snapshot`] saves it with the state of the fold, so that a partition need not
//! be folded from its beginning unless the snapshot is not valid.

mod run;
pub mod snapshot;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wb_events::identity::EventId;
use wb_fold::archive::{ArchiveError, FrozenTip, ProofArchive};
use wb_fold::snapshot::{Reader, SnapshotError, Writer};

use run::{Run, RunWriter, Section};

/// One id in this many is kept in memory; this many fit into a page of 4 KiB.
pub const FENCE_IDS: usize = 256;
/// The most sections of one tip and verdict before they are merged; a lookup reads one page of each.
pub const SECTIONS_MAX: usize = 8;

/// The sections of one tip, by whether their proofs counted.
#[derive(Debug, Default)]
struct TipSections {
    counted: Vec<Section>,
    refused: Vec<Section>,
}

/// The proofs of one partition.
#[derive(Debug)]
pub struct ProofStore {
    dir: PathBuf,
    tips: HashMap<[u8; 32], TipSections>,
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError { operation, source: Box::new(source) }
}

impl ProofStore {
    /// Opens an empty store in a folder. Removes a former snapshot in it; the former runs are removed once no
    /// snapshot lists them.
    ///
    /// # Errors
    /// [`ArchiveError`] if the folder cannot be created or the snapshot cannot be removed.
    pub fn open(dir: &Path) -> Result<Self, ArchiveError> {
        let empty = || -> io::Result<()> {
            fs::create_dir_all(dir)?;
            match fs::remove_file(dir.join(snapshot::FILE)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        };
        empty().map_err(failed("written"))?;
        Ok(Self { dir: dir.to_owned(), tips: HashMap::new() })
    }

    /// Bytes of memory for fences, for measurements.
    #[must_use]
    pub fn fence_bytes(&self) -> usize {
        let of = |sections: &Vec<Section>| sections.iter().map(Section::fence_bytes).sum::<usize>();
        self.tips.values().map(|tip| of(&tip.counted) + of(&tip.refused)).sum()
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        self.tips.values().flat_map(|tip| tip.counted.iter().chain(&tip.refused))
    }

    /// Makes all runs durable and returns the list of sections for a snapshot.
    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut synced = HashSet::new();
        for section in self.sections() {
            if synced.insert(section.run.number) {
                section.run.sync()?;
            }
        }
        let mut writer = Writer::default();
        let tips: BTreeMap<_, _> = self.tips.iter().collect();
        writer.count(tips.len());
        for (hash, tip) in tips {
            writer.fixed(hash);
            for list in [&tip.counted, &tip.refused] {
                writer.count(list.len());
                for section in list {
                    writer.u64(section.run.number);
                    writer.u64(section.first_id);
                    writer.count(section.ids);
                    writer.count(section.fences.len());
                    for fence in &section.fences {
                        writer.u64(*fence);
                    }
                }
            }
        }
        Ok(writer.into_bytes())
    }

    /// Opens the store of a snapshot. `None` if a run is missing or too short.
    fn from_bytes(dir: &Path, bytes: &[u8]) -> Result<Option<Self>, SnapshotError> {
        let mut reader = Reader::new(bytes);
        let mut store = Self { dir: dir.to_owned(), tips: HashMap::new() };
        let mut runs: HashMap<u64, Arc<Run>> = HashMap::new();
        for _ in 0..reader.count(48)? {
            let hash = reader.array()?;
            let mut lists = [Vec::new(), Vec::new()];
            for list in &mut lists {
                for _ in 0..reader.count(32)? {
                    let number = reader.u64()?;
                    let first_id = reader.u64()?;
                    let ids = usize::try_from(reader.u64()?).map_err(|_| SnapshotError::Damaged)?;
                    let pages = reader.count(8)?;
                    let fences = (0..pages).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
                    let run = match runs.entry(number) {
                        Entry::Occupied(entry) => Arc::clone(entry.get()),
                        Entry::Vacant(entry) => match Run::open(dir, number) {
                            Ok(run) => Arc::clone(entry.insert(Arc::new(run))),
                            Err(_) => return Ok(None),
                        },
                    };
                    let end = first_id.checked_add(u64::try_from(ids).unwrap_or(u64::MAX));
                    let held = run.ids().unwrap_or(0);
                    if end.is_none_or(|end| end > held) || pages != ids.div_ceil(FENCE_IDS) {
                        return Ok(None);
                    }
                    list.push(Section { run, first_id, ids, fences });
                }
            }
            let [counted, refused] = lists;
            store.tips.insert(hash, TipSections { counted, refused });
        }
        reader.end()?;
        Ok(Some(store))
    }

    /// Removes unused runs that were written longer ago than `grace`. Younger ones may belong to another owner that
    /// has not saved a snapshot yet. Call it once a snapshot without these runs is durable.
    ///
    /// # Errors
    /// [`ArchiveError`] if the folder cannot be read or a run cannot be removed.
    pub fn collect(&self, grace: Duration) -> Result<(), ArchiveError> {
        let used: HashSet<PathBuf> =
            self.sections().map(|section| run::path_of(&self.dir, section.run.number)).collect();
        let sweep = || -> io::Result<()> {
            for entry in fs::read_dir(&self.dir)? {
                let entry = entry?;
                let path = entry.path();
                let is_run = path.extension().is_some_and(|extension| extension == run::EXTENSION);
                let is_ours = is_run || wb_files::is_unfinished(&path);
                let is_old = || {
                    let written = entry.metadata().and_then(|metadata| metadata.modified());
                    written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age >= grace))
                };
                if is_ours && !used.contains(&path) && is_old() {
                    fs::remove_file(path)?;
                }
            }
            Ok(())
        };
        sweep().map_err(failed("written"))
    }

    fn write_all(&mut self, tips: &[FrozenTip]) -> io::Result<()> {
        let mut writer = RunWriter::create(&self.dir)?;
        let mut written = Vec::with_capacity(tips.len());
        for frozen in tips {
            let counted = writer.section(frozen.counted.iter().copied())?;
            let refused = writer.section(frozen.refused.iter().copied())?;
            written.push((frozen.tip, counted, refused));
        }
        let run = Arc::new(writer.finish()?);
        for (tip, counted, refused) in written {
            let sections = self.tips.entry(tip).or_default();
            sections.counted.extend(counted.map(|draft| draft.bind(&run)));
            sections.refused.extend(refused.map(|draft| draft.bind(&run)));
        }
        for frozen in tips {
            self.merge_if_many(&frozen.tip)?;
        }
        Ok(())
    }

    fn merge_if_many(&mut self, tip: &[u8; 32]) -> io::Result<()> {
        let many = |sections: &Vec<Section>| sections.len() > SECTIONS_MAX;
        let Some(sections) = self.tips.get(tip) else { return Ok(()) };
        if !many(&sections.counted) && !many(&sections.refused) {
            return Ok(());
        }
        let counted = run::merged(&sections.counted)?;
        let refused = run::merged(&sections.refused)?;
        let mut writer = RunWriter::create(&self.dir)?;
        let drafts = (writer.section(counted.into_iter())?, writer.section(refused.into_iter())?);
        let run = Arc::new(writer.finish()?);
        let merged = TipSections {
            counted: drafts.0.map(|draft| draft.bind(&run)).into_iter().collect(),
            refused: drafts.1.map(|draft| draft.bind(&run)).into_iter().collect(),
        };
        // The old runs stay until the next snapshot, because the last one lists them.
        self.tips.insert(*tip, merged);
        Ok(())
    }
}

impl ProofArchive for ProofStore {
    fn freeze(&mut self, tips: &[FrozenTip]) -> Result<(), ArchiveError> {
        self.write_all(tips).map_err(failed("written"))
    }

    fn seen(&self, tip: &[u8; 32], id: &EventId) -> Result<Option<bool>, ArchiveError> {
        let Some(sections) = self.tips.get(tip) else { return Ok(None) };
        for (list, verdict) in [(&sections.counted, true), (&sections.refused, false)] {
            for section in list {
                if section.contains(id).map_err(failed("read"))? {
                    return Ok(Some(verdict));
                }
            }
        }
        Ok(None)
    }

    fn forget(&mut self, tip: &[u8; 32]) -> Result<(), ArchiveError> {
        self.tips.remove(tip);
        Ok(())
    }
}
