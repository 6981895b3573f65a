//! Proof of work, exact to the last bit: rebuilds a share's 80-byte header, hashes it, and gives its worth.
//!
//! The crate is a function of its arguments: no input or output, no clock, no randomness, no threads, no floats.
//! Everything that reaches a bill from here is an integer; difficulties leave it as exact decimal text.
//!
//! Where to look:
//! - [`Header`], [`sha256d`], [`ShareId`]: the 80 bytes, their hash, and the identity made of it.
//! - [`sha256d_headers`], [`sha256d_many_64`], [`judge_batch`], [`stratum_v1::JobBatch`]: the same for many at once,
//!   in the widest vectors that the CPU has. Callers with more than one share use these.
//! - [`Target`], [`credit_q32_of_target`]: thresholds, and the credited difficulty that stands for one.
//! - [`parse_difficulty_q32`], [`difficulty_decimal`], [`expected_hashes`]: difficulty as people write it.
//! - [`stratum_v1`]: from a session, a job and a submit to a header.
//! - [`verdict`]: whether a header counts in its context, and the reason if not.
//! - [`session_file`]: recorded sessions as JSON, each checked on its own.
//!
//! # Byte order
//! Hashes are held in *internal* order, the order in which SHA-256 returns bytes; read as a number they are little
//! endian. The display order ([`display_hash`]) is the same 32 bytes reversed.
#![deny(clippy::float_arithmetic)]
#![deny(missing_docs)]

mod decimal;
mod difficulty;
mod digest;
mod hash;
mod header;
pub mod hex;
mod lanes;
pub mod session_file;
mod share_id;
pub mod stratum_v1;
pub mod stratum_v2;
mod target;
#[doc(hidden)]
pub mod testing;
pub mod verdict;

pub use difficulty::{
    D1, DifficultyError, MAX_DECIMAL_PLACES, achieved_difficulty_decimal, achieved_difficulty_q32,
    difficulty_decimal, expected_hashes, expected_hashes_decimal, parse_difficulty_q32, work_text,
};
pub use hash::{
    BatchSizeMismatch, Hash256, batch_path, display_hash, hash_headers, parse_display_hash, sha256d,
    sha256d_headers, sha256d_many_64,
};
pub use header::{HEADER_BYTES, Header, HeaderSizeError};
pub use ruint::aliases::U256;
pub use share_id::ShareId;
pub use target::{Target, TargetError, credit_q32_of_target, meets_credit_q32};
pub use verdict::{
    Judgement, MAX_TIME_SKEW_S, Reason, ShareContext, Verdict, judge, judge_batch, judge_hashed,
};
