//! Exports for finance: invoiced data as rows for accounting systems and warehouses.
//!
//! ```text
//! winning records of the ledger, in their order
//!     -> rows of one table (`invoices`, `lines`, `usage`, `journal`, `focus`)
//!     -> bytes of one format (CSV, JSON lines, Parquet), piece by piece
//!     -> control totals: rows, sums, bytes and SHA-256 of exactly those bytes
//! ```
//!
//! - [`Request`]: which table, period, customer and format.
//! - [`Exporter`]: takes records one by one and returns bytes piece by piece; memory is bounded by one record and
//!   [`ROW_GROUP_ROWS_MAX`] rows.
//! - [`Control`]: the control totals of a file.
//!
//! The crate reads no clock, no random number and no file: the same invoices always give the same bytes. The command
//! line and the HTTP interface both use it.
//!
//! ```
//! use wb_export::{Exporter, Format, Request, Table};
//!
//! let request = Request::new(Table::Lines, Format::Csv, "2026-10", None)?;
//! let exporter = Exporter::new(request)?;
//! let done = exporter.finish(0)?;
//! assert_eq!(done.control.rows, 0);
//! assert!(done.bytes.starts_with(b"ledger_offset,"));
//! # Ok::<(), wb_export::ExportError>(())
//! ```
#![deny(clippy::float_arithmetic)]

mod accounts;
mod cell;
mod control;
mod csv;
mod document;
mod entry;
mod error;
mod exporter;
mod journal;
mod jsonl;
mod money;
mod options;
mod parquet_file;
mod postings;
mod request;
mod rows;
mod sink;
mod words;

pub use cell::{Cell, Column, Kind};
pub use control::{Control, ControlColumn, ControlFile, LeftOut, Sum};
pub use entry::Entry;
pub use error::ExportError;
pub use exporter::{Exporter, Finished};
pub use parquet_file::{ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS_MAX};
pub use request::Request;
pub use rows::columns;
pub use words::{Format, JournalOption, Profile, Recognition, Table};

/// The version of the files' form. Changed columns, order or spelling need another version. It is stated in the
/// control totals and in the metadata of a Parquet file.
pub const FORM: u32 = 1;
