//! Shared code of commands that send one fact.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::sync::watch;
use wb_connect::{Ingest, Stop};

use crate::commands::report::now_us;

/// How long to wait until ingest has made a fact durable.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// A fact to send.
pub(crate) struct OneFact {
    pub(crate) kind: &'static str,
    pub(crate) entity: String,
    pub(crate) from_us: i64,
    pub(crate) to_us: Option<i64>,
    pub(crate) body: Value,
}

/// Sends a fact to ingest and returns its identity in words, once it is durable.
pub(crate) async fn send_fact(ingest: &str, source_key: String, fact: OneFact) -> Result<String> {
    ensure!(
        !source_key.is_empty(),
        "no API key: set WEIGHBRIDGE_SOURCE_KEY to the key of a source with the role operator"
    );
    let OneFact { kind, entity, from_us, to_us, body } = fact;
    // A new random epoch, so that no sequence must be remembered.
    let epoch = getrandom::u64().context("the operating system gave no random number")? >> 1;
    let key = format!("{kind}/{entity}");
    let mut fact = json!({"fact": kind, "entity": entity, "valid_from_us": from_us, "body": body});
    if let Some(to_us) = to_us {
        fact["valid_to_us"] = to_us.into();
    }
    let event = json!({
        "kind": "fact", "key": key, "sequence": 0, "source_epoch": epoch, "event_time_us": now_us()?, "body": fact,
    });
    let ingest = Ingest::new(ingest, source_key)?;
    let (told, stop) = watch::channel(false);
    let stop = Stop::new(stop);
    let sent = tokio::time::timeout(SEND_TIMEOUT, ingest.post(&[event], &stop)).await;
    drop(told);
    let refused =
        sent.with_context(|| format!("ingest did not answer within {} s", SEND_TIMEOUT.as_secs()))??;
    if let Some(refused) = refused.unwrap_or_default().first() {
        bail!("{} {}: {}", refused.code, refused.field, refused.reason);
    }
    Ok(format!("{key} epoch {epoch} sequence 0"))
}
