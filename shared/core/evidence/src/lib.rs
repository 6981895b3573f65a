//! Evidence bundles: one file that holds all an invoice follows from, and its verification. The verification needs no
//! network, no database and no trust in the file's maker.
//!
//! - [`Bundle`]: what a bundle holds; [`Bundle::to_bytes`] and [`Bundle::read`]: its form, described in
//!   `schemas/bundle/README.md`.
//! - [`draws`]: which events of which blocks are sampled. The draws follow from the invoice's own evidence digest, so
//!   that the issuer cannot choose.
//! - [`Subject`]: which events are about the invoice; a bundle holds no others.
//! - [`Builder`]: puts a bundle together from what the biller and the log hold.
//! - [`verify`]: the verification, as a [`Report`] of steps and failures with the lines they touch.
//!
//! No I/O, clock, randomness or float.
#![deny(clippy::float_arithmetic)]
#![deny(missing_docs)]

mod build;
mod bundle;
mod bytes;
mod form;
mod report;
mod sample;
mod subject;
mod verify;

pub use build::{BuildError, Builder, CommittedBlock, Material, SealedDay};
pub use bundle::{Bundle, CommitRecord, DayBlock, EventProof, Sampling};
pub use bytes::{Bytes, LINE_BYTES_MAX};
pub use form::{
    BundleError, DAY_BLOCKS_MAX, EVENTS_MAX, FORM, PACKED_BYTES_MAX, SAMPLES_DEFAULT, SAMPLES_MAX,
    UNPACKED_BYTES_MAX,
};
pub use report::{Failure, InvoiceHead, Report, Step, StepName};
pub use sample::{Draw, Target, draws};
pub use subject::{Held, MappedAccount, Subject};
pub use verify::{verify, verify_bundle};
