//! `weighbridge quarantine`: events that were refused after they reached the log.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use prost::Message as _;
use serde_json::{Value, json};
use wb_clickhouse::quarantine::{QUARANTINE_LIST_MAX, QuarantineFilter, QuarantineId, Quarantined};
use wb_events::{Event, output};
use wb_redrive::{RedriveError, Redriver};
use wb_units::time::rfc3339;

use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};
use crate::wiring::keys::hex;
use crate::wiring::services::Connected;

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List quarantined events, latest first.
    List {
        /// List only this code, such as WB-4006.
        #[arg(long)]
        code: Option<String>,
        /// List only events of this source.
        #[arg(long)]
        source: Option<String>,
        /// The most rows to list.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(QUARANTINE_LIST_MAX)))]
        limit: u32,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Show a quarantined event with its bytes as JSON.
    Show {
        /// The event's id: topic/partition/offset/index.
        id: String,
    },
    /// Re-drive quarantined events: send them through the fold again.
    ///
    /// An event keeps its identity, so it counts at most once.
    Redrive(RedriveArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RedriveArguments {
    /// The ids of events: topic/partition/offset/index.
    #[arg(required_unless_present = "code")]
    ids: Vec<String>,
    /// Re-drive all events of this code that were never re-driven, at most the latest 10,000.
    #[arg(long, conflicts_with = "ids")]
    code: Option<String>,
    /// The reason, for the record.
    #[arg(long)]
    why: String,
    /// Your name, for the record.
    #[arg(long, env = "USER")]
    who: String,
    /// Sign frames again that have a wrong signature. Their content was never verified; you vouch for it.
    #[arg(long)]
    resign: bool,
}

fn now_us() -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    i64::try_from(now.as_micros()).context("the clock is far in the future")
}

impl Run for QuarantineCommand {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        quarantine(&stack, self).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Executes the command.
async fn quarantine(stack: &RunningStack, command: QuarantineCommand) -> Result<()> {
    let connected = stack.connect().await?;
    match command {
        QuarantineCommand::List { code, source, limit, json } => {
            let cut = connected.store.cut().await?;
            let filter = QuarantineFilter { code, source };
            for row in connected.store.quarantined(cut, &filter, limit).await? {
                print(&if json { as_json(&row).to_string() } else { as_line(&row) })?;
            }
            Ok(())
        }
        QuarantineCommand::Show { id } => {
            let cut = connected.store.cut().await?;
            let (row, original) = wb_redrive::find(&connected.store, cut, &id).await?;
            let mut shown = as_json(&row);
            shown["original_hex"] = hex(&original).into();
            // Bytes that are not an event decode to an error, or to an event without a body.
            let event = Event::decode(original.as_slice()).ok().filter(|event| event.body.is_some());
            shown["event"] = event.map_or(Value::Null, |event| output::to_json(&event));
            print(&serde_json::to_string_pretty(&shown)?)
        }
        QuarantineCommand::Redrive(arguments) => redrive(connected, arguments).await,
    }
}

fn redriven(row: &Quarantined) -> Value {
    let Some((at_us, body)) = &row.last_redrive else { return Value::Null };
    let mut fact: Value = serde_json::from_str(body).unwrap_or_default();
    fact["at_us"] = (*at_us).into();
    fact["times"] = row.redrives.into();
    fact
}

fn as_json(row: &Quarantined) -> Value {
    json!({
        "id": row.id.to_string(), "topic": row.id.topic, "partition": row.id.partition,
        "offset": row.id.log_offset, "index": row.id.frame_index, "block": row.block,
        "append_time_us": row.append_time_us, "source": row.source, "code": row.code,
        "reason": row.reason, "bytes": row.bytes, "redriven": redriven(row),
    })
}

fn as_line(row: &Quarantined) -> String {
    let source = if row.source.is_empty() { "-" } else { &row.source };
    let at = rfc3339(row.append_time_us);
    let line = format!("{}  {}  {at}  {source}  {} bytes  {}", row.id, row.code, row.bytes, row.reason);
    let fact = redriven(row);
    if fact.is_null() {
        return line;
    }
    // The words come from outside, so control characters are escaped.
    let plain = |name: &str| fact[name].as_str().unwrap_or_default().escape_debug().to_string();
    format!("{line}  [re-driven {} times, last by {}: {}]", row.redrives, plain("who"), plain("why"))
}

async fn redrive(connected: Connected, arguments: RedriveArguments) -> Result<()> {
    let RedriveArguments { ids, code, why, who, resign } = arguments;
    let cut = connected.store.cut().await?;
    let ids: Vec<QuarantineId> = match code {
        Some(code) => {
            let filter = QuarantineFilter { code: Some(code), source: None };
            let rows = connected.store.quarantined(cut, &filter, QUARANTINE_LIST_MAX).await?;
            rows.into_iter().filter(|row| row.redrives == 0).map(|row| row.id).collect()
        }
        None => {
            let parse =
                |id: &String| QuarantineId::parse(id).ok_or_else(|| RedriveError::Unknown { id: id.clone() });
            ids.iter().map(parse).collect::<Result<_, _>>()?
        }
    };
    let redriver = Redriver {
        key: connected.keys.frame_key()?,
        store: connected.store,
        log: connected.log,
        partitions: connected.partitions,
        who,
        why,
        resign,
    };
    let mut left = 0_usize;
    for id in &ids {
        match redriver.redrive(cut, id, now_us()?).await {
            Ok(done) => {
                for place in done.appended {
                    print(&format!("{id} -> {}/{}/{}", place.topic, place.partition, place.offset))?;
                }
                if !done.left.is_empty() {
                    tell(&format!("{id}: the frame has no known events at {:?}", done.left));
                }
            }
            // An event that cannot be re-driven does not stop the others.
            Err(error @ (RedriveError::Cannot { .. } | RedriveError::Unknown { .. })) => {
                tell(&format!("weighbridge: {}", wb_units::with_causes(&error)));
                left += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if left > 0 {
        bail!("{left} of {} were not re-driven", ids.len());
    }
    Ok(())
}
