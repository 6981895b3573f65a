//! Kafka to verdict to sealed block in ClickHouse. One task a partition; each block
//! is folded, written, read back, and counts once it is committed in the log.

mod archive;
mod commit;
mod config;
mod conserve;
mod error;
mod garbage;
mod owners;
mod partition;
mod pause;
mod project;
mod publish;
mod recover;
mod run;
pub mod seal;
mod snapshots;

pub use config::{AggregatorConfig, GroupMember, PUNCTUATE_AFTER, SealPace};
pub use error::AggregatorError;
pub use project::Projector;
pub use run::Aggregator;
