//! The topics of the log and which kind of event goes where.

use crate::wire::event::Body;

/// Frames of share events, keyed by share id.
pub const SHARES: &str = "shares";
/// Miner samples, keyed by machine.
pub const TELEMETRY: &str = "telemetry";
/// Register readings, keyed by meter.
pub const ENERGY: &str = "energy";
/// GPU allocations and GPU samples, keyed by node.
pub const GPU: &str = "gpu";
/// Reference facts; one partition, so that facts have one order. Never expires.
pub const REFERENCE: &str = "reference";
/// Which attempt of which block counts; one partition. Never expires.
pub const COMMITS: &str = "commits";
/// What was counted, published from committed blocks; keyed by customer.
pub const USAGE: &str = "usage";
/// What was refused, whole, published from committed blocks; keyed by source.
pub const QUARANTINE: &str = "quarantine";
/// Invoices and everything that happens to them; one partition. Never expires.
pub const LEDGER: &str = "ledger";

/// The topics whose records are frames and whose partitions are folded into blocks.
pub const EVENT_TOPICS: [&str; 5] = [SHARES, TELEMETRY, ENERGY, GPU, REFERENCE];

/// The topic an event body belongs to.
#[must_use]
pub fn of_body(body: &Body) -> &'static str {
    match body {
        Body::Share(_) => SHARES,
        Body::MinerSample(_) => TELEMETRY,
        Body::EnergyReading(_) => ENERGY,
        Body::GpuSpan(_) | Body::GpuSample(_) => GPU,
        Body::Fact(_) => REFERENCE,
    }
}
