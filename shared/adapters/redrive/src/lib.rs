//! Re-drives quarantined events: sends them through the fold again.
//!
//! The original event is appended unchanged, in a signed frame, to its topic. It keeps its identity, so it counts at
//! most once, no matter how often it is re-driven. Who did it, when and why is recorded as a reference fact first. A
//! crash in between leaves a fact without an event; repeating the re-drive fixes that.

mod plan;

use prost::Message as _;
use wb_clickhouse::quarantine::{QuarantineId, Quarantined};
use wb_clickhouse::{Cut, Store, StoreError};
use wb_events::facts::{REDRIVE, Redrive};
use wb_events::frame::{self, FrameKey};
use wb_events::identity::partition_of;
use wb_events::wire::event::Body;
use wb_events::{Event, Fact, topics};
use wb_kafka::topics::Partitions;
use wb_kafka::{Log, LogError};

pub use plan::{Again, CannotRedrive, Plan, plan};

/// The source of the facts about re-drives.
pub const SOURCE: &str = "weighbridge";
/// The longest name or reason, in bytes.
pub const WORDS_BYTES_MAX: usize = 4_096;

/// Why an event was not re-driven.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// The id does not exist.
    #[code("WB-5911")]
    #[error(
        "the quarantine has no event with the id {id:?}: ids are topic/partition/offset/index, as \
         `weighbridge quarantine list` prints them"
    )]
    Unknown {
        /// The given id.
        id: String,
    },
    /// The event cannot be re-driven.
    #[code("WB-5912")]
    #[error("{id} ({code}) cannot be re-driven")]
    Cannot {
        /// Its id.
        id: QuarantineId,
        /// Why it was quarantined.
        code: String,
        /// The reason.
        #[source]
        why: CannotRedrive,
    },
    /// The name or the reason is empty or too long.
    #[code("WB-5913")]
    #[error("{what} has {bytes} bytes: it must have 1 to {WORDS_BYTES_MAX}, because it is recorded forever")]
    Words {
        /// The name or the reason.
        what: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// ClickHouse failed.
    #[code(source)]
    #[error("the quarantine cannot be read")]
    Store(#[from] StoreError),
    /// The log failed. Earlier appends stay, and a repeat counts nothing twice.
    #[code(source)]
    #[error("the log refused it; repeat the command, nothing counts twice")]
    Log(#[from] LogError),
    /// The operating system gave no random number.
    #[code("WB-5914")]
    #[error("the operating system gave no random number")]
    Random,
}

/// The new place of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub topic: &'static str,
    pub partition: u32,
    /// The offset of its frame.
    pub offset: u64,
}

/// The result of a re-drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// The re-driven record.
    pub id: QuarantineId,
    /// Its events.
    pub appended: Vec<Appended>,
    /// Indexes in its frame without a known event.
    pub left: Vec<usize>,
}

/// Re-drives events on behalf of a person, for a reason.
pub struct Redriver {
    /// The store with the quarantine.
    pub store: Store,
    /// The log.
    pub log: Log,
    /// How many partitions the topics have.
    pub partitions: Partitions,
    /// The key that frames are signed with.
    pub key: FrameKey,
    /// Who re-drives.
    pub who: String,
    pub why: String,
    /// Whether frames with a wrong signature are signed again.
    pub resign: bool,
}

impl Redriver {
    /// Re-drives one record. `at_us` is the present, UTC microseconds.
    ///
    /// # Errors
    /// [`RedriveError`].
    pub async fn redrive(&self, cut: Cut, id: &QuarantineId, at_us: i64) -> Result<Redriven, RedriveError> {
        for (what, words) in [("the name of the person", &self.who), ("the reason", &self.why)] {
            if words.trim().is_empty() || words.len() > WORDS_BYTES_MAX {
                return Err(RedriveError::Words { what, bytes: words.len() });
            }
        }
        let (row, original) = find(&self.store, cut, &id.to_string()).await?;
        let plan = plan(&row.code, &original, &self.key, self.resign)
            .map_err(|why| RedriveError::Cannot { id: id.clone(), code: row.code.clone(), why })?;
        self.append(topics::REFERENCE, self.fact(id, &plan, at_us)?).await?;
        let mut appended = Vec::new();
        for again in plan.events {
            appended.push(self.append(again.topic, again.event_with_bytes()).await?);
        }
        Ok(Redriven { id: id.clone(), appended, left: plan.left })
    }

    fn fact(&self, id: &QuarantineId, plan: &Plan, at_us: i64) -> Result<(Event, Vec<u8>), RedriveError> {
        let body = Redrive {
            id: id.to_string(),
            who: self.who.clone(),
            why: self.why.clone(),
            events: u32::try_from(plan.events.len()).unwrap_or(u32::MAX),
            resigned: plan.resigned,
        };
        let event = Event {
            source: SOURCE.to_owned(),
            // A new random epoch, so that no sequence must be remembered.
            source_epoch: getrandom::u64().map_err(|_| RedriveError::Random)?,
            key: format!("{REDRIVE}/{id}"),
            sequence: 0,
            event_time_us: at_us,
            body: Some(Body::Fact(Fact {
                kind: REDRIVE.to_owned(),
                entity: id.to_string(),
                valid_from_us: at_us,
                valid_to_us: None,
                // Serialising texts, a count and a flag cannot fail.
                body: serde_json::to_value(&body).map(|body| body.to_string()).unwrap_or_default(),
            })),
        };
        let bytes = event.encode_to_vec();
        Ok((event, bytes))
    }

    async fn append(
        &self,
        topic: &'static str,
        (event, bytes): (Event, Vec<u8>),
    ) -> Result<Appended, RedriveError> {
        let partition = partition_of(&event, self.partitions.get(topic).copied().unwrap_or(1));
        let writer = format!("redrive by {}", self.who);
        let record = frame::encode_events(&writer, vec![bytes], &self.key);
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_type", "weighbridge.frame.v1"),
            ("ce_source", "weighbridge.redrive"),
            ("content-type", "application/x-protobuf"),
        ];
        let offset = self.log.append(topic, partition, &[], &record, &headers).await?;
        Ok(Appended { topic, partition, offset })
    }
}

impl Again {
    fn event_with_bytes(self) -> (Event, Vec<u8>) {
        (self.event, self.bytes)
    }
}

/// Finds a quarantined record by its id as printed.
///
/// # Errors
/// [`RedriveError::Unknown`], [`RedriveError::Store`].
pub async fn find(store: &Store, cut: Cut, id: &str) -> Result<(Quarantined, Vec<u8>), RedriveError> {
    let unknown = || RedriveError::Unknown { id: id.to_owned() };
    let parsed = QuarantineId::parse(id).ok_or_else(unknown)?;
    store.quarantined_one(cut, &parsed).await?.ok_or_else(unknown)
}
