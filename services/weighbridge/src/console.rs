//! What a person sees of a command: results, words beside them, and the signal that ends it.

mod end;

use std::io::Write as _;

use anyhow::{Context as _, Result};

pub(crate) use end::end_signal;

/// Says something to a person: standard error, so that standard output is for results.
pub(crate) fn tell(text: &str) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a line of a result.
pub(crate) fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output is closed")
}

/// Says why a command failed, with the chain of its causes, and where to read on.
pub(crate) fn tell_failure(error: &anyhow::Error) {
    let said = format!("weighbridge: {error:#}");
    tell(&said);
    let codes = wb_error_pages::named_in(&said);
    if !codes.is_empty() {
        tell(&format!("help: weighbridge explain {}", codes.join(" ")));
    }
}
