//! The corrections that hold at a cut, and what they take out of the rows that count.
//!
//! Nothing in the tables is changed by a correction. Which events are voided is worked out by `wb_metering` from
//! the facts at the cut; their ids go along with a query as a parameter. Rows of events that are voided are left
//! out; where rows are sums, as those of work are, the voided shares stand beside them as rows that take away.

use clickhouse::Client;
use clickhouse::query::Query;
use serde::Deserialize;
use wb_events::facts::{self, METER_RATIO, VOID, id_text};
use wb_events::identity::id_of;
use wb_metering::corrections::{Corrections, EventId, RatioFact, Recorded, TransformerRatio, VoidFact};
use wb_units::{Interval, Micros};

use crate::conditions::committed_among;
use crate::error::{StoreError, query_failed};

/// The most voided events that a query takes along: their ids, 32 digits each, are a part of it.
pub const VOIDED_MAX: usize = 20_000;

/// The kinds that are read.
const KINDS: &str = "kind IN {kinds:Array(String)}";

/// Facts of some kinds.
const OF_KINDS: &str = "SELECT toString(kind) AS kind, toString(source) AS source, source_epoch, source_key, \
       sequence, toString(topic) AS topic, partition, block, attempt, idx, entity, valid_from_us, valid_to_us, body \
     FROM facts WHERE facts.kind IN {kinds:Array(String)}";

/// The corrections that hold at a cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorrectionsAt {
    /// What they come to.
    pub resolved: Corrections,
    /// Each correction in force, for people: what, who and why, in the order of recording.
    pub said: Vec<Said>,
    /// The blocks that hold corrections: (topic, partition, block).
    pub blocks: Vec<(String, u32, u64)>,
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
    /// Why.
    pub why: String,
}

/// A fact as it was recorded, with the count of its sender.
#[derive(Debug, Clone, clickhouse::Row, Deserialize)]
pub struct FactRow {
    /// Its kind.
    pub kind: String,
    /// Who sent it.
    pub source: String,
    /// The sender's epoch.
    pub source_epoch: u64,
    /// What the sender counts by.
    pub source_key: String,
    /// The sender's count.
    pub sequence: u64,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The block.
    pub block: u64,
    /// The attempt at that block.
    pub attempt: u64,
    /// Its place in the block.
    pub idx: u32,
    /// What it is about.
    pub entity: String,
    /// When it begins to hold, UTC microseconds.
    pub valid_from_us: Micros,
    /// When it ceases to hold, if it says so.
    pub valid_to_us: Option<Micros>,
    /// Its body, JSON.
    pub body: String,
}

impl FactRow {
    /// Reads the facts of some kinds that hold at a cut, an offset in `commits`, in any order.
    ///
    /// # Errors
    /// What the server says.
    pub async fn read_kinds(
        client: &Client,
        kinds: &[&str],
        cut: u64,
    ) -> Result<Vec<Self>, clickhouse::error::Error> {
        let sql = format!("{OF_KINDS} AND {}", committed_among("facts", KINDS));
        Self::fetch(client.query_raw(&sql).param("cut", cut), kinds).await
    }

    /// Reads the facts of some kinds of all attempts at blocks, committed or not: whoever asks has the commits.
    ///
    /// # Errors
    /// What the server says.
    pub async fn read_attempts(
        client: &Client,
        kinds: &[&str],
    ) -> Result<Vec<Self>, clickhouse::error::Error> {
        Self::fetch(client.query_raw(OF_KINDS), kinds).await
    }

    async fn fetch(query: Query, kinds: &[&str]) -> Result<Vec<Self>, clickhouse::error::Error> {
        let query = query.param("kinds", kinds).with_setting("max_result_rows", "0");
        query.with_setting("max_threads", "1").with_setting("log_comment", "read facts").fetch_all().await
    }

    fn id(&self) -> EventId {
        id_of(&self.source, self.source_epoch, &self.source_key, self.sequence)
    }

    fn recorded(&self) -> Recorded {
        Recorded { partition: self.partition, block: self.block, idx: self.idx }
    }

    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body).map_err(|error| self.wrong(&error.to_string()))
    }

    fn wrong(&self, why: &str) -> StoreError {
        let problem = format!("the correction of {:?} is not of its form: {why}", self.entity);
        StoreError::Row { table: "facts", problem }
    }
}

impl CorrectionsAt {
    /// Reads what holds at a cut, an offset in `commits`.
    ///
    /// # Errors
    /// [`StoreError::Query`], [`StoreError::Row`], or [`StoreError::Range`] where more than [`VOIDED_MAX`] events
    /// are voided.
    pub async fn read(client: &Client, cut: u64) -> Result<Self, StoreError> {
        let rows = FactRow::read_kinds(client, &[VOID, METER_RATIO], cut).await;
        Self::of(rows.map_err(query_failed("read the corrections"))?)
    }

    /// What facts of the kinds `void` and `meter_ratio` come to.
    ///
    /// # Errors
    /// [`StoreError::Row`] and [`StoreError::Range`], as [`Self::read`].
    pub fn of(mut rows: Vec<FactRow>) -> Result<Self, StoreError> {
        rows.sort_by_key(FactRow::recorded);

        let (mut voids, mut ratios, mut sequences, mut words) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            if row.kind == VOID {
                let body: facts::Void = row.read()?;
                let voids_id = body.voids().map_err(|error| row.wrong(&error.to_string()))?;
                sequences.extend(body.event.as_ref().map(|event| event.sequence));
                voids.push(VoidFact { recorded: row.recorded(), id: row.id(), voids: voids_id });
                words.push((row.id(), None, body.who, body.why));
                continue;
            }
            let body: facts::MeterRatio = row.read()?;
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
        let mut blocks: Vec<_> =
            rows.iter().map(|row| (row.topic.clone(), row.partition, row.block)).collect();
        blocks.dedup();
        Ok(Self { resolved, said, blocks, voided, sequences })
    }

    /// Sets the parameters of the queries that leave out what is voided.
    pub fn bind(&self, query: Query) -> Query {
        query.param("voided", &self.voided).param("voided_sequences", &self.sequences)
    }

    /// Whether no event is voided.
    #[must_use]
    pub fn voids_nothing(&self) -> bool {
        self.voided.is_empty()
    }
}
