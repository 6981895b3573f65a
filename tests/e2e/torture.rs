//! The short form of the crash campaign: some 40 kills and a few points of each kind on the real stack. Ours must be exact and
//! both control arms must fail.

use std::path::PathBuf;

use anyhow::{Context, Result};
use wb_torture::campaign::{self, Settings};

/// Its name as a test.
const NAME: &str = "what_is_killed_changes_nothing";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("control") => {
            return wb_torture::control::run(arguments.get(1).map(String::as_str).unwrap_or_default());
        }
        Some("--list") => {
            wb_torture::print(&format!("{NAME}: test"));
            return Ok(());
        }
        _ => {}
    }
    // As with other tests: names that are given choose, options do not.
    let mut names = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    if names.peek().is_some() && !names.any(|name| NAME.contains(name.as_str())) {
        return Ok(());
    }
    let seed = campaign::seed(None);
    wb_torture::tell(&format!("WEIGHBRIDGE_SEED={seed}"));
    let own = std::env::current_exe().context("this program's own file")?;
    let settings = Settings::short(seed, PathBuf::from(env!("CARGO_BIN_EXE_weighbridge")), own);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(campaign::run(&settings))?;
    campaign::conclude(&report, None)
}
