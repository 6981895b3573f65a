//! `weighbridge seal`: sealing days now, as the aggregator does by itself now and then.

use anyhow::Result;
use wb_aggregator::seal::{Pass, Sealer};
use wb_billing::ports::CutSource as _;
use wb_config::Config;

use crate::console::print;
use crate::wiring::services::{Connected, connect};

/// Seals everything that is committed, once all that was acknowledged is.
pub(crate) async fn pass(connected: &Connected) -> Result<Pass> {
    connected.cuts().await?.settled_cut().await?;
    let sealer = Sealer::new(connected.log.clone(), connected.store.clone(), connected.commits().await?);
    Ok(sealer.pass().await?)
}

pub(crate) async fn run(config: &Config) -> Result<()> {
    let connected = connect(config).await?;
    print(&match pass(&connected).await? {
        Pass::Sealed { cut, days } => {
            format!("{days} days are sealed, of everything committed before offset {cut}")
        }
        Pass::Nothing => "everything was sealed already".to_owned(),
        Pass::Overtaken => "another process is sealing, and ahead; it goes on".to_owned(),
    })
}
