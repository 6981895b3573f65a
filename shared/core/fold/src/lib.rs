//! The fold: a pure function from the state at a block's start and the records of one partition to verdicts, rows and
//! the next state. It uses no clock, thread count or progress of another topic: the same log gives the same blocks,
//! byte for byte.
#![deny(clippy::float_arithmetic)]

pub mod archive;
pub mod assemble;
mod count;
mod decode;
mod facts;
pub mod ids;
pub mod merkle;
mod meters;
mod refusal;
pub mod rowbinary;
pub mod rules;
mod shares;
pub mod snapshot;
pub mod state;
pub mod tables;

pub use archive::{ArchiveError, MemoryArchive, ProofArchive};
pub use assemble::{Assembler, ClosedBlock, LogRecord};
pub use count::Counts;
pub use refusal::refused_again;
pub use rules::{FOLD_VERSION, Rules};
pub use state::State;
pub use tables::Table;

use wb_events::Event;
use wb_events::topics;
use wb_events::wire::event::Body;

use crate::count::Outcome;
use crate::decode::What;
use crate::refusal::Refusal;
use crate::tables::Tables;

/// Why a block could not be folded.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The proofs of older tips cannot be read or written.
    #[code(source)]
    #[error("the archive of proofs failed")]
    Archive(#[from] ArchiveError),
    /// The log has been switched to rules that this program does not have.
    #[code("WB-4033")]
    #[error(
        "the log is folded by rules of version {wanted} here, this program knows versions up to \
         {FOLD_VERSION}: start a program that is at least as new as the one that switched the log"
    )]
    UnknownVersion {
        /// The version the log was switched to.
        wanted: u32,
    },
}

/// Which block is folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockId {
    pub topic: String,
    pub partition: u32,
    /// The block's number in its partition, from 0.
    pub block: u64,
}

/// A block's results, ready to be written under any attempt.
#[derive(Debug, Clone)]
pub struct FoldedBlock {
    pub id: BlockId,
    /// Offset of its first record.
    pub first_offset: u64,
    /// One past its last record.
    pub end_offset: u64,
    pub counts: Counts,
    /// Its rows, by table, in the order of [`tables::ALL`]; empty tables are left out.
    pub tables: Vec<Table>,
    /// Root over the stored bytes of its events, in log order.
    pub merkle_root: [u8; 32],
    /// Hash of all rows without their attempt.
    pub content_hash: [u8; 32],
    /// SHA-256 of its last record.
    pub last_frame_hash: [u8; 32],
    /// The version of the rules it was folded by.
    pub fold_version: u32,
}

/// Where an event stands in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) log_offset: u64,
    pub(crate) frame_index: u32,
    pub(crate) append_time_us: i64,
}

/// Folds a closed block onto the state.
///
/// # Errors
/// [`FoldError`]. The state may have changed half-way then: begin again from the last commit.
pub fn fold(
    id: BlockId,
    state: &mut State,
    archive: &mut dyn ProofArchive,
    block: &ClosedBlock,
) -> Result<FoldedBlock, FoldError> {
    fold_by(rules::RULES, wb_proof::hash_headers, id, state, archive, block)
}

