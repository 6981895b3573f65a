//! The corrections in force at a cut, and their effect on the rows that count.
//!
//! A correction changes no table. `wb_metering` determines the voided events from the facts at the cut, and queries
//! get their ids as a parameter. Rows of voided events are left out. Where rows are sums, as those of work are, each
//! voided share becomes a row that is subtracted.

use std::collections::BTreeSet;

use clickhouse::Client;
use clickhouse::query::Query;
use wb_counted::{BlockId, CorrectionsRead};
use wb_events::facts::{self, METER_RATIO, VOID, id_text};
use wb_metering::corrections::{Corrections, RatioFact, TransformerRatio, VoidFact};
use wb_units::Interval;

use crate::error::StoreError;
use crate::facts::RecordedFact;

/// The most voided events of a query: the query contains their ids, 32 digits each.
pub const VOIDED_MAX: usize = 20_000;

/// The corrections in force at a cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorrectionsAt {
    /// Their combined effect.
    pub resolved: Corrections,
    /// Each correction in force, to be shown: what, who and why, in the order of recording.
    pub said: Vec<Said>,
    /// The blocks that hold corrections.
    pub blocks: BTreeSet<BlockId>,
    voided: Vec<String>,
    sequences: Vec<u64>,
}

/// A correction in force, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The voided event, or the meter.
    pub entity: String,
    /// For a meter's ratio, the time for which it is corrected.
    pub ratio: Option<Interval>,
    /// Who made it.
    pub who: String,
    pub why: String,
}

fn read<T: serde::de::DeserializeOwned>(row: &RecordedFact) -> Result<T, StoreError> {
    serde_json::from_str(&row.body).map_err(|error| wrong(row, &error.to_string()))
}

fn wrong(row: &RecordedFact, why: &str) -> StoreError {
    let problem = format!("the correction of {:?} is not of its form: {why}", row.entity);
    StoreError::Row { table: "facts", problem }
}

impl CorrectionsAt {
    /// Reads the corrections in force at a cut, an offset in `commits`.
    ///
    /// [`StoreError::Query`], [`StoreError::Row`], or [`StoreError::Range`] if more than [`VOIDED_MAX`] events are
    /// voided.
    pub async fn read(client: &Client, cut: u64) -> Result<Self, StoreError> {
        Self::of(RecordedFact::read(client, &[VOID, METER_RATIO], None, cut).await?)
    }

    /// The combined effect of facts of the kinds `void` and `meter_ratio`.
    ///
    /// # Errors
    /// [`StoreError::Row`] and [`StoreError::Range`], as [`Self::read`].
    pub(crate) fn of(mut rows: Vec<RecordedFact>) -> Result<Self, StoreError> {
        rows.sort_by_key(RecordedFact::recorded);
        let (mut voids, mut ratios, mut sequences, mut words) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            if row.kind == VOID {
                let body: facts::Void = read(row)?;
                let voids_id = body.voids().map_err(|error| wrong(row, &error.to_string()))?;
                sequences.extend(body.event.as_ref().map(|event| event.sequence));
                voids.push(VoidFact { recorded: row.recorded(), id: row.id(), voids: voids_id });
                words.push((row.id(), None, body.who, body.why));
                continue;
            }
            let body: facts::MeterRatio = read(row)?;
            let Some(end_us) = row.valid_to_us else { continue };
            let interval = Interval { start_us: row.valid_from_us, end_us };
            ratios.push(RatioFact {
                recorded: row.recorded(),
                id: row.id(),
                meter_id: body.meter_id,
                interval,
                used: TransformerRatio { num: body.used_num, den: body.used_den },
                right: TransformerRatio { num: body.right_num, den: body.right_den },
            });
            words.push((row.id(), Some(interval), body.who, body.why));
        }
        let resolved = Corrections::new(&voids, &ratios);
        let voided: Vec<String> = resolved.voided().map(id_text).collect();
        if voided.len() > VOIDED_MAX {
            let problem = format!(
                "{} events are voided, at most {VOIDED_MAX} can be: instead of single events, correct \
                 what the source sends",
                voided.len()
            );
            return Err(StoreError::Range { problem });
        }
        sequences.sort_unstable();
        sequences.dedup();
        let said = rows.iter().zip(words).filter(|(_, (id, ..))| !resolved.is_voided(id));
        let said = said
            .map(|(row, (_, ratio, who, why))| Said { entity: row.entity.clone(), ratio, who, why })
            .collect();
        let blocks = rows.iter().map(RecordedFact::block).collect();
        Ok(Self { resolved, said, blocks, voided, sequences })
    }

    /// Sets the parameters of queries that leave out voided events.
    pub fn bind(&self, query: Query) -> Query {
        query.param("voided", &self.voided).param("voided_sequences", &self.sequences)
    }
}

impl From<CorrectionsAt> for CorrectionsRead {
    fn from(read: CorrectionsAt) -> Self {
        Self { resolved: read.resolved, blocks: read.blocks }
    }
}
