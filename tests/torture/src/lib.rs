//! The crash campaign: the real processes on the real broker and engine are killed and stopped at every moment, and
//! an oracle compares the outcome with the truth.
//!
//! A round starts a stack of its own, loads it through ingest, and meanwhile kills its processes at random
//! ([`faults::storm`]), at chosen system calls ([`faults::syscalls`]) and at the worst moment
//! ([`faults::committed_late`]). Then everything is left alone until it is settled, and what readers see is compared
//! with the truth ([`oracle`]). Two control arms ([`control`]) read the same log and are killed at the same moments;
//! they must fail.

pub mod campaign;
pub mod control;
pub mod engine;
pub mod faults;
pub mod load;
pub mod oracle;
pub mod part;
pub mod readers;
pub mod report;
pub mod site;
pub mod stack;

use std::io::Write as _;

/// Prints progress on standard error.
pub fn tell(text: &str) {
    // A closed standard error is no failure.
    let _ = writeln!(std::io::stderr(), "torture: {text}");
}

/// Prints a result on standard output.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
