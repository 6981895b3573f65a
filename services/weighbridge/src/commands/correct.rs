//! `weighbridge correct`: sends facts that void an event or correct a meter's transformer ratio.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wb_events::facts::{METER_RATIO, VOID, Void, id_text};
use wb_events::identity::id_of;

use crate::commands::books::WHO;
use crate::commands::fact::{OneFact, send_fact};
use crate::commands::report::{instant_us, now_us};
use crate::commands::{IngestAndStack, Run};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct CorrectArguments {
    /// The address of ingest.
    #[arg(long, global = true, env = "WEIGHBRIDGE_INGEST_URL", default_value = "http://127.0.0.1:8801")]
    ingest: String,
    /// The API key of a source with the role `operator`.
    #[arg(long, global = true, env = "WEIGHBRIDGE_SOURCE_KEY", hide_env_values = true, default_value = "")]
    source_key: String,
    #[command(subcommand)]
    what: Correction,
}

#[derive(Debug, Subcommand)]
enum Correction {
    /// Void an event, so that it no longer counts.
    ///
    /// The event can be a share, a sample, a reading, a span or an earlier correction. Closed months stay as they
    /// are; use `weighbridge adjust` to bill the difference.
    ///
    /// An event that is not recorded is refused (WB-5437).
    Void {
        /// The event's id, 32 hex digits: the id of a share's proof, or the id of a correction as printed by this
        /// command.
        #[arg(long, required_unless_present = "source")]
        event_id: Option<String>,
        /// The event's source, together with --key and --sequence.
        #[arg(long, requires = "key", requires = "sequence", conflicts_with = "event_id")]
        source: Option<String>,
        /// The epoch of the source.
        #[arg(long, default_value_t = 0)]
        source_epoch: u64,
        /// The key of the event.
        #[arg(long)]
        key: Option<String>,
        /// The sequence of the event.
        #[arg(long)]
        sequence: Option<u64>,
        /// Void the event even if it is not recorded yet.
        #[arg(long)]
        event_may_come_later: bool,
        #[command(flatten)]
        by: By,
    },
    /// Correct the transformer ratio of a meter for a span of time.
    Ratio {
        /// The meter's id.
        #[arg(long)]
        meter: String,
        /// The start of the wrong ratio, such as 2026-10-03T14:07:00Z.
        #[arg(long)]
        from: String,
        /// The end of the wrong ratio.
        #[arg(long)]
        to: String,
        /// The ratio that was used, such as 200:5.
        #[arg(long)]
        used: String,
        /// The right ratio, such as 400:5.
        #[arg(long)]
        right: String,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct By {
    /// Your name, for the record.
    #[arg(long, env = "USER")]
    who: String,
    /// The reason, for the record.
    #[arg(long)]
    why: String,
}

/// Parses a transformer ratio.
fn ratio(text: &str) -> Result<(u32, u32)> {
    let parts = text
        .split_once([':', '/'])
        .and_then(|(num, den)| Some((num.trim().parse::<u32>().ok()?, den.trim().parse::<u32>().ok()?)));
    parts
        .filter(|(num, den)| *num > 0 && *den > 0)
        .with_context(|| format!("{text:?} is not a ratio: write two whole numbers above 0, such as 200:5"))
}

/// A fact to send: kind, entity, start and end, and body.
type Sent = (&'static str, String, (i64, Option<i64>), Value);

/// Converts a correction to a fact.
fn fact_of(correction: &Correction) -> Result<Sent> {
    Ok(match correction {
        Correction::Void { event_id, source, source_epoch, key, sequence, by, .. } => {
            let (entity, mut body) = match (event_id, source, key, sequence) {
                (Some(id), ..) => (id.to_lowercase(), json!({"event_id": id.to_lowercase()})),
                (None, Some(source), Some(key), Some(sequence)) => (
                    id_text(&id_of(source, *source_epoch, key, *sequence)),
                    json!({"event": {
                        "source": source, "source_epoch": source_epoch, "key": key, "sequence": sequence,
                    }}),
                ),
                _ => bail!("state the event: --event-id, or --source, --key and --sequence"),
            };
            body["who"] = by.who.clone().into();
            body["why"] = by.why.clone().into();
            (VOID, entity, (now_us()?, None), body)
        }
        Correction::Ratio { meter, from, to, used, right, by } => {
            let span = (instant_us(from).context("--from")?, instant_us(to).context("--to")?);
            ensure!(span.0 < span.1, "--to is not after --from");
            let ((used_num, used_den), (right_num, right_den)) = (ratio(used)?, ratio(right)?);
            let body = json!({
                "meter_id": meter, "used_num": used_num, "used_den": used_den, "right_num": right_num,
                "right_den": right_den, "who": by.who, "why": by.why,
            });
            (METER_RATIO, meter.clone(), (span.0, Some(span.1)), body)
        }
    })
}

impl Run for CorrectArguments {
    type Needs = IngestAndStack;

    async fn run(self, needs: IngestAndStack) -> Result<ExitCode> {
        correct(self, needs).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Sends a correction and prints its id, by which it can itself be voided.
async fn correct(arguments: CorrectArguments, needs: IngestAndStack) -> Result<()> {
    let (kind, entity, (from_us, to_us), body) = fact_of(&arguments.what)?;
    if matches!(arguments.what, Correction::Void { event_may_come_later: false, .. }) {
        let void: Void = serde_json::from_value(body.clone()).context("the void is not of its form")?;
        let id = void.voids()?;
        needs.stack()?.connect().await?.biller(WHO).await?.check_event(&id).await?;
    }
    let fact = OneFact { kind, entity, from_us, to_us, body };
    let identity = send_fact(&arguments.ingest, arguments.source_key, fact).await?;
    tell("recorded; computations from now on use it");
    print(&identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_two_whole_numbers() {
        assert_eq!((ratio("200:5").unwrap(), ratio("400/5").unwrap()), ((200, 5), (400, 5)));
        for wrong in ["200", "0:5", "200:0", "-1:5", "1.5:1", "a:b", ""] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_sent_is_a_fact_that_ingest_takes() {
        let by = || By { who: "anna".to_owned(), why: "plate".to_owned() };
        let void = |event_id: Option<&str>, source: Option<&str>| Correction::Void {
            event_id: event_id.map(str::to_owned),
            source: source.map(str::to_owned),
            source_epoch: 1,
            key: source.map(|_| "m-1".to_owned()),
            sequence: source.map(|_| 7),
            event_may_come_later: false,
            by: by(),
        };
        let wrong_ratio = Correction::Ratio {
            meter: "e-1".to_owned(),
            from: "2026-10-03T14:07:00Z".to_owned(),
            to: "2026-10-03T15:00:00Z".to_owned(),
            used: "200:5".to_owned(),
            right: "400:5".to_owned(),
            by: by(),
        };
        for correction in
            [void(Some("00112233445566778899AABBCCDDEEFF"), None), void(None, Some("agent")), wrong_ratio]
        {
            let (kind, entity, _, body) = fact_of(&correction).unwrap();
            wb_events::facts::FactBody::parse(kind, &entity, &body.to_string())
                .unwrap_or_else(|error| panic!("{body}: {error}"));
        }
    }
}
