//! The table for people, the line for later comparison.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::floor::Floor;
use crate::stack::CommittedBlock;

/// Everything a run has measured.
pub(crate) struct Report {
    pub(crate) events: u64,
    pub(crate) senders: usize,
    pub(crate) batch: usize,
    /// From the first request to the last acknowledgement.
    pub(crate) acknowledged: Duration,
    /// From the first request until everything is committed.
    pub(crate) committed: Duration,
    /// How long each request took, in rising order.
    pub(crate) requests_us: Vec<u64>,
    /// CPU of each process while nothing was sent, in microseconds.
    pub(crate) idle: BTreeMap<&'static str, u64>,
    pub(crate) idle_time: Duration,
    /// CPU of each process from the first request until everything is committed, in microseconds.
    pub(crate) spent: BTreeMap<&'static str, u64>,
    pub(crate) kafka_bytes: u64,
    pub(crate) body_bytes: u64,
    pub(crate) blocks: Vec<CommittedBlock>,
    pub(crate) floor: Floor,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A quotient with two digits after the point; nothing divided by nothing is nothing.
fn ratio(dividend: u64, divisor: u64) -> String {
    let hundredths = u128::from(dividend) * 100 / u128::from(divisor.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn seconds(us: u64) -> String {
    ratio(us, 1_000_000)
}

impl Report {
    fn per_second(&self, time_us: u64) -> u64 {
        u64::try_from(u128::from(self.events) * 1_000_000 / u128::from(time_us.max(1))).unwrap_or(u64::MAX)
    }

    /// CPU microseconds of a process for a million events.
    fn per_million(&self, us: u64) -> u64 {
        u64::try_from(u128::from(us) * 1_000_000 / u128::from(self.events.max(1))).unwrap_or(u64::MAX)
    }

    fn request_us(&self, hundredth: usize) -> u64 {
        let last = self.requests_us.len().saturating_sub(1);
        self.requests_us.get(last * hundredth / 100).copied().unwrap_or(0)
    }

    /// How many blocks, and their sums.
    fn steps(&self) -> (usize, CommittedBlock) {
        let mut sum = CommittedBlock::default();
        for block in &self.blocks {
            sum.events += block.events;
            sum.fold_us += block.fold_us;
            sum.write_us += block.write_us;
            sum.verify_us += block.verify_us;
            sum.name_us += block.name_us;
        }
        (self.blocks.len(), sum)
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_table(&mut text);
        text
    }

    fn write_table(&self, text: &mut String) -> std::fmt::Result {
        let (acknowledged_us, committed_us) = (micros(self.acknowledged), micros(self.committed));
        writeln!(
            text,
            "{} shares, {} a request, {} senders, {} CPUs\n",
            self.events,
            self.batch,
            self.senders,
            std::thread::available_parallelism().map_or(0, usize::from)
        )?;
        writeln!(text, "{:<34}{:>10}{:>14}", "", "seconds", "events/s")?;
        for (what, us) in [("all acknowledged", acknowledged_us), ("all committed", committed_us)] {
            writeln!(text, "{what:<34}{:>10}{:>14}", seconds(us), self.per_second(us))?;
        }
        let (p50, p99) = (self.request_us(50), self.request_us(99));
        writeln!(text, "a request, median and 99 %: {} ms, {} ms\n", p50 / 1_000, p99 / 1_000)?;

        writeln!(text, "{:<34}{:>10}{:>14}", "CPU", "idle, %", "s per million")?;
        let mut total = 0;
        for (name, us) in &self.spent {
            let idle = self.idle.get(name).copied().unwrap_or(0) * 100;
            let idle = ratio(idle, micros(self.idle_time));
            writeln!(text, "{name:<34}{idle:>10}{:>14}", seconds(self.per_million(*us)))?;
            total += if *name == "bench" { 0 } else { *us };
        }
        writeln!(text, "{:<34}{:>10}{:>14}\n", "all without bench", "", seconds(self.per_million(total)))?;

        let (blocks, sum) = self.steps();
        writeln!(text, "{:<34}{:>10}{:>14}", "steps of blocks", "seconds", "us per event")?;
        for (what, us) in
            [("fold", sum.fold_us), ("write", sum.write_us), ("verify", sum.verify_us), ("name", sum.name_us)]
        {
            writeln!(text, "{what:<34}{:>10}{:>14}", seconds(us), ratio(us, sum.events))?;
        }
        writeln!(
            text,
            "{blocks} blocks of {} events on average; verify and name are {} of the write\n",
            sum.events / u64::try_from(blocks.max(1)).unwrap_or(1),
            ratio(sum.verify_us + sum.name_us, sum.write_us),
        )?;

        writeln!(text, "{:<34}{:>10}{:>14}", "floor, one thread in memory", "seconds", "us per event")?;
        let floor = &self.floor;
        for (what, time) in [
            ("decode bodies", floor.decode),
            ("open frames", floor.frames),
            ("fold", floor.fold),
            ("rows", floor.rows),
            ("all", floor.total()),
        ] {
            let us = micros(time);
            writeln!(text, "{what:<34}{:>10}{:>14}", seconds(us), ratio(us, self.events))?;
        }
        let floor_us = micros(floor.total());
        writeln!(
            text,
            "the stack's CPU is {} times the floor's, its time to name {} times",
            ratio(total, floor_us),
            ratio(committed_us, floor_us)
        )?;
        writeln!(
            text,
            "bytes an event: {} in the request, {} in Kafka",
            ratio(self.body_bytes, self.events),
            ratio(self.kafka_bytes, self.events)
        )
    }

    /// The line.
    pub(crate) fn json(&self) -> Value {
        let (blocks, sum) = self.steps();
        let per_million: BTreeMap<_, _> =
            self.spent.iter().map(|(name, us)| (*name, self.per_million(*us))).collect();
        json!({
            "events": self.events,
            "batch": self.batch,
            "senders": self.senders,
            "acknowledged_us": micros(self.acknowledged),
            "committed_us": micros(self.committed),
            "acknowledged_events_s": self.per_second(micros(self.acknowledged)),
            "committed_events_s": self.per_second(micros(self.committed)),
            "request_p50_us": self.request_us(50),
            "request_p99_us": self.request_us(99),
            "cpu_us_per_million_events": per_million,
            "idle_cpu_us": self.idle,
            "idle_us": micros(self.idle_time),
            "blocks": blocks,
            "fold_us": sum.fold_us,
            "write_us": sum.write_us,
            "verify_us": sum.verify_us,
            "name_us": sum.name_us,
            "floor_decode_us": micros(self.floor.decode),
            "floor_frames_us": micros(self.floor.frames),
            "floor_fold_us": micros(self.floor.fold),
            "floor_rows_us": micros(self.floor.rows),
            "body_bytes": self.body_bytes,
            "kafka_bytes": self.kafka_bytes,
        })
    }
}
