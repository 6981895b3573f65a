//! The corrections that hold at a cut, and what they take out of the rows that count.
//!
//! Nothing in the tables is changed by a correction. Which events are voided is worked out by `wb_metering` from
//! the facts at the cut; their ids go along with a query as a parameter. Rows of events that are voided are left
//! out; where rows are sums, as those of work are, the voided shares stand beside them as rows that take away.

use std::collections::BTreeSet;

use clickhouse::Client;
use clickhouse::query::Query;
use wb_counted::{BlockId, CorrectionsRead};
use wb_events::facts::{self, METER_RATIO, VOID, id_text};
use wb_metering::corrections::{Corrections, RatioFact, TransformerRatio, VoidFact};
use wb_units::Interval;

use crate::error::StoreError;
use crate::facts::RecordedFact;

/// The most voided events that a query takes along: their ids, 32 digits each, are a part of it.
pub const VOIDED_MAX: usize = 20_000;

/// The corrections that hold at a cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorrectionsAt {
    /// What they come to.
    pub resolved: Corrections,
    /// Each correction in force, for people: what, who and why, in the order of recording.
    pub said: Vec<Said>,
    /// The blocks that hold corrections.
    pub blocks: BTreeSet<BlockId>,
    voided: Vec<String>,
    sequences: Vec<u64>,
}

/// A correction in force, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it is about: the event that is voided or the meter.
    pub entity: String,
    /// Whether it is a meter's ratio, and for when.
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
    /// Reads what holds at a cut, an offset in `commits`.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`], or [`StoreError::Range`] where more than [`VOIDED_MAX`] events
    /// are voided.
    pub async fn read(client: &Client, cut: u64) -> Result<Self, StoreError> {
        Self::of(RecordedFact::read(client, &[VOID, METER_RATIO], None, cut).await?)
    }

    /// What facts of the kinds `void` and `meter_ratio` come to.
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
                "{} events are voided, and a query takes {VOIDED_MAX} along: void a source's events by correcting \
                 what it says, not one by one",
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

    /// Sets the parameters of the queries that leave out what is voided.
    pub fn bind(&self, query: Query) -> Query {
        query.param("voided", &self.voided).param("voided_sequences", &self.sequences)
    }
}

impl From<CorrectionsAt> for CorrectionsRead {
    fn from(read: CorrectionsAt) -> Self {
        Self { resolved: read.resolved, blocks: read.blocks }
    }
}
