//! Removes rows of seals that no reader needs: losing attempts, and seals that a later seal of the same day replaced.

use wb_events::commits::ALL_DAYS;

use crate::client::Store;
use crate::error::{StoreError, query_failed};
use crate::seal::TABLES;

/// The most attempts that one collection removes.
const ATTEMPTS_MAX: u64 = 1_024;

/// The seals that readers of the seal of all days at an offset (`?`) use.
fn kept(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM seals WHERE day != {ALL_DAYS} AND commit_offset < ? AND cut <= (\
           SELECT max(cut) FROM seals WHERE day = {ALL_DAYS} AND commit_offset <= ?) GROUP BY day"
    )
}

impl Store {
    /// Raises the floor to the latest seal of all days: readers use that one or a later one. Returns its offset; 0 if
    /// there is none.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn raise_seal_floor(&self) -> Result<u64, StoreError> {
        let sql = format!(
            "INSERT INTO seal_floor SELECT max(commit_offset) FROM seals WHERE day = {ALL_DAYS} \
             HAVING max(commit_offset) > (SELECT max(commit_offset) FROM seal_floor)"
        );
        self.client().query(&sql).execute().await.map_err(query_failed("raise the floor of the seals"))?;
        let sql = "SELECT max(commit_offset) FROM seal_floor";
        self.client().query(sql).fetch_one().await.map_err(query_failed("find the floor of the seals"))
    }

    /// Removes the rows that readers of the seal of all days at `floor` or of a later one do not need; returns how
    /// many attempts they belonged to.
    ///
    /// Call it only when the floor was raised longer ago than a query may take, because an earlier query may still
    /// read an earlier seal.
    ///
    /// # Errors
    /// [`StoreError::Query`]; the next collection finds what is left.
    pub async fn collect_seals(&self, floor: u64) -> Result<usize, StoreError> {
        // An attempt whose cut is not above that of the day's seal in use can never win.
        let sql = format!(
            "SELECT DISTINCT day, seal FROM seal_attempts INNER JOIN ({}) AS kept USING (day) \
             WHERE seal_attempts.cut <= kept_cut AND seal != kept_seal ORDER BY day, seal LIMIT {ATTEMPTS_MAX}",
            kept("day, argMax(seals.seal, seals.cut) AS kept_seal, max(seals.cut) AS kept_cut")
        );
        let query = self.client().query(&sql).bind(floor).bind(floor);
        let gone: Vec<(i32, u64)> = query.fetch_all().await.map_err(query_failed("look for unused seals"))?;
        if gone.is_empty() {
            return Ok(0);
        }
        let list: Vec<String> = gone.iter().map(|(day, seal)| format!("({day}, {seal})")).collect();
        let list = list.join(", ");
        for table in TABLES.iter().chain(&["seal_attempts"]) {
            // The same statement checks again, so that rows in use are never removed.
            let sql = format!(
                "DELETE FROM {table} WHERE (day, seal) IN ({list}) AND (day, seal) NOT IN ({})",
                kept("day, argMax(seal, cut)")
            );
            let delete = self.client().query(&sql).bind(floor).bind(floor);
            delete.execute().await.map_err(query_failed("remove unused seals"))?;
        }
        Ok(gone.len())
    }
}
