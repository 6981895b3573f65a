//! Restores the tail of a log: puts the archived records back if the log ends exactly where they begin, so that no
//! later record is mixed with committed ones.

use wb_events::commits::{TopicPartition, WonCommit};
use wb_events::frame::record_hash;

use crate::AuditError;
use crate::records::chain_of;
use crate::scrub::Scrub;

impl Scrub<'_> {
    /// Puts back the records between the end of a log and the last committed one; returns how many.
    pub(crate) async fn restore_tail(&mut self, chain: &TopicPartition, end: u64) -> Result<u64, AuditError> {
        let log = &self.auditor.log;
        let (topic, partition) = (chain.topic.as_str(), chain.partition);
        log.let_broker_set_times(topic, false).await?;
        let put_back = self.put_back(chain, end).await;
        // The broker sets the times again, even after a failure.
        self.auditor.log.let_broker_set_times(topic, true).await?;
        let committed = put_back?;
        let (_, now) = self.auditor.log.watermarks(topic, partition).await?;
        if now < committed {
            let why = format!("it ends at offset {now} after records were put back");
            return Err(refused(chain, end, committed, why));
        }
        Ok(committed.saturating_sub(end))
    }

    async fn put_back(&mut self, chain: &TopicPartition, end: u64) -> Result<u64, AuditError> {
        let log = self.auditor.log.clone();
        let mut commits = log.walk_commits(Some(self.end)).await?;
        let (mut next, mut checked) = (end, false);
        while let Some(won) = commits.next_commit().await? {
            if chain_of(&won) != *chain || won.commit.end_offset < end {
                continue;
            }
            let committed = won.commit.end_offset;
            if !checked {
                checked = true;
                self.check_end(chain, end, &won).await?;
            }
            if committed == end {
                continue;
            }
            let block = self.records.archived(&won).await?;
            let block = block.map_err(|why| refused(chain, end, committed, why))?;
            for record in &block.records {
                if record.offset < next {
                    continue;
                }
                log.put_back(&chain.topic, chain.partition, record).await?;
                next = record.offset.saturating_add(1);
            }
        }
        Ok(next)
    }

    /// Checks that the log's last record is the committed or archived one, and that none has been added.
    async fn check_end(
        &mut self,
        chain: &TopicPartition,
        end: u64,
        won: &WonCommit,
    ) -> Result<(), AuditError> {
        let committed = won.commit.end_offset;
        let (low, now) = self.auditor.log.watermarks(&chain.topic, chain.partition).await?;
        if now != end {
            return Err(refused(chain, end, committed, format!("it has grown to offset {now} meanwhile")));
        }
        let Some(last) = end.checked_sub(1).filter(|last| *last >= low) else { return Ok(()) };
        let found = self.records.read(chain, last, end).await?;
        let found = record_hash(found.first().map_or(&[][..], |record| record.payload.as_slice()));
        let wanted = if committed == end {
            won.commit.last_frame_hash.clone()
        } else {
            let block = self.records.archived(won).await?;
            let block = block.map_err(|why| refused(chain, end, committed, why))?;
            let record = block.records.iter().find(|record| record.offset == last);
            record.map(|record| record_hash(&record.payload).to_vec()).unwrap_or_default()
        };
        if found.as_slice() == wanted {
            return Ok(());
        }
        let why = format!("its record at offset {last} is not the committed one: others were appended");
        Err(refused(chain, end, committed, why))
    }
}

fn refused(chain: &TopicPartition, end: u64, committed: u64, why: String) -> AuditError {
    AuditError::TailNotRestored {
        topic: chain.topic.clone(),
        partition: chain.partition,
        end,
        committed,
        why,
    }
}
