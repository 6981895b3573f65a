//! Ingest: authenticates the source, checks events, rebuilds and hashes shares, writes frames to Kafka, and answers
//! once they are durable.

pub mod answer;
pub mod body;
pub mod decode;
pub mod http;
pub mod limits;
pub mod reference;
pub mod resolve;
#[cfg(test)]
mod tests;
pub mod writer;

pub use http::{IngestConfig, IngestError, run};
