//! Compares the manifest with the commits, a range of offsets at a time.

use std::collections::{BTreeMap, BTreeSet};

use wb_clickhouse::Store;
use wb_clickhouse::audit::BrokenPart;
use wb_events::commits::WonCommit;

use crate::AuditError;

/// Where the manifest differs from the commits.
#[derive(Debug, Default)]
pub(crate) struct ManifestRun {
    /// Commits that the manifest lacks.
    pub(crate) missing: Vec<WonCommit>,
    /// Offsets of manifest rows without a matching commit.
    pub(crate) wrong: BTreeSet<u64>,
}

/// Compares the manifest's rows in a range of offsets with the winning commits in it.
pub(crate) async fn compare(
    store: &Store,
    offsets: std::ops::Range<u64>,
    commits: &[WonCommit],
    broken: &[BrokenPart],
) -> Result<ManifestRun, AuditError> {
    let mut wanted: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for won in commits {
        wanted.insert(won.commit_offset, wb_clickhouse::manifest::encode(won)?);
    }
    let mut found: BTreeSet<u64> = BTreeSet::new();
    let mut run = ManifestRun::default();
    for row in store.manifest_rows(offsets, broken).await? {
        let offset = row.first_chunk::<8>().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
        if wanted.get(&offset) == Some(&row) {
            found.insert(offset);
        } else {
            run.wrong.insert(offset);
        }
    }
    run.missing = commits
        .iter()
        // Removing a wrong row removes all rows at its offset, so the right row there must be written again.
        .filter(|won| !found.contains(&won.commit_offset) || run.wrong.contains(&won.commit_offset))
        .cloned()
        .collect();
    Ok(run)
}
