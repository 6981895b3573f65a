//! The form of a bundle's file: lines of canonical JSON, compressed with zstd.
//!
//! Every line is one part: `{"part":...,"value":...}`. The first says the form, the last the SHA-256 of
//! all bytes before it. One bundle has one text: what is read is written again and compared.

use std::io::Read as _;

use serde::{Deserialize, Serialize};
use wb_ledger::{EvidenceBlock, Hash, canonical};
use wb_rating::RatedStretch;

use crate::bundle::{Bundle, CommitRecord, DayBlock, EventProof, Sampling};
use crate::bytes::LINE_BYTES_MAX;
use crate::subject::Subject;

/// The form that this program writes and reads.
pub const FORM: u32 = 1;
/// The largest file that is read: about as much as mail servers and browsers take.
pub const PACKED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The most that a file may unpack to: it is held in memory twice while it is verified.
pub const UNPACKED_BYTES_MAX: usize = 512 * 1024 * 1024;
/// The most events of a bundle, each about a kilobyte with its path.
pub const EVENTS_MAX: usize = 200_000;
/// The most blocks of sealed days of a bundle. Each holds an event of the bundle, and few lie in more than one day.
pub const DAY_BLOCKS_MAX: usize = 2 * EVENTS_MAX;
/// Events that are drawn unless another number is asked for.
pub const SAMPLES_DEFAULT: u32 = 256;
/// The most events that can be drawn.
pub const SAMPLES_MAX: u32 = 65_536;

/// The compression level of bundles: zstd's default. Hashes do not shrink; JSON does.
const LEVEL: i32 = 3;

/// Why bytes are no bundle.
#[wb_coded::coded]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not the form of a bundle.
    #[code("WB-5921")]
    #[error(
        "this is no evidence bundle of form {FORM}: {detail}; take the file as `weighbridge invoice bundle` wrote it"
    )]
    Form {
        /// What is wrong, and in which line.
        detail: String,
    },
    /// Larger than a bundle may be.
    #[code("WB-5922")]
    #[error("the bundle has more than {bytes_max} bytes {what}; make one with fewer events")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
        /// Packed, unpacked or in one line.
        what: &'static str,
    },
    /// Changed since it was made.
    #[code("WB-5923")]
    #[error(
        "the bundle was changed or damaged after it was made: its bytes hash to {found}, its last line says {sealed}"
    )]
    Broken {
        /// The SHA-256 of what is there.
        found: Hash,
        /// The one in the last line.
        sealed: Hash,
    },
    /// A part that has no canonical form.
    #[code("WB-5924")]
    #[error("a part of the bundle has no canonical form: {detail}")]
    Write {
        /// Why.
        detail: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    bundle: String,
    form: u32,
    sampling: Sampling,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    sha256: Hash,
}

/// What stands first in every bundle.
const KIND: &str = "weighbridge-invoice-evidence";

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "part", content = "value", rename_all = "snake_case", deny_unknown_fields)]
enum Part {
    Header(Header),
    Record(String),
    Stretch(Box<RatedStretch>),
    Subject(Subject),
    Block(EvidenceBlock),
    Seal(CommitRecord),
    DayBlock(DayBlock),
    Commit(CommitRecord),
    Event(EventProof),
    End(Last),
}

impl Part {
    /// Where a part stands in a bundle.
    fn rank(&self) -> u8 {
        match self {
            Self::Header(_) => 0,
            Self::Record(_) => 1,
            Self::Stretch(_) => 2,
            Self::Subject(_) => 3,
            Self::Block(_) => 4,
            Self::Seal(_) => 5,
            Self::DayBlock(_) => 6,
            Self::Commit(_) => 7,
            Self::Event(_) => 8,
            Self::End(_) => 9,
        }
    }
}

impl Bundle {
    /// The bytes of the file.
    ///
    /// # Errors
    /// [`BundleError::Write`] where a part has no canonical form, [`BundleError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        pack(&self.to_text()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`BundleError`] for anything but the bytes that [`Self::to_bytes`] writes.
    pub fn read(packed: &[u8]) -> Result<Self, BundleError> {
        Self::from_text(&unpack(packed)?)
    }

