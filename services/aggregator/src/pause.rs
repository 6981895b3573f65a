//! Pauses between retries, and waiting for shutdown.

use std::time::Duration;

use tokio::sync::watch;

/// The shortest pause before a retry.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest pause before a retry.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(5);

/// Waits for shutdown. A dropped sender counts as shutdown.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
