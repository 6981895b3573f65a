//! Which events are recorded, by their identities.

use std::collections::BTreeSet;

use wb_events::facts::id_text;

use super::Usage;
use crate::conditions::{COUNTED_ID, committed_among};
use crate::error::{StoreError, query_failed};
use crate::read::Cut;

/// SQL for the identities that are looked for.
const ASKED: &str = "(SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))";

/// Tables with the column of an identity, and facts, of which there are few.
const QUICK: [(&str, &str); 5] = [
    ("shares", "share_id"),
    ("energy_readings", "event_id"),
    ("gpu_spans", "event_id"),
    ("gpu_samples", "event_id"),
    ("facts", COUNTED_ID),
];

/// Tables whose identities are computed row by row; they are read only for what no other table has.
const SLOW: [(&str, &str); 2] = [("shares", COUNTED_ID), ("miner_samples", COUNTED_ID)];

impl Usage {
    /// Those of some events that are recorded, by the identity of their proof or by their sender's count.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn known_events(&self, ids: &[[u8; 16]], cut: Cut) -> Result<BTreeSet<[u8; 16]>, StoreError> {
        let mut known = BTreeSet::new();
        for tables in [QUICK.as_slice(), SLOW.as_slice()] {
            let left: Vec<String> = ids.iter().filter(|id| !known.contains(*id)).map(id_text).collect();
            if left.is_empty() {
                break;
            }
            let of = |(table, id): &(&str, &str)| {
                let asked = format!("{id} IN {ASKED}");
                let committed = committed_among(table, &asked);
                format!("SELECT lower(hex({id})) AS id FROM {table} WHERE {asked} AND {committed}")
            };
            let sql: Vec<String> = tables.iter().map(of).collect();
            let sql = format!("SELECT DISTINCT id FROM ({})", sql.join(" UNION ALL "));
            let query = self.client.query_raw(&sql).param("ids", &left).param("cut", cut.0);
            let found: Vec<String> =
                query.fetch_all().await.map_err(query_failed("find which events are recorded"))?;
            known.extend(ids.iter().filter(|id| found.contains(&id_text(id))).copied());
        }
        Ok(known)
    }
}
