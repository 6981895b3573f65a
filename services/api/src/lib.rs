//! The API: usage over GraphQL, and billing data as files.
//!
//! A request carries a token. The token's scope is passed to the query builder (`wb_clickhouse`), so that a
//! customer's token cannot read another customer's rows. All fields of a request are read at one cut, but a report that is asked for
//! as of an instant.

mod config;
mod cuts;
mod error;
mod exports;
mod http;
mod limits;
mod schema;

pub use config::{ApiConfig, Limits};
pub use cuts::CommitsAt;
pub use error::ApiError;
pub use http::{router, run};
pub use schema::sdl;
