//! Reading the `commits` topic from its beginning to an end, record by record: for those who need
//! every name rather than the newest.

use wb_events::commits::{Applied, Chains, Won, WonCommit};
use wb_events::topics;

use crate::{Log, LogError, Reader};

/// A record of the topic with what it turned out to be.
#[derive(Debug)]
pub struct CommitsStep {
    pub offset: u64,
    /// Its bytes.
    pub record: Vec<u8>,
    /// What it turned out to be.
    pub applied: Applied,
}

/// A walk through the commits. Holds the heads of all chains as of where it stands, and no more.
#[derive(Debug)]
pub struct CommitsCursor {
    reader: Reader,
    chains: Chains,
    end: u64,
}

impl Log {
    /// Walks through the commits below an offset of the topic, or through those that are there now.
    ///
    /// # Errors
    /// As [`Log::watermarks`] and [`Log::read_from`].
    pub async fn walk_commits(&self, below: Option<u64>) -> Result<CommitsCursor, LogError> {
        let end = self.end_offset(topics::COMMITS, 0).await?;
        let end = below.map_or(end, |below| below.min(end));
        Ok(CommitsCursor { reader: self.read_from(topics::COMMITS, 0, 0)?, chains: Chains::default(), end })
    }
}

impl CommitsCursor {
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
    pub async fn next_record(&mut self) -> Result<Option<CommitsStep>, LogError> {
        if self.chains.next_offset() >= self.end {
            return Ok(None);
        }
        let record = self.reader.next().await?;
        let applied = self.chains.apply(record.offset, &record.payload).map_err(LogError::Names)?;
        Ok(Some(CommitsStep { offset: record.offset, record: record.payload, applied }))
    }

    /// The next name that won, `None` at the end.
    ///
    /// # Errors
    /// As [`CommitsCursor::next_record`].
    pub async fn next_commit(&mut self) -> Result<Option<WonCommit>, LogError> {
        while let Some(step) = self.next_record().await? {
            if let Applied::Won(won) = step.applied
                && let Won::Commit(name) = *won
            {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
