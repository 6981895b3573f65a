//! The integration tests of this crate, one program.

mod biller;
mod books;
mod clickhouse;
mod components;
mod corrections;
mod memory;
mod running;
mod story;
