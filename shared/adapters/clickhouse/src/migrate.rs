//! The schema: numbered SQL files, each applied once, in order.
//!
//! Each file holds one statement that is safe to repeat (`IF NOT EXISTS`). So two processes may start at once: both
//! may run a file, both may note it, and a repeated note has no effect. The same holds for a process that is killed
//! between a file and its note. A noted file that differs from this program's is an error; a noted file that this
//! program lacks was applied by a newer program.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::client::Store;
use crate::error::{StoreError, query_failed};

/// A migration: a file name and a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The file name, which starts with its number.
    pub file: &'static str,
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($file:literal),+ $(,)?) => {
        [$(Migration { file: $file, sql: include_str!(concat!("../../../../schemas/clickhouse/", $file)) }),+]
    };
}

/// All migrations, in order.
pub const MIGRATIONS: &[Migration] = &migrations![
    "0001_manifest.sql",
    "0002_shares.sql",
    "0003_work_5m.sql",
    "0004_miner_samples.sql",
    "0005_energy_readings.sql",
    "0006_gpu_spans.sql",
    "0007_gpu_samples.sql",
    "0008_facts.sql",
    "0009_quarantine.sql",
    "0010_block_counts.sql",
    "0011_seals.sql",
    "0012_seal_attempts.sql",
    "0013_seal_floor.sql",
    "0014_sealed_work_5m.sql",
    "0015_sealed_work_1h.sql",
    "0016_sealed_work_1d.sql",
    "0017_sealed_energy_readings.sql",
    "0018_sealed_blocks.sql",
    "0019_running_bills.sql",
    "0020_ledger.sql",
];

/// The table in which applied files are noted.
const NOTES_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
(
    file   String,
    sha256 String
)
ENGINE = MergeTree
ORDER BY (file, sha256)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0";

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Note {
    file: String,
    sha256: String,
}

impl Store {
    /// Creates the database if it is missing, and applies the migrations that are not noted.
    ///
    /// Returns the names of the files applied by this call.
    ///
    /// # Errors
    /// [`StoreError::MigrationChanged`] if an applied file differs, [`StoreError::NewerSchema`] for an unknown one,
    /// [`StoreError::Migration`] and [`StoreError::Query`] if ClickHouse refuses.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, StoreError> {
        self.apply(MIGRATIONS).await
    }

    /// Applies a list of migrations; see [`Store::migrate`].
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn apply(&self, migrations: &[Migration]) -> Result<Vec<&'static str>, StoreError> {
        let create = format!("CREATE DATABASE IF NOT EXISTS {}", self.database());
        self.server().query(&create).execute().await.map_err(query_failed("create the database"))?;
        let client = self.client();
        client.query(NOTES_TABLE).execute().await.map_err(query_failed("create schema_migrations"))?;
        let noted = self.noted().await?;
        // All notes are compared before anything is changed.
        for migration in migrations {
            let here = sha256_hex(migration.sql);
            if let Some(applied) = noted.get(migration.file).filter(|applied| **applied != here) {
                let (file, applied) = (migration.file.to_owned(), applied.clone());
                return Err(StoreError::MigrationChanged { file, applied, here });
            }
        }
        let known = |file: &&String| migrations.iter().any(|migration| migration.file == file.as_str());
        if let Some(file) = noted.keys().find(|file| !known(file)) {
            return Err(StoreError::NewerSchema { file: file.clone() });
        }
        let mut done = Vec::new();
        for migration in migrations.iter().filter(|migration| !noted.contains_key(migration.file)) {
            let fail = |source| StoreError::Migration { file: migration.file, source };
            client.query(migration.sql).execute().await.map_err(fail)?;
            let note = "INSERT INTO schema_migrations SELECT {file:String}, {sha256:String}";
            let noting =
                client.query(note).param("file", migration.file).param("sha256", sha256_hex(migration.sql));
            noting.execute().await.map_err(fail)?;
            done.push(migration.file);
        }
        Ok(done)
    }

    /// The noted files with their hashes.
    async fn noted(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let sql = "SELECT file, sha256 FROM schema_migrations ORDER BY file, sha256";
        let notes: Vec<Note> =
            self.client().query(sql).fetch_all().await.map_err(query_failed("read schema_migrations"))?;
        let mut noted = BTreeMap::new();
        for note in notes {
            let before = noted.insert(note.file.clone(), note.sha256.clone());
            if let Some(applied) = before.filter(|applied| *applied != note.sha256) {
                return Err(StoreError::MigrationChanged { file: note.file, applied, here: note.sha256 });
            }
        }
        Ok(noted)
    }
}

fn sha256_hex(text: &str) -> String {
    faster_hex::hex_string(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_schema_is_embedded_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../schemas/clickhouse");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".sql"))
            .collect();
        files.sort();
        let embedded: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.file).collect();
        assert_eq!(embedded, files);
        assert!(MIGRATIONS.iter().all(|migration| migration.sql.contains("IF NOT EXISTS")));
    }
}
