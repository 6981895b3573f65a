//! The kinds of components. Each module holds one formula, says it in its comment, and rounds once.

pub mod metered_energy;
pub mod pool_earnings;
