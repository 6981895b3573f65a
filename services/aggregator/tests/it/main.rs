//! The integration tests of this crate, one program.

mod model;
mod seals;
