//! The integration tests of this crate, one program.

mod committed;
mod corrections;
mod engine;
mod report;
mod seals;
mod support;