    /// The lines, not compressed.
    ///
    /// # Errors
    /// As [`Self::to_bytes`].
    pub fn to_text(&self) -> Result<Vec<u8>, BundleError> {
        let header = Header { bundle: KIND.to_owned(), form: FORM, sampling: self.sampling };
        let mut text = Vec::new();
        push(&mut text, &Part::Header(header))?;
        push(&mut text, &Part::Record(self.record.clone()))?;
        for stretch in &self.stretches {
            push(&mut text, &Part::Stretch(Box::new(stretch.clone())))?;
        }
        push(&mut text, &Part::Subject(self.subject.clone()))?;
        for block in &self.blocks {
            push(&mut text, &Part::Block(block.clone()))?;
        }
        for seal in &self.seals {
            push(&mut text, &Part::Seal(seal.clone()))?;
        }
        for block in &self.day_blocks {
            push(&mut text, &Part::DayBlock(block.clone()))?;
        }
        for commit in &self.commits {
            push(&mut text, &Part::Commit(commit.clone()))?;
        }
        for event in &self.events {
            push(&mut text, &Part::Event(event.clone()))?;
        }
        let sha256 = Hash::of(&text);
        push(&mut text, &Part::End(Last { sha256 }))?;
        Ok(text)
    }

    /// Reads the lines.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_text(text: &[u8]) -> Result<Self, BundleError> {
        let mut parts = Parts::default();
        let mut rest = text;
        let mut line_number = 0_usize;
        while !rest.is_empty() {
            line_number += 1;
            let start = text.len() - rest.len();
            let end = rest.iter().position(|byte| *byte == b'\n');
            let end = end.ok_or_else(|| form(line_number, "it does not end with a line feed"))?;
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if line.len() > LINE_BYTES_MAX {
                return Err(BundleError::TooLarge { bytes_max: LINE_BYTES_MAX, what: "in one line" });
            }
            let value = canonical::read(line).map_err(|error| form(line_number, &error.to_string()))?;
            let part = Part::deserialize(&value).map_err(|error| form(line_number, &error.to_string()))?;
            if let Part::End(Last { sha256: sealed }) = &part {
                let found = Hash::of(&text[..start]);
                if found != *sealed {
                    return Err(BundleError::Broken { found, sealed: *sealed });
                }
            }
            parts.take(part).map_err(|detail| form(line_number, detail))?;
        }
        let bundle = parts.finish().map_err(|detail| form(line_number, detail))?;
        bundle.check_order().map_err(|detail| BundleError::Form { detail: detail.to_owned() })?;
        // One bundle has one text: a line must not hold what the reader ignores.
        if bundle.to_text()? != text {
            let detail = "it is not written as its own content is written".to_owned();
            return Err(BundleError::Form { detail });
        }
        Ok(bundle)
    }

    /// Lists are sorted and have no duplicates.
    fn check_order(&self) -> Result<(), &'static str> {
        if !self.blocks.is_sorted_by(|left, right| left < right) {
            return Err("its blocks are not sorted, or one stands there twice");
        }
        let place = |block: &DayBlock| (block.day, block.index);
        if !self.day_blocks.is_sorted_by(|left, right| place(left) < place(right)) {
            return Err("its blocks of sealed days are not sorted, or one stands there twice");
        }
        let key = |event: &EventProof| (event.topic.clone(), event.partition, event.block, event.index);
        if !self.events.is_sorted_by(|left, right| key(left) < key(right)) {
            return Err("its events are not sorted, or one stands there twice");
        }
        if !self.subject.voided.is_sorted_by(|left, right| left < right) {
            return Err("its voided ids are not sorted, or one stands there twice");
        }
        if self.events.len() > EVENTS_MAX {
            return Err("it holds more events than a bundle may");
        }
        if self.day_blocks.len() > DAY_BLOCKS_MAX {
            return Err("it holds more blocks of sealed days than a bundle may");
        }
        if matches!(self.sampling, Sampling::Drawn(0)) {
            return Err("it says that no event was drawn");
        }
        if matches!(self.sampling, Sampling::Drawn(draws) if draws > SAMPLES_MAX) {
            return Err("it says that more events were drawn than a bundle may hold");
        }
        Ok(())
    }
}

