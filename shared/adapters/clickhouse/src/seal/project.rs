//! Projects winning seals into the table `seals`.

use wb_events::commits::WonSeal;
use wb_fold::rowbinary::Row;

use crate::client::Store;
use crate::error::{StoreError, query_failed};

fn hash(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Row {
        table: "seals",
        problem: format!("a hash in a seal has {} bytes, not 32", bytes.len()),
    })
}

fn row(won: &WonSeal) -> Result<Row, StoreError> {
    let seal = &won.seal;
    let mut row = Row::new();
    row.u64(won.commit_offset).fixed(&seal.day.to_le_bytes()).u64(seal.seal).u64(seal.cut).u64(seal.rows);
    row.fixed(&hash(&seal.content_hash)?).fixed(&won.seal_hash).fixed(&hash(&seal.predecessor)?);
    row.u64(seal.blocks).fixed(&hash(&seal.blocks_root)?);
    Ok(row)
}

impl Store {
    /// Appends winning seals in offset order. Repeats are harmless.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`] if a hash has the wrong length.
    pub async fn project_seals(&self, seals: &[WonSeal]) -> Result<(), StoreError> {
        let mut body = Vec::new();
        for won in seals {
            body.extend_from_slice(row(won)?.as_bytes());
        }
        let mut insert = self.client().insert_formatted_with("INSERT INTO seals FORMAT RowBinary");
        let failed = query_failed("project seals");
        if let Err(error) = insert.send(body.into()).await {
            return Err(failed(error));
        }
        insert.end().await.map_err(failed)
    }
}
