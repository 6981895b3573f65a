//! What can go wrong with the log.

use rdkafka::error::KafkaError;

/// An operation on the log that failed.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The client could not be made or positioned.
    #[code("WB-5001")]
    #[error("the Kafka client was not accepted: check the brokers and properties of [kafka]")]
    Client(#[source] Box<KafkaError>),
    /// The producer's queue is full; nothing was sent.
    #[code("WB-5002")]
    #[error("too much is waiting for Kafka already: try again in a moment")]
    QueueFull,
    /// The record was not acknowledged in time, or refused.
    #[code("WB-5003")]
    #[error("Kafka did not acknowledge a record of {topic}/{partition}")]
    NotDelivered {
        topic: String,
        partition: u32,
        /// What the client said.
        #[source]
        source: Box<KafkaError>,
    },
    /// The ends of a partition could not be asked for.
    #[code("WB-5004")]
    #[error("Kafka did not say where {topic}/{partition} ends: is the broker up?")]
    Watermarks {
        topic: String,
        partition: u32,
        /// What the client said.
        #[source]
        source: KafkaError,
    },
    /// Reading failed for good.
    #[code("WB-5005")]
    #[error("{topic}/{partition} cannot be read at offset {offset}")]
    Read {
        topic: String,
        partition: u32,
        /// The offset that was wanted.
        offset: u64,
        /// What the client said.
        #[source]
        source: Box<KafkaError>,
    },
    /// The log skipped offsets: records are gone.
    #[code("WB-5006")]
    #[error("{topic}/{partition} gave offset {found} where {wanted} was next: records are missing")]
    Gap {
        topic: String,
        partition: u32,
        /// The offset that was next.
        wanted: u64,
        /// The offset that came.
        found: u64,
    },
    /// Topics could not be created or described.
    #[code("WB-5007")]
    #[error("the topics could not be set up: {detail}")]
    Topics {
        /// What the broker said.
        detail: String,
    },
    /// The names topic cannot be folded.
    #[code("WB-5008")]
    #[error("the commits topic is not as it must be")]
    Names(#[source] wb_events::commits::CommitsError),
    /// The partition counts differ from the pinned ones.
    #[code("WB-5009")]
    #[error(
        "topic {topic} has {found} partitions, the log was pinned with {pinned}: counting once depends on it; start with the topics as they were"
    )]
    PartitionCount {
        topic: String,
        /// How many it has.
        found: u32,
        /// How many it must have.
        pinned: u32,
    },
    /// A topic was deleted and made again.
    #[code("WB-5012")]
    #[error(
        "topic {topic} is not the one that this log was pinned with: it was deleted and made again; \
         restore it, or begin a new log with an empty database"
    )]
    TopicReplaced { topic: String },
    /// An alarm stands.
    #[code("WB-5013")]
    #[error(
        "the conservation law is broken, so nothing is committed and nothing is billed: {detail}; find out why \
         (`weighbridge scrub`), then `weighbridge alarm clear --why` (the alarm is commits record {offset})"
    )]
    Alarm {
        /// Its offset in `commits`.
        offset: u64,
        /// What it says.
        detail: String,
    },
    /// Membership of the group that shares the partitions has ended.
    #[code("WB-5011")]
    #[error(
        "this aggregator is no member of its group any more: {detail}; does another one run with the same \
         data folder?"
    )]
    Membership {
        /// What the client said.
        detail: String,
    },
    /// A record was put back at another place or time than it had.
    #[code("WB-5021")]
    #[error(
        "a record of {topic}/{partition} was put back at offset {found_offset} instead of {offset}, or with \
         another time: somebody else writes to the topic; stop ingest and the aggregators, and restore the topic"
    )]
    NotRestored {
        topic: String,
        partition: u32,
        /// The offset it had.
        offset: u64,
        /// The offset it got.
        found_offset: u64,
    },
    /// A topic's settings could not be read or changed.
    #[code("WB-5022")]
    #[error("the settings of topic {topic} could not be read or changed: {detail}")]
    TopicSettings {
        topic: String,
        /// What the broker said.
        detail: String,
    },
    /// The view of commits has stopped.
    #[code("WB-5010")]
    #[error("the reader of commits has stopped: {detail}")]
    CommitsStopped {
        /// Why.
        detail: String,
    },
}

impl LogError {
    pub(crate) fn client(source: KafkaError) -> Self {
        Self::Client(Box::new(source))
    }
}
