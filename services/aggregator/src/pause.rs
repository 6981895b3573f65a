//! How long is waited, and until when.

use std::time::Duration;

use tokio::sync::watch;

/// The shortest pause before something that failed is tried again.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest pause before something that failed is tried again.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(5);

/// Waits for the end. A sender that is gone ends it too.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}
