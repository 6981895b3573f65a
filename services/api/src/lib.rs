//! What was counted, over GraphQL, and what was billed, as files.
//!
//! A reader shows a token; its scope goes by value into the one query builder (`wb_clickhouse`),
//! so that a customer's token cannot reach another customer's rows. All fields of one request are
//! read as of one cut.

mod config;
mod error;
mod exports;
mod http;
mod limits;
mod schema;

pub use config::{ApiConfig, Limits};
pub use error::ApiError;
pub use http::{router, run};
pub use schema::sdl;
