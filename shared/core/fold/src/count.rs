//! The counts of a block, and the law that they add up.

use std::collections::BTreeMap;

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdict: &'static str,
    pub(crate) reason: &'static str,
}

impl Outcome {
    pub(crate) const ACCEPTED: &'static str = "accepted";
    pub(crate) const DUPLICATE: &'static str = "duplicate";
    pub(crate) const REJECTED: &'static str = "rejected";

    pub(crate) fn accepted() -> Self {
        Self { verdict: Self::ACCEPTED, reason: "" }
    }

    pub(crate) fn duplicate() -> Self {
        Self { verdict: Self::DUPLICATE, reason: "" }
    }

    pub(crate) fn rejected(reason: &'static str) -> Self {
        Self { verdict: Self::REJECTED, reason }
    }
}

/// Counts by verdict and reason. `accepted + duplicate + rejected = events` holds by construction, and the aggregator
/// checks it again before it commits the block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    by_verdict: BTreeMap<(&'static str, &'static str), u64>,
    events: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        *self.by_verdict.entry((outcome.verdict, outcome.reason)).or_default() += 1;
        self.events += 1;
    }

    /// Events in the block.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    fn of(&self, wanted: &str) -> u64 {
        self.by_verdict.iter().filter(|((verdict, _), _)| *verdict == wanted).map(|(_, events)| events).sum()
    }

    /// Events that count.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.of(Outcome::ACCEPTED)
    }

    /// Repeats of what came before.
    #[must_use]
    pub fn duplicate(&self) -> u64 {
        self.of(Outcome::DUPLICATE)
    }

    /// Events that were refused.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.of(Outcome::REJECTED)
    }

    /// Counts by (verdict, reason), in their order.
    pub fn by_verdict(&self) -> impl Iterator<Item = ((&'static str, &'static str), u64)> {
        self.by_verdict.iter().map(|(key, events)| (*key, *events))
    }

    /// The conservation law of a block.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.accepted() + self.duplicate() + self.rejected() == self.events
    }
}
