//! Proofs of older chain tips on disk: sorted runs with fences in memory.
//!
//! A *run* is a file of sorted ids, written once. A *section* is the part of a run that belongs to
//! one tip and one verdict. Every [`FENCE_IDS`]th id of a section is kept in memory by its leading
//! eight bytes, so that a lookup reads one page of 4 KiB. A tip that collects more than
//! [`SECTIONS_MAX`] sections, as late shares trickle in, has them merged.
//!
//! The store is a cache. It begins empty whenever a partition is folded again, so nothing of it
//! needs to survive a crash and nothing is flushed.

mod run;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wb_events::identity::EventId;
use wb_fold::archive::{ArchiveError, FrozenTip, ProofArchive};

use run::{RunWriter, Section};

/// One id in so many is kept in memory: a page of 4 KiB holds them.
pub const FENCE_IDS: usize = 256;
/// Sections of one tip and verdict before they are merged; a lookup reads one page in each.
pub const SECTIONS_MAX: usize = 8;

/// Sections of one tip, by whether their proofs counted.
#[derive(Debug, Default)]
struct TipSections {
    counted: Vec<Section>,
    refused: Vec<Section>,
}

/// The store of one partition.
#[derive(Debug)]
pub struct ProofStore {
    dir: PathBuf,
    next_run: u64,
    tips: HashMap<[u8; 32], TipSections>,
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError { operation, source: Box::new(source) }
}

impl ProofStore {
    /// Opens an empty store in a folder. Runs that another life of the partition left there are
    /// removed; other files are left alone.
    ///
    /// # Errors
    /// [`ArchiveError`] where the folder cannot be made or emptied.
    pub fn open(dir: &Path) -> Result<Self, ArchiveError> {
        let empty = || -> io::Result<()> {
            fs::create_dir_all(dir)?;
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == run::EXTENSION) {
                    fs::remove_file(path)?;
                }
            }
            Ok(())
        };
        empty().map_err(failed("written"))?;
        Ok(Self { dir: dir.to_owned(), next_run: 0, tips: HashMap::new() })
    }

    fn writer(&mut self) -> io::Result<RunWriter> {
        let path = self.dir.join(format!("{:012}.{}", self.next_run, run::EXTENSION));
        self.next_run += 1;
        RunWriter::create(path)
    }

    /// Bytes in memory for fences, for measuring.
    #[must_use]
    pub fn fence_bytes(&self) -> usize {
        let of = |sections: &Vec<Section>| sections.iter().map(Section::fence_bytes).sum::<usize>();
        self.tips.values().map(|tip| of(&tip.counted) + of(&tip.refused)).sum()
    }

    fn write_all(&mut self, tips: &[FrozenTip]) -> io::Result<()> {
        let mut writer = self.writer()?;
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
        let mut writer = self.writer()?;
        let drafts = (writer.section(counted.into_iter())?, writer.section(refused.into_iter())?);
        let run = Arc::new(writer.finish()?);
        let merged = TipSections {
            counted: drafts.0.map(|draft| draft.bind(&run)).into_iter().collect(),
            refused: drafts.1.map(|draft| draft.bind(&run)).into_iter().collect(),
        };
        // The old runs go when the last section that lies in them does.
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
