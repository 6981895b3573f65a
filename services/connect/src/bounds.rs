//! How much a connector takes at once.

/// Exporters that one connector scrapes.
pub const URLS_MAX: usize = 10_000;
/// Recordings that are read at once.
pub const FILES_MAX: usize = 20_000;
/// Addresses that one collector polls: what it gets round in a minute at 5 s for those that are silent.
pub const TARGETS_MAX: usize = 65_536;
