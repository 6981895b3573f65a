//! The signal to stop.

use std::time::Duration;

use tokio::sync::watch;

/// Signals a connector to stop. It then finishes what is in progress and leaves the rest for the next run.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Stops when the value becomes true.
    #[must_use]
    pub fn new(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }

    /// Stops when a future completes, such as one that waits for a signal.
    #[must_use]
    pub fn after(end: impl Future<Output = ()> + Send + 'static) -> Self {
        let (told, stop) = watch::channel(false);
        tokio::spawn(async move {
            end.await;
            told.send_replace(true);
            // Keeps the sender, because a dropped sender signals nothing.
            told.closed().await;
        });
        Self(stop)
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the signal.
    pub async fn told(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|stop| *stop).await.is_err() {
            // The sender is gone, so no signal will come.
            std::future::pending::<()>().await;
        }
    }

    /// Waits for a time or until the signal.
    pub async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.told() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
