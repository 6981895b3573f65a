//! Faults of GPUs, as a report lists them.

use crate::gpu::usage::Fault;

/// The most faults of GPUs that a report lists, the first ones; all are counted.
pub const FAULTS_MAX: usize = 1_000;

/// A fault of a machine's GPU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MachineFault {
    /// The fault.
    pub fault: Fault,
    /// The machine.
    pub machine_id: String,
}

/// A machine's faults.
pub(super) fn of_machine(machine_id: &str, faults: &[Fault]) -> Vec<MachineFault> {
    let named = |fault: &Fault| MachineFault { fault: fault.clone(), machine_id: machine_id.to_owned() };
    faults.iter().map(named).collect()
}

/// Adds faults, keeping the first ones.
pub(super) fn keep(kept: &mut Vec<MachineFault>, mut more: Vec<MachineFault>) {
    if more.is_empty() {
        return;
    }
    kept.append(&mut more);
    kept.sort_unstable();
    kept.truncate(FAULTS_MAX);
}
