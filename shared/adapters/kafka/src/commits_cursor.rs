//! Reads the `commits` topic record by record from its beginning, for callers that need every commit, not only the
//! newest.

use wb_events::commits::{Applied, Chains, Won, WonCommit};
use wb_events::topics;

use crate::{Log, LogError, Reader};

/// A record of the topic and its effect.
#[derive(Debug)]
pub struct CommitsStep {
    pub offset: u64,
    /// Its bytes.
    pub record: Vec<u8>,
    /// Its effect on the chains.
    pub applied: Applied,
}

/// A cursor over the commits. It holds only the heads of all chains at its position.
#[derive(Debug)]
pub struct CommitsCursor {
    reader: Reader,
    chains: Chains,
    end: u64,
}

impl Log {
    /// Reads the commits below an offset of the topic, or those that exist now.
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
    /// The end of the cursor: an offset of the topic, and so a cut.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The chains after the last record read.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// The next record, `None` at the end.
    ///
    /// # Errors
    /// As [`Reader::next`], and [`LogError::Commits`] if the chains refuse a record.
    pub async fn next_record(&mut self) -> Result<Option<CommitsStep>, LogError> {
        if self.chains.next_offset() >= self.end {
            return Ok(None);
        }
        let record = self.reader.next().await?;
        let applied = self.chains.apply(record.offset, &record.payload).map_err(LogError::Commits)?;
        Ok(Some(CommitsStep { offset: record.offset, record: record.payload, applied }))
    }

    /// The next commit that won, `None` at the end.
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
