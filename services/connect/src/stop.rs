//! When to end.

use std::time::Duration;

use tokio::sync::watch;

/// Told when the connector is to end; it then finishes what it has under way and leaves the rest for the next time.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Ends when the value becomes true.
    #[must_use]
    pub fn new(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }

    /// Ends when a future does, such as one that waits for a signal.
    #[must_use]
    pub fn after(end: impl Future<Output = ()> + Send + 'static) -> Self {
        let (told, stop) = watch::channel(false);
        tokio::spawn(async move {
            end.await;
            told.send_replace(true);
            // Kept until all is over: a dropped sender says nothing.
            told.closed().await;
        });
        Self(stop)
    }

    /// Whether it is time to end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is time to end.
    pub async fn told(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|stop| *stop).await.is_err() {
            // Whoever could tell is gone: nobody will.
            std::future::pending::<()>().await;
        }
    }

    /// Waits so long, or until it is time to end.
    pub async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.told() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
