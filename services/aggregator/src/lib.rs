//! The aggregator: reads events from Kafka, folds them into blocks, writes the rows to ClickHouse and commits the
//! blocks. Each partition has its own task.

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
