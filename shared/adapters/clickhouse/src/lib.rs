//! ClickHouse: the connection, the schema and the one query builder.
//!
//! Every read goes through [`Read`], which needs a [`TenantScope`] and a [`Cut`], so no rows can be read without
//! stating whose and as of when. [`Usage`] reads rows for bills: each call states its parties and its cut and goes
//! through the same [`Read`]. Two modules are for the operator alone: [`committed`], which reads committed blocks for
//! publishing, and [`quarantine`].

pub mod audit;
pub mod block;
pub mod client;
pub mod columns;
pub mod committed;
mod conditions;
pub mod conserve;
pub mod corrections;
pub mod error;
mod facts;
pub mod garbage;
pub mod heads;
mod ledger;
pub mod manifest;
pub mod migrate;
pub mod quarantine;
pub mod read;
mod running;
pub mod seal;
pub mod sealed;
pub mod tenant;
pub mod usage;
pub mod whole_days;

pub use client::{Store, StoreConfig};
pub use error::StoreError;
pub use read::{Cut, Read};
pub use tenant::{CustomerId, TenantScope};
pub use usage::Usage;