/// [`fold`] with a given table of rules and another way to compute the SHA-256d of a batch of headers. Every way
/// gives the same hashes, hence the same block; callers that compare two ways use this.
///
/// # Errors
/// As [`fold`].
pub fn fold_by(
    rules: &[Rules],
    hash_headers: impl Fn(&[[u8; 80]]) -> Vec<wb_proof::Hash256>,
    id: BlockId,
    state: &mut State,
    archive: &mut dyn ProofArchive,
    block: &ClosedBlock,
) -> Result<FoldedBlock, FoldError> {
    let fold_version = state.fold_version();
    let Some(rules) = rules::find(rules, fold_version) else {
        return Err(FoldError::UnknownVersion { wanted: fold_version });
    };
    let mut tables = Tables::new(&id);
    let mut counts = Counts::default();
    let mut leaves = Vec::new();
    state.begin_block(block.first_append_time_us(), archive)?;
    for item in decode::items(hash_headers, block) {
        leaves.push(merkle::leaf(item.bytes));
        let outcome = match &item.what {
            What::Event { event, hash } => {
                let entry = Entry { origin: &item.origin, event, bytes: item.bytes, hash: hash.as_ref() };
                fold_event((rules, &id.topic), state, archive, &mut tables, &entry)?
            }
            What::NoEvent(error) => {
                let text = format!("the event is not decodable: {error}");
                let refusal = Refusal::Undecodable;
                tables.quarantine(&item.origin, "", refusal.code(), &text, item.bytes);
                Outcome::rejected(refusal.reason())
            }
            What::NoFrame(error) => {
                // The text of these rows is part of the content hash, so it keeps its form.
                let text = format!("{} {}", error.code(), error.message());
                tables.quarantine(&item.origin, "", error.code(), &text, item.bytes);
                Outcome::rejected("undecodable_frame")
            }
        };
        counts.add(&outcome);
    }
    for ((verdict, reason), events) in counts.by_verdict() {
        tables.block_count(verdict, reason, events);
    }
    state.end_block(archive)?;
    if let Some(next) = block.fold_switch {
        state.switch_fold(next);
    }
    let tables = tables.finish();
    Ok(FoldedBlock {
        first_offset: block.first_offset,
        end_offset: block.end_offset,
        content_hash: tables::content_hash(&tables),
        merkle_root: merkle::root(leaves),
        last_frame_hash: block.last_frame_hash,
        fold_version,
        counts,
        tables,
        id,
    })
}

fn fold_event(
    (rules, topic): (&Rules, &str),
    state: &mut State,
    archive: &dyn ProofArchive,
    tables: &mut Tables,
    entry: &Entry<'_>,
) -> Result<Outcome, ArchiveError> {
    Ok(match &entry.event.body {
        Some(body) if !(rules.counts)(body) => refuse_unknown(tables, entry),
        Some(body) if topics::of_body(body) != topic => {
            entry.refuse(tables, Refusal::WrongTopic, "the event does not belong to this topic")
        }
        Some(Body::Share(share)) => shares::fold(state, archive, tables, entry, share)?,
        Some(Body::MinerSample(sample)) => meters::fold_sample(state, tables, entry, sample),
        Some(Body::EnergyReading(reading)) => meters::fold_energy(state, tables, entry, reading),
        Some(Body::GpuSpan(span)) => meters::fold_span(state, tables, entry, span),
        Some(Body::GpuSample(sample)) => meters::fold_gpu_sample(state, tables, entry, sample),
        Some(Body::Fact(fact)) => facts::fold(state, tables, entry, fact),
        None => refuse_unknown(tables, entry),
    })
}

fn refuse_unknown(tables: &mut Tables, entry: &Entry<'_>) -> Outcome {
    entry.refuse(tables, Refusal::NoBody, "the event has no body this program knows")
}

/// An event with where it stands and the bytes it was stored as.
pub(crate) struct Entry<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) event: &'a Event,
    pub(crate) bytes: &'a [u8],
    /// The double SHA-256 of its header, where it is a share that has one.
    pub(crate) hash: Option<&'a [u8; 32]>,
}

impl Entry<'_> {
    /// Quarantines the event whole and counts it as rejected.
    pub(crate) fn refuse(&self, tables: &mut Tables, refusal: Refusal, text: &str) -> Outcome {
        tables.quarantine(self.origin, &self.event.source, refusal.code(), text, self.bytes);
        Outcome::rejected(refusal.reason())
    }

    /// Looks the event up by its source, epoch, key and sequence; `Err` is the outcome of a repeat or a conflict.
    pub(crate) fn admit(&self, state: &mut State, tables: &mut Tables) -> Result<(), Outcome> {
        match state.admit(self.event) {
            state::Admission::New => Ok(()),
            state::Admission::Repeat => Err(Outcome::duplicate()),
            state::Admission::Conflict => Err(self.refuse(
                tables,
                Refusal::IdentityConflict,
                "an event of this source, epoch, key and sequence came before with other content; the first counts",
            )),
            state::Admission::TooOld => Err(self.refuse(
                tables,
                Refusal::SequenceTooOld,
                "the sequence lies below the window of its key, so it cannot be told from a repeat; \
                 send it again under a new source_epoch if it was never counted",
            )),
        }
    }
}
