//! What dated policies decided about the sources behind a bill.

/// A source of a contract of which events came late, or are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByPolicy {
    /// The machine.
    pub machine_id: String,
    /// The meter; `None` for the machine's own samples.
    pub meter_id: Option<String>,
    /// Events that its policy leaves out.
    pub left_out: u64,
    /// Slots in which something was expected, by how often it must send.
    pub expected: u64,
    /// Of them, those with an event that is not left out.
    pub received: u64,
    /// Of those, where all of it came late.
    pub late: u64,
    /// Of the others, those whose amount follows from a register that went on.
    pub estimated: u64,
}
