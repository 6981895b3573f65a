//! The signal that ends a long-running command.

use std::io::Read as _;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Completes at SIGTERM, SIGINT or, if asked, the end of standard input.
pub(crate) fn end_signal(with_stdin: bool) -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let (ended, stdin_ended) = tokio::sync::oneshot::channel();
    if with_stdin {
        // A separate thread, because a blocking read would delay the exit of the runtime.
        std::thread::spawn(move || {
            let mut sink = [0; 256];
            while std::io::stdin().read(&mut sink).is_ok_and(|count| count > 0) {}
            let _ = ended.send(());
        });
    } else {
        drop(ended);
    }
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = stdin_ended, if with_stdin => {}
        }
    })
}
