//! What the end-to-end tests share: a place of its own for each stack, its processes, and `curl`.
//!
//! Nothing is synchronised by sleeping: every wait asks for a condition until it holds, or fails
//! at a generous deadline with the ends of all logs.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "each test uses a part, and helpers of tests may fail loudly"
)]

pub(crate) mod bundles;
pub(crate) mod curl;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod papers;
pub(crate) mod place;
pub(crate) mod random;
pub(crate) mod reports;
pub(crate) mod running;
pub(crate) mod tables;
pub(crate) mod usage;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a whole demonstration may take: it needs some fifteen seconds where nothing else runs.
pub(crate) const DEMO_LIMIT: Duration = Duration::from_secs(300);
/// How long a stack may take to start.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(150);
/// How long what was acknowledged may take to be counted.
pub(crate) const COUNT_LIMIT: Duration = Duration::from_secs(120);
/// How long a requested end may take.
pub(crate) const END_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    let service = Path::new(env!("CARGO_MANIFEST_DIR"));
    service.parent().and_then(Path::parent).unwrap().to_path_buf()
}

/// Asks until there is an answer; fails at the limit with the last refusal.
pub(crate) fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) if Instant::now() > deadline => {
                panic!("{what}: not within {} s: {last}", limit.as_secs())
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
