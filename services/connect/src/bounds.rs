//! Limits of connectors.

/// The most exporters of one connector.
pub const URLS_MAX: usize = 10_000;
/// The most recordings that are checked at once.
pub const FILES_MAX: usize = 20_000;
/// The most addresses of one connector: it polls them within a minute even if all time out after 5 s.
pub const TARGETS_MAX: usize = 65_536;
