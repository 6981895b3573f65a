//! The front state: authenticates the source, checks the shape, rebuilds and hashes shares,
//! writes frames to Kafka, and answers when they are durable.

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
