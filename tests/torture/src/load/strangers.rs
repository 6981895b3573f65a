//! Records that no ingest of the stack wrote, put into the topics directly: garbage, forgeries, stray punctuations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use wb_events::frame::{FrameKey, encode_events, encode_punctuation};
use wb_events::topics;
use wb_testkit::Random;

use super::Told;
use crate::oracle::Stray;
use crate::site::Site;

/// An offset that no round reaches.
const FAR_OFFSET: u64 = 1 << 40;

/// Writes such records until the end.
pub(super) async fn run(
    site: Arc<Site>,
    told: Arc<Told>,
    seed: u64,
    mut stopping: watch::Receiver<bool>,
) -> Result<()> {
    let mut random = Random::of(seed, "strangers");
    let (log, _) = site.log()?;
    let places = [
        (topics::SHARES, site.layout.shares),
        (topics::TELEMETRY, site.layout.others),
        (topics::ENERGY, site.layout.others),
        (topics::GPU, site.layout.others),
        (topics::REFERENCE, 1),
    ];
    for number in 0_u64.. {
        let pause = Duration::from_millis(random.between(300, 2_500));
        let stopped = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(pause) => false,
        };
        if stopped {
            break;
        }
        let Some((topic, partitions)) = random.pick(&places) else { break };
        let partition = u32::try_from(random.below(u64::from(*partitions))).unwrap_or(0);
        let unique = format!("{seed} {number}").into_bytes();
        let (record, original, code) = match random.below(4) {
            0 => {
                let garbage = [b"\x00never a frame ".as_slice(), unique.as_slice()].concat();
                (garbage.clone(), garbage, "WB-4002")
            }
            1 => {
                let forged = encode_events("ingest-0", vec![unique], &FrameKey::new([7; 32]));
                (forged.clone(), forged, "WB-4003")
            }
            2 => {
                let event = [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".as_slice(), &unique].concat();
                (encode_events("ingest-0", vec![event.clone()], &site.frame_key()), event, "WB-4005")
            }
            _ => (encode_punctuation("aggregator-0", FAR_OFFSET + number, &site.frame_key()), Vec::new(), ""),
        };
        let acknowledged = log.append(topic, partition, &[], &record, &[]).await.is_ok();
        if !code.is_empty() {
            let hex = wb_proof::hex::encode(&original).to_uppercase();
            told.truth().expect_stray(hex, Stray { code, acknowledged });
        }
    }
    Ok(())
}
