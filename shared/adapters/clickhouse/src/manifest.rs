//! Projects `commits` into the table `manifest`: which attempt of which block counts.

use wb_events::commits::WonCommit;
use wb_fold::rowbinary::Row;

use crate::client::Store;
use crate::error::{StoreError, query_failed};

fn hash(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Row {
        table: "manifest",
        problem: format!("a hash in a commit has {} bytes, not 32", bytes.len()),
    })
}

fn row(won: &WonCommit) -> Result<Row, StoreError> {
    let name = &won.commit;
    let mut row = Row::new();
    row.u64(won.commit_offset).text(&name.topic).u32(name.partition).u64(name.block).u64(name.attempt);
    row.u64(name.first_offset).u64(name.end_offset);
    row.u64(name.events).u64(name.accepted).u64(name.duplicate).u64(name.rejected);
    row.fixed(&hash(&name.content_hash)?).fixed(&hash(&name.merkle_root)?);
    row.fixed(&hash(&name.last_frame_hash)?).fixed(&hash(&name.predecessor)?).fixed(&won.commit_hash);
    row.u32(name.fold_version);
    Ok(row)
}

/// The row of the manifest for a commit, as it is stored.
///
/// # Errors
/// [`StoreError::Row`] if a hash has the wrong length.
pub fn encode(won: &WonCommit) -> Result<Vec<u8>, StoreError> {
    row(won).map(|row| row.as_bytes().to_vec())
}

impl Store {
    /// Appends winning commits in offset order. Repeats are harmless: readers use the table as a set.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`] if a hash has the wrong length.
    pub async fn project_commits(&self, commits: &[WonCommit]) -> Result<(), StoreError> {
        let mut body = Vec::new();
        for won in commits {
            body.extend_from_slice(row(won)?.as_bytes());
        }
        let mut insert = self
            .client()
            .insert_formatted_with("INSERT INTO manifest FORMAT RowBinary")
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "0");
        let failed = query_failed("project commits");
        if let Err(error) = insert.send(body.into()).await {
            return Err(failed(error));
        }
        insert.end().await.map_err(failed)
    }
}