fn form(line: usize, detail: &str) -> BundleError {
    BundleError::Form { detail: format!("line {line}: {detail}") }
}

/// Parts in the order in which they are read.
#[derive(Default)]
struct Parts {
    rank: u8,
    header: Option<Header>,
    record: Option<String>,
    stretches: Vec<RatedStretch>,
    subject: Option<Subject>,
    blocks: Vec<EvidenceBlock>,
    seals: Vec<CommitRecord>,
    day_blocks: Vec<DayBlock>,
    commits: Vec<CommitRecord>,
    events: Vec<EventProof>,
    ended: bool,
}

impl Parts {
    fn take(&mut self, part: Part) -> Result<(), &'static str> {
        let rank = part.rank();
        if self.ended || rank < self.rank || (self.header.is_none() && rank != 0) {
            return Err("a part stands where it does not belong");
        }
        self.rank = rank;
        let is_first = match part {
            Part::Header(header) => {
                if header.bundle != KIND {
                    return Err("it is a bundle of something else");
                }
                if header.form != FORM {
                    return Err("it has a form that this program does not know; use a newer one");
                }
                self.header.replace(header).is_none()
            }
            Part::Record(record) => self.record.replace(record).is_none(),
            Part::Subject(subject) => self.subject.replace(subject).is_none(),
            Part::Stretch(stretch) => {
                self.stretches.push(*stretch);
                true
            }
            Part::Block(block) => {
                self.blocks.push(block);
                true
            }
            Part::Seal(seal) => {
                self.seals.push(seal);
                true
            }
            Part::DayBlock(block) => {
                self.day_blocks.push(block);
                true
            }
            Part::Commit(commit) => {
                self.commits.push(commit);
                true
            }
            Part::Event(event) => {
                self.events.push(event);
                true
            }
            Part::End(_) => {
                self.ended = true;
                true
            }
        };
        if is_first { Ok(()) } else { Err("a part stands there twice") }
    }

    fn finish(self) -> Result<Bundle, &'static str> {
        if !self.ended {
            return Err("its last line is missing: it was cut off");
        }
        Ok(Bundle {
            sampling: self.header.ok_or("it has no header")?.sampling,
            record: self.record.ok_or("it holds no ledger record")?,
            subject: self.subject.ok_or("it does not say whose events it holds")?,
            stretches: self.stretches,
            blocks: self.blocks,
            seals: self.seals,
            day_blocks: self.day_blocks,
            commits: self.commits,
            events: self.events,
        })
    }
}

fn push(text: &mut Vec<u8>, part: &Part) -> Result<(), BundleError> {
    let line =
        canonical::write_document(part).map_err(|error| BundleError::Write { detail: error.to_string() })?;
    if line.len() > LINE_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes_max: LINE_BYTES_MAX, what: "in one line" });
    }
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    if text.len() > UNPACKED_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes_max: UNPACKED_BYTES_MAX, what: "unpacked" });
    }
    Ok(())
}

/// Compresses lines.
fn pack(text: &[u8]) -> Result<Vec<u8>, BundleError> {
    let packed = zstd::bulk::compress(text, LEVEL);
    let packed = packed.map_err(|error| BundleError::Write { detail: error.to_string() })?;
    if packed.len() > PACKED_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes_max: PACKED_BYTES_MAX, what: "packed" });
    }
    Ok(packed)
}

/// Unpacks a file, within bounds.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, BundleError> {
    if packed.len() > PACKED_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes_max: PACKED_BYTES_MAX, what: "packed" });
    }
    let unpacked =
        |error: std::io::Error| BundleError::Form { detail: format!("it cannot be unpacked: {error}") };
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(unpacked)?;
    let bound = u64::try_from(UNPACKED_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    decoder.take(bound.saturating_add(1)).read_to_end(&mut text).map_err(unpacked)?;
    if text.len() > UNPACKED_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes_max: UNPACKED_BYTES_MAX, what: "unpacked" });
    }
    Ok(text)
}
