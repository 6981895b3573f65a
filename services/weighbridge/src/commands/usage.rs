//! `weighbridge usage`: where everything accepted of a month is.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use wb_billing::{Measured, Place, Placed};

use crate::commands::books::WHO;
use crate::commands::{Run, RunningStack};
use crate::console::{print, tell};

#[derive(Debug, Args)]
pub(crate) struct UsageArguments {
    /// The month, such as 2026-10; may be given more than once.
    #[arg(long, required = true)]
    period: Vec<String>,
    /// Print one JSON object for each machine, measure and place, with exact quantities.
    #[arg(long)]
    json: bool,
}

impl Run for UsageArguments {
    type Needs = RunningStack;

    async fn run(self, stack: RunningStack) -> Result<ExitCode> {
        let biller = stack.connect().await?.biller(WHO).await?;
        for period in &self.period {
            let found = biller.placed_usage(period).await?;
            let lines = if self.json {
                found.placed.iter().map(|one| line(period, one).to_string()).collect()
            } else {
                table(&found.placed)
            };
            lines.iter().try_for_each(|line| print(line))?;
            tell(&format!("everything accepted of {period}, at cut {}", found.cut));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A quantity as a JSON object. Work is in units of 2^-32 difficulty, energy in thousandths of a watt-hour, GPU time in
/// microseconds.
fn line(period: &str, one: &Placed) -> serde_json::Value {
    let (measure, unit, of) = match &one.measured {
        Measured::Work { chain } => ("work", "q32", json!({"chain": chain})),
        Measured::Energy { witness, meter_id } => {
            ("energy", "mwh", json!({"witness": witness.as_str(), "meter": meter_id}))
        }
        Measured::GpuTime { profile } => ("gpu_time", "gpu_us", json!({"profile": profile})),
    };
    json!({"period": period, "place": one.place.as_str(), "contract": one.contract_id, "machine": one.machine_id,
        "measure": measure, "of": of, "quantity": one.quantity.to_string(), "unit": unit,
        "reason": one.reason})
}

/// Words of the measure, place, contract and reason.
type RowKey<'a> = (String, Place, &'a str, &'a str);

/// Usage of one measure in one place.
struct Row<'a> {
    quantity: u128,
    machines: BTreeSet<&'a str>,
    measured: &'a Measured,
}

/// A line for each place, contract, measure and reason, and one for the sum of each measure.
fn table(placed: &[Placed]) -> Vec<String> {
    let mut rows: BTreeMap<RowKey<'_>, Row<'_>> = BTreeMap::new();
    let mut sums: BTreeMap<String, (u128, &Measured)> = BTreeMap::new();
    for one in placed {
        let words = one.measured.words();
        let sum = sums.entry(words.clone()).or_insert((0, &one.measured));
        sum.0 = sum.0.saturating_add(one.quantity);
        let key = (words, one.place, one.contract_id.as_str(), one.reason.as_str());
        let row = rows.entry(key).or_insert_with(|| Row {
            quantity: 0,
            machines: BTreeSet::new(),
            measured: &one.measured,
        });
        row.quantity = row.quantity.saturating_add(one.quantity);
        if !one.machine_id.is_empty() {
            row.machines.insert(&one.machine_id);
        }
    }
    let row = |((words, place, contract_id, reason), row): (RowKey<'_>, Row<'_>)| {
        let of = if contract_id.is_empty() { "-" } else { contract_id };
        let machines = if row.machines.is_empty() {
            String::new()
        } else {
            format!(", {} machines", row.machines.len())
        };
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let quantity = row.measured.quantity_words(row.quantity);
        format!("{} {of} {words} {quantity}{machines}{reason}", place.as_str())
    };
    let mut lines: Vec<String> = rows.into_iter().map(row).collect();
    lines.extend(
        sums.iter()
            .map(|(words, (sum, measured))| format!("sum - {words} {}", measured.quantity_words(*sum))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_added_up_and_each_measure_has_a_sum() {
        let one = |place, machine: &str, quantity, reason: &str| Placed {
            place,
            contract_id: "c".to_owned(),
            machine_id: machine.to_owned(),
            measured: Measured::Work { chain: "main".to_owned() },
            quantity,
            reason: reason.to_owned(),
        };
        let placed = [
            one(Place::Billed, "", 3 << 32, ""),
            one(Place::Excluded, "a", 1 << 31, "why"),
            one(Place::Excluded, "b", 1 << 31, "why"),
        ];
        assert_eq!(
            table(&placed),
            [
                "billed c work on chain main 3.000 difficulty",
                "excluded c work on chain main 1.000 difficulty, 2 machines: why",
                "sum - work on chain main 4.000 difficulty",
            ]
        );
        let json = line("2026-10", &placed[1]);
        assert_eq!(
            (json["quantity"].as_str(), json["place"].as_str()),
            (Some("2147483648"), Some("excluded"))
        );
    }
}
