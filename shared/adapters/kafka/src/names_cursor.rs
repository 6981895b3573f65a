//! Reading the `names` topic from its beginning to an end, record by record: for those who need
//! every name rather than the newest.

use wb_events::names::{Applied, Chains, Won, WonName};
use wb_events::topics;

use crate::{Log, LogError, Reader};

/// A record of the topic with what it turned out to be.
#[derive(Debug)]
pub struct NamesStep {
    /// Its offset.
    pub offset: u64,
    /// Its bytes.
    pub record: Vec<u8>,
    /// What it turned out to be.
    pub applied: Applied,
}

/// A walk through the names. Holds the heads of all chains as of where it stands, and no more.
#[derive(Debug)]
pub struct NamesCursor {
    reader: Reader,
    chains: Chains,
    end: u64,
}

impl Log {
    /// Walks through the names below an offset of the topic, or through those that are there now.
    ///
    /// # Errors
    /// As [`Log::watermarks`] and [`Log::read_from`].
    pub async fn walk_names(&self, below: Option<u64>) -> Result<NamesCursor, LogError> {
        let end = self.end_offset(topics::NAMES, 0).await?;
        let end = below.map_or(end, |below| below.min(end));
        Ok(NamesCursor { reader: self.read_from(topics::NAMES, 0, 0)?, chains: Chains::default(), end })
    }
}

impl NamesCursor {
    /// Where the walk ends: an offset of the topic, and so a cut.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The chains as of the record that was read last.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// The next record, `None` at the end.
    ///
    /// # Errors
    /// As [`Reader::next`], and [`LogError::Names`] for what the chains refuse.
    pub async fn next_record(&mut self) -> Result<Option<NamesStep>, LogError> {
        if self.chains.next_offset() >= self.end {
            return Ok(None);
        }
        let record = self.reader.next().await?;
        let applied = self.chains.apply(record.offset, &record.payload).map_err(LogError::Names)?;
        Ok(Some(NamesStep { offset: record.offset, record: record.payload, applied }))
    }

    /// The next name that won, `None` at the end.
    ///
    /// # Errors
    /// As [`NamesCursor::next_record`].
    pub async fn next_name(&mut self) -> Result<Option<WonName>, LogError> {
        while let Some(step) = self.next_record().await? {
            if let Applied::Won(won) = step.applied
                && let Won::Name(name) = *won
            {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
