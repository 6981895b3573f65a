//! What the processes have spent, as Linux counts it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::stack::Stack;

/// The unit of the times in `/proc/PID/stat` is 1/100 s on every Linux architecture (proc(5), USER_HZ).
const TICK_US: u64 = 10_000;

/// CPU time of each process since its start, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Usage(BTreeMap<&'static str, u64>);

impl Usage {
    /// Reads all processes of the stack, and this one as `bench`.
    pub(crate) fn read(stack: &Stack) -> Result<Self> {
        let mut all = BTreeMap::from([("bench", cpu_us(std::process::id())?)]);
        for (name, pid) in stack.pids() {
            all.insert(name, cpu_us(pid).with_context(|| format!("reading what {name} has spent"))?);
        }
        Ok(Self(all))
    }

    /// What was spent since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<&'static str, u64> {
        let less = |name: &str| earlier.0.get(name).copied().unwrap_or(0);
        self.0.iter().map(|(name, us)| (*name, us.saturating_sub(less(name)))).collect()
    }
}

/// User and system time of a process with all its threads.
fn cpu_us(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name may hold spaces and brackets; after its last bracket the fields are plain.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has no command")?;
    let mut times = fields.split_whitespace().skip(11).take(2);
    let mut next = || anyhow::Ok(times.next().context("/proc/PID/stat is too short")?.parse::<u64>()?);
    Ok((next()? + next()?) * TICK_US)
}
