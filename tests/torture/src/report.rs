//! The result: one table with a line an arm, and the same as JSON.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::oracle::Difference;

/// One arm's line.
#[derive(Debug, Clone, Default)]
pub struct Arm {
    pub name: String,
    /// Kills at random moments.
    pub kills: u64,
    /// Stops with a later waking.
    pub stops: u64,
    /// Enumerated points that were hit.
    pub points: u64,
    /// Committed blocks; 0 for an arm that has none.
    pub blocks: u64,
    /// Events in the log that it had to count.
    pub events: u64,
    /// Its difference from the truth.
    pub difference: Difference,
}

/// The whole result.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub seed: u64,
    /// When it began, UTC.
    pub date: String,
    /// How long it took.
    pub took: Duration,
    /// Rounds, each on a stack of its own.
    pub rounds: usize,
    /// Distinct events that were sent.
    pub sent: u64,
    /// Enumerated points that were not reached.
    pub missed: u64,
    /// Aggregators stopped at the sending of a commit.
    pub committed_late: u64,
    /// Lost attempts that were collected while others were being written.
    pub collected: u64,
    /// Aggregators that came and went.
    pub rebalances: u64,
    /// Failures other than wrong numbers.
    pub wrong: Vec<String>,
    /// The product, then the control arms.
    pub arms: Vec<Arm>,
}

/// Cores, memory and kernel.
fn machine() -> (usize, u64, String) {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    (cores, kib / 1024, rustix::system::uname().release().to_string_lossy().into_owned())
}

impl Arm {
    /// Adds a round.
    pub fn add(&mut self, other: Self) {
        self.name = other.name;
        self.kills += other.kills;
        self.stops += other.stops;
        self.points += other.points;
        self.blocks += other.blocks;
        self.events += other.events;
        self.difference.lost += other.difference.lost;
        self.difference.doubled += other.difference.doubled;
        self.difference.told.extend(other.difference.told);
    }
}

impl Report {
    /// Why the campaign has not shown what it must; empty where it has.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures = self.wrong.clone();
        for (index, arm) in self.arms.iter().enumerate() {
            let Difference { lost, doubled, told } = &arm.difference;
            if index == 0 && !arm.difference.is_none() {
                failures.push(format!("{}: {lost} lost, {doubled} counted twice", arm.name));
                failures.extend(told.iter().cloned());
            }
            if index > 0 && *lost == 0 && *doubled == 0 {
                failures.push(format!("not strong enough: the control arm {} did not fail", arm.name));
            }
        }
        if self.arms.len() < 3 {
            failures.push("an arm is missing".to_owned());
        }
        failures
    }

    /// The table, for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let (cores, memory_mib, kernel) = machine();
        let mut text = format!(
            "Crash campaign of {}, seed {}: {} s, {} rounds, {} distinct events sent.\n\
             Machine: {cores} cores, {memory_mib} MiB, Linux {kernel}.\n\
             Aggregators stopped at the sending of a commit and woken after others had committed: {}. \
             Rebalances: {}. Lost attempts collected meanwhile: {}. Enumerated points not reached: {}.\n\n\
             | arm | kills | stops | enumerated points | blocks | events | lost | double counted |\n\
             |---|---|---|---|---|---|---|---|\n",
            self.date,
            self.seed,
            self.took.as_secs(),
            self.rounds,
            self.sent,
            self.committed_late,
            self.rebalances,
            self.collected,
            self.missed,
        );
        for arm in &self.arms {
            let Difference { lost, doubled, .. } = &arm.difference;
            let Arm { name, kills, stops, points, blocks, events, .. } = arm;
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "| {name} | {kills} | {stops} | {points} | {blocks} | {events} | {lost} | {doubled} |"
            );
        }
        let failures = self.failures();
        text.push_str(if failures.is_empty() { "\nPassed.\n" } else { "\nFAILED:\n" });
        for failure in failures {
            let _ = writeln!(text, "- {failure}");
        }
        text
    }

    /// The same, for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let (cores, memory_mib, kernel) = machine();
        let arms = self.arms.iter().map(|arm| {
            json!({
                "arm": arm.name, "kills": arm.kills, "stops": arm.stops, "enumeratedPoints": arm.points,
                "blocks": arm.blocks, "events": arm.events,
                "lost": arm.difference.lost, "doubleCounted": arm.difference.doubled,
            })
        });
        json!({
            "date": self.date, "seed": self.seed, "seconds": self.took.as_secs(), "rounds": self.rounds,
            "sent": self.sent, "missedPoints": self.missed, "committedLate": self.committed_late,
            "rebalances": self.rebalances, "collectedAttempts": self.collected,
            "machine": { "cores": cores, "memoryMib": memory_mib, "kernel": kernel },
            "arms": arms.collect::<Vec<_>>(), "failures": self.failures(),
        })
    }

    /// Writes it: as JSON where the file's name ends so, else as Markdown.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let text = if is_json { serde_json::to_string_pretty(&self.json())? } else { self.markdown() };
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}
