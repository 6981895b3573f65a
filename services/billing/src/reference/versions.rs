//! Which recorded documents of contracts stand, and which are refused.

use std::collections::{BTreeMap, BTreeSet};

use wb_events::facts::{CONTRACT_WITHDRAWAL, ContractWithdrawal};
use wb_rating::{RecordedVersions, VersionRefused, version_of};
use wb_units::Micros;

use crate::error::BillerError;
use crate::ports::FactRow;

/// A recorded document of a contract, and whether it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedDocument {
    /// The number of its version; `None` where the text cannot be read.
    pub version: Option<u64>,
    /// The instant from which it was recorded to hold.
    pub from_us: Micros,
    /// Its text, JSON.
    pub body: String,
    /// Whether it stands.
    pub standing: Standing,
}

/// Whether a recorded document stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It stands, so bills use it from its instant on.
    Stands,
    /// It was withdrawn before it held.
    Withdrawn {
        /// By whom.
        who: String,
        /// Why.
        why: String,
    },
    /// It never stood.
    Refused(VersionRefused),
}

/// A row of a contract, and whether it stands.
pub(super) struct Judged {
    row: FactRow,
    standing: Standing,
}

impl Judged {
    /// The document for people.
    pub(super) fn document(self) -> RecordedDocument {
        RecordedDocument {
            version: version_of(&self.row.body),
            from_us: self.row.valid_from_us,
            body: self.row.body,
            standing: self.standing,
        }
    }
}

/// The rows of those documents that stand.
pub(super) fn standing(judged: BTreeMap<String, Vec<Judged>>) -> Vec<FactRow> {
    let stands = |judged: &Judged| judged.standing == Standing::Stands;
    judged.into_values().flatten().filter(stands).map(|judged| judged.row).collect()
}

/// Judges the documents and withdrawals of all contracts in the order of the log, and gives each contract's documents
/// in that order.
pub(super) fn judged(
    contracts: Vec<FactRow>,
    withdrawals: Vec<FactRow>,
) -> Result<BTreeMap<String, Vec<Judged>>, BillerError> {
    let mut rows: Vec<(bool, FactRow)> = contracts.into_iter().map(|row| (false, row)).collect();
    rows.extend(withdrawals.into_iter().map(|row| (true, row)));
    rows.sort_by_key(|(_, row)| (row.block.partition, row.block.block, row.idx));
    let mut found: BTreeMap<String, Vec<Judged>> = BTreeMap::new();
    let mut books: BTreeMap<String, RecordedVersions> = BTreeMap::new();
    // Most contracts have one document, which need not be read to stand.
    let several = several(&rows);
    for (is_withdrawal, row) in rows {
        let book = several.contains(&row.entity).then(|| books.entry(row.entity.clone()).or_default());
        if is_withdrawal {
            if let (Some(book), Some(documents)) = (book, found.get_mut(&row.entity)) {
                withdraw(book, documents, &row)?;
            }
            continue;
        }
        let recorded = book.map_or(Ok(None), |book| book.record(&row.entity, row.valid_from_us, &row.body));
        let standing = recorded.map_or_else(Standing::Refused, |_| Standing::Stands);
        found.entry(row.entity.clone()).or_default().push(Judged { row, standing });
    }
    Ok(found)
}

/// The contracts with more than one row.
fn several(rows: &[(bool, FactRow)]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, row) in rows {
        *counts.entry(&row.entity).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(entity, _)| entity.to_owned()).collect()
}

/// Withdraws a version. A withdrawal that came too late, or of nothing, has no effect.
fn withdraw(book: &mut RecordedVersions, documents: &mut [Judged], row: &FactRow) -> Result<(), BillerError> {
    let withdrawal: ContractWithdrawal = serde_json::from_str(&row.body).map_err(|error| {
        BillerError::Fact { kind: CONTRACT_WITHDRAWAL, entity: row.entity.clone(), detail: error.to_string() }
    })?;
    if book.withdraw(&row.entity, withdrawal.version, row.valid_from_us).is_err() {
        return Ok(());
    }
    for judged in documents {
        if judged.standing == Standing::Stands && version_of(&judged.row.body) == Some(withdrawal.version) {
            let (who, why) = (withdrawal.who.clone(), withdrawal.why.clone());
            judged.standing = Standing::Withdrawn { who, why };
        }
    }
    Ok(())
}
