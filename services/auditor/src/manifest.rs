//! The manifest against the commits it is the projection of, a run of offsets at a time.

use std::collections::{BTreeMap, BTreeSet};

use wb_clickhouse::Store;
use wb_clickhouse::audit::BrokenPart;
use wb_events::commits::WonCommit;

use crate::AuditError;

/// What the manifest says otherwise than the commits.
#[derive(Debug, Default)]
pub(crate) struct ManifestRun {
    /// Names that it does not show.
    pub(crate) missing: Vec<WonCommit>,
    /// Offsets for which it has a row that no name stands for.
    pub(crate) wrong: BTreeSet<u64>,
}

/// Compares the manifest's rows of a range of offsets with the commits that won in it.
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
        // A wrong row is removed by its offset, and the right one beside it with it.
        .filter(|won| !found.contains(&won.commit_offset) || run.wrong.contains(&won.commit_offset))
        .cloned()
        .collect();
    Ok(run)
}
