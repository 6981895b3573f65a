//! Errors of the log.

use rdkafka::error::KafkaError;

/// A failed operation on the log.
#[wb_coded::coded]
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The client could not be created or positioned.
    #[code("WB-5001")]
    #[error("the Kafka client was not accepted: check the brokers and properties of [kafka]")]
    Client(#[source] Box<KafkaError>),
    /// The producer's queue is full; nothing was sent.
    #[code("WB-5002")]
    #[error("too many records are waiting for Kafka: try again in a moment")]
    QueueFull,
    /// A record was refused or not acknowledged in time.
    #[code("WB-5003")]
    #[error("Kafka did not acknowledge a record of {topic}/{partition}")]
    NotDelivered {
        topic: String,
        partition: u32,
        /// The client's error.
        #[source]
        source: Box<KafkaError>,
    },
    /// The ends of a partition could not be read.
    #[code("WB-5004")]
    #[error("Kafka did not say where {topic}/{partition} ends: is the broker up?")]
    Watermarks {
        topic: String,
        partition: u32,
        /// The client's error.
        #[source]
        source: KafkaError,
    },
    /// Reading failed permanently.
    #[code("WB-5005")]
    #[error("{topic}/{partition} cannot be read at offset {offset}")]
    Read {
        topic: String,
        partition: u32,
        /// The offset to read.
        offset: u64,
        /// The client's error.
        #[source]
        source: Box<KafkaError>,
    },
    /// Offsets are missing in the log.
    #[code("WB-5006")]
    #[error("{topic}/{partition} gave offset {found} where {wanted} was expected: records are missing")]
    Gap {
        topic: String,
        partition: u32,
        /// The expected offset.
        wanted: u64,
        /// The returned offset.
        found: u64,
    },
    /// Topics could not be created or described.
    #[code("WB-5007")]
    #[error("the topics could not be set up: {detail}")]
    Topics {
        /// The broker's error.
        detail: String,
    },
    /// The topic `commits` cannot be folded.
    #[code("WB-5008")]
    #[error("the commits topic is not valid")]
    Commits(#[source] wb_events::commits::CommitsError),
    /// The partition counts differ from the pinned ones.
    #[code("WB-5009")]
    #[error(
        "topic {topic} has {found} partitions, but the log was pinned with {pinned}: counting once \
         depends on it; restore the topics as they were"
    )]
    PartitionCount {
        topic: String,
        /// The number of partitions.
        found: u32,
        /// The pinned number.
        pinned: u32,
    },
    /// A topic was deleted and created again.
    #[code("WB-5012")]
    #[error(
        "topic {topic} is not the one that this log was pinned with: it was deleted and created again; \
         restore it, or start a new log with an empty database"
    )]
    TopicReplaced { topic: String },
    /// An alarm is set.
    #[code("WB-5013")]
    #[error(
        "the conservation law is broken, so nothing is committed and nothing is billed: {detail}; find out why \
         (`weighbridge scrub`), then `weighbridge alarm clear --why` (the alarm is commits record {offset})"
    )]
    Alarm {
        /// Its offset in `commits`.
        offset: u64,
        /// The alarm's detail.
        detail: String,
    },
    /// Membership of the group of aggregators ended.
    #[code("WB-5011")]
    #[error(
        "this aggregator is no longer a member of its group: {detail}; does another one run with the same \
         data folder?"
    )]
    Membership {
        /// The client's error.
        detail: String,
    },
    /// A restored record has another offset or time than before.
    #[code("WB-5021")]
    #[error(
        "a record of {topic}/{partition} was put back at offset {found_offset} instead of {offset}, or with \
         another time: another program writes to the topic; stop ingest and the aggregators, and restore the topic"
    )]
    NotRestored {
        topic: String,
        partition: u32,
        /// Its offset before.
        offset: u64,
        /// Its offset now.
        found_offset: u64,
    },
    /// A topic's settings could not be read or changed.
    #[code("WB-5022")]
    #[error("the settings of topic {topic} could not be read or changed: {detail}")]
    TopicSettings {
        topic: String,
        /// The broker's error.
        detail: String,
    },
    /// The view of commits has stopped.
    #[code("WB-5010")]
    #[error("the reader of commits has stopped: {detail}")]
    CommitsStopped {
        /// The reason.
        detail: String,
    },
}

impl LogError {
    pub(crate) fn client(source: KafkaError) -> Self {
        Self::Client(Box::new(source))
    }
}
