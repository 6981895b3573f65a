//! Connects services to adapters, which do not know each other.

pub(crate) mod adapters;
pub(crate) mod backends;
pub(crate) mod figures;
pub(crate) mod keys;
pub(crate) mod services;
pub(crate) mod sources;
pub(crate) mod stack;
pub(crate) mod usage;
pub(crate) mod webhooks;
