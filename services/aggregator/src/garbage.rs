//! Removing what nobody reads any more.

use std::time::Duration;

use tokio::sync::watch;
use wb_clickhouse::{Store, StoreError};

use crate::owners;
use crate::pause::stopped;

/// How often attempts that lost are removed.
const COLLECT_EVERY: Duration = Duration::from_secs(600);

/// Removes attempts that lost, now and then, where it leads.
pub(crate) async fn collect_garbage(
    store: Store,
    holdings: owners::Holdings,
    mut shutdown: watch::Receiver<bool>,
) {
    // Floors of the seals as they were raised: the rows below one go two rounds later, when no query
    // is left that began before.
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
                    tracing::info!(found, "seals that nobody reads any more were removed");
                }
            }
            Err(error) => {
                tracing::warn!(error = wb_units::with_causes(&error), "old seals are left for the next time")
            }
        }
        match store.collect_garbage().await {
            Ok(0) => {}
            Ok(found) => tracing::info!(found, "attempts that lost were removed"),
            Err(error) => {
                tracing::warn!(error = wb_units::with_causes(&error), "garbage is left for the next time")
            }
        }
    }
}
