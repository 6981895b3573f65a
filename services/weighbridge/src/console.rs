//! The output of commands: results on standard output, messages on standard error.

mod end;

use std::io::Write as _;

use anyhow::{Context as _, Result};

pub(crate) use end::end_signal;

/// Writes a message to standard error; standard output is for results.
pub(crate) fn tell(text: &str) {
    // A closed standard error is ignored.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes a line of the result.
pub(crate) fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output is closed")
}

/// Prints why a command failed, with the chain of causes and the codes to look up.
pub(crate) fn tell_failure(error: &anyhow::Error) {
    let said = format!("weighbridge: {error:#}");
    tell(&said);
    let codes = wb_error_pages::named_in(&said);
    if !codes.is_empty() {
        tell(&format!("help: weighbridge explain {}", codes.join(" ")));
    }
}
