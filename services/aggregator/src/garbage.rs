//! Removes rows that no reader needs.

use std::time::Duration;

use tokio::sync::watch;
use wb_clickhouse::{Store, StoreError};

use crate::owners;
use crate::pause::stopped;

/// How often losing attempts are removed.
const COLLECT_EVERY: Duration = Duration::from_secs(600);

/// Removes losing attempts and old seals at intervals, while this aggregator is the leader.
pub(crate) async fn collect_garbage(
    store: Store,
    holdings: owners::Holdings,
    mut shutdown: watch::Receiver<bool>,
) {
    // Floors of the seals when they were raised. Rows below a floor are removed two rounds later, when every query
    // that began before has ended.
    let (mut ripe, mut ripening) = (0, 0);
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = tokio::time::sleep(COLLECT_EVERY) => {}
        }
        if !holdings.leads() {
            continue;
        }
        let seals = async {
            let found = store.collect_seals(ripe).await?;
            let floor = store.raise_seal_floor().await?;
            Ok::<_, StoreError>((found, floor))
        };
        match seals.await {
            Ok((found, floor)) => {
                (ripe, ripening) = (ripening, floor);
                if found > 0 {
                    tracing::info!(found, "old seals were removed");
                }
            }
            Err(error) => {
                tracing::warn!(error = wb_units::with_causes(&error), "old seals are not removed yet")
            }
        }
        match store.collect_garbage().await {
            Ok(0) => {}
            Ok(found) => tracing::info!(found, "losing attempts were removed"),
            Err(error) => {
                tracing::warn!(error = wb_units::with_causes(&error), "losing attempts are not removed yet")
            }
        }
    }
}
