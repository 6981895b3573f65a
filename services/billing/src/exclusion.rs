//! Usage that was accepted and is not billed, with the reason.

use std::collections::BTreeMap;

use wb_metering::gpu::allocation::Allocation;
use wb_rating::{Contract, GpuSpan, Metered, RatedStretch};
use wb_units::{Currency, Interval, Micros, Money};

/// How many exclusions of a bill are listed; the rest is counted.
pub(crate) const EXCLUSIONS_MAX: usize = 1_000;

/// An allocation of a node under the contract that its bill leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// The allocation.
    pub allocation_id: String,
    /// Its node.
    pub node_id: String,
    /// Why it is not billed.
    pub reason: String,
    /// The time that is left out.
    pub interval: Interval,
    /// GPUs or slices that it would count; 0 where that is not known.
    pub gpus: u32,
    /// By how much the bill would be higher with it, in the first currency that would change; `None` where the contract
    /// puts no price on it, or where it contradicts what is billed.
    pub would_be: Option<Money>,
    /// The slices' profile; empty for whole GPUs.
    pub(crate) profile: String,
    /// Whether rating reads its time, and puts no price on it.
    pub(crate) is_read: bool,
    /// What rating would read.
    span: Option<GpuSpan>,
    /// The stretch of the bill that it would be in.
    stretch: usize,
}

impl Exclusion {
    /// The part of an allocation in a time; none where it does not touch it.
    pub(crate) fn of(
        allocation: &Allocation,
        reason: &str,
        within: Interval,
        span: Option<GpuSpan>,
    ) -> Option<Self> {
        let end_us = allocation.end_us.unwrap_or(Micros::MAX);
        let interval = Interval { start_us: allocation.start_us, end_us }.intersect(&within)?;
        Some(Self {
            allocation_id: allocation.allocation_id.clone(),
            node_id: allocation.node_id.clone(),
            reason: reason.to_owned(),
            interval,
            gpus: span.as_ref().map_or(0, |span| span.gpus),
            would_be: None,
            profile: span.as_ref().map(|span| span.profile.clone()).unwrap_or_default(),
            is_read: false,
            span,
            stretch: 0,
        })
    }

    /// A span that no component bills.
    pub(crate) fn without_price(span: &GpuSpan, within: Interval) -> Option<Self> {
        let end_us = span.end_us.unwrap_or(Micros::MAX);
        let interval = Interval { start_us: span.start_us, end_us }.intersect(&within)?;
        let what = match span.profile.as_str() {
            "" => "whole GPUs".to_owned(),
            profile => format!("GPU slices {profile}"),
        };
        Some(Self {
            allocation_id: span.allocation_id.clone(),
            node_id: span.device.split('/').next().unwrap_or_default().to_owned(),
            reason: format!("no component of the contract bills {what}"),
            interval,
            gpus: span.gpus,
            would_be: None,
            profile: span.profile.clone(),
            is_read: true,
            span: None,
            stretch: 0,
        })
    }
}

/// The accepted usage that a bill leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// At most the first 1,000.
    pub listed: Vec<Exclusion>,
    /// How many there are beside those.
    pub more: usize,
    /// GPU time of all of them, in microseconds, by node, profile, reason and whether rating reads it.
    pub(crate) gpu_us: BTreeMap<(String, String, String, bool), u128>,
}

impl Exclusions {
    /// Adds those of a stretch of the bill.
    pub(crate) fn add(&mut self, stretch: usize, found: Vec<Exclusion>) {
        for one in &found {
            let key = (one.node_id.clone(), one.profile.clone(), one.reason.clone(), one.is_read);
            let length_us = u128::from(one.interval.end_us.abs_diff(one.interval.start_us));
            let sum = self.gpu_us.entry(key).or_default();
            *sum = sum.saturating_add(length_us.saturating_mul(u128::from(one.gpus)));
        }
        let room = EXCLUSIONS_MAX.saturating_sub(self.listed.len());
        self.more = self.more.saturating_add(found.len().saturating_sub(room));
        self.listed.extend(found.into_iter().take(room).map(|one| Exclusion { stretch, ..one }));
    }

    /// With what the bill would have cost more with each of them.
    pub(crate) fn estimated(mut self, stretches: &[RatedStretch]) -> Self {
        for (place, stretch) in stretches.iter().enumerate() {
            let is_own = |one: &Exclusion| one.stretch == place && one.span.is_some();
            if !self.listed.iter().any(is_own) {
                continue;
            }
            let Some(without) = totals(stretch) else { continue };
            let mut with = stretch.clone();
            for one in self.listed.iter_mut().filter(|one| is_own(one)) {
                with.usage.gpu_spans.extend(one.span.clone());
                one.would_be = totals(&with).and_then(|with| first_difference(&without, with));
                with.usage.gpu_spans.pop();
            }
        }
        self
    }
}

/// The sums of a stretch's lines by currency, in minor units; `None` if it cannot be rated.
pub(crate) fn totals(stretch: &RatedStretch) -> Option<BTreeMap<Currency, i128>> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for line in stretch.rate().ok()? {
        let sum = sums.entry(line.amount.currency).or_default();
        *sum = sum.checked_add(line.amount.minor)?;
    }
    Some(sums)
}

/// By how much a sum is higher, in the first currency that differs.
pub(crate) fn first_difference(
    without: &BTreeMap<Currency, i128>,
    with: BTreeMap<Currency, i128>,
) -> Option<Money> {
    with.into_iter().find_map(|(currency, minor)| {
        let more = minor.checked_sub(without.get(&currency).copied().unwrap_or(0))?;
        (more != 0).then_some(Money { minor: more, currency })
    })
}

/// The spans of a stretch that the contract puts no price on.
pub(crate) fn without_price(contract: &Contract, spans: &[GpuSpan], within: Interval) -> Vec<Exclusion> {
    let billing = contract.usage_billing();
    let is_billed =
        |metered: &Metered| billing.iter().any(|of| of.metered == *metered && !of.billed_by.is_empty());
    let metered = |span: &GpuSpan| match span.profile.as_str() {
        "" => Metered::GpuTime,
        profile => Metered::SliceTime(profile.to_owned()),
    };
    let unbilled = spans.iter().filter(|span| !is_billed(&metered(span)));
    unbilled.filter_map(|span| Exclusion::without_price(span, within)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_list_is_counted() {
        let span = GpuSpan {
            allocation_id: "a".to_owned(),
            device: "n/0".to_owned(),
            profile: "2g.20gb".to_owned(),
            gpus: 1,
            start_us: 0,
            end_us: None,
        };
        let one = Exclusion::without_price(&span, Interval { start_us: 5, end_us: 9 }).unwrap();
        assert_eq!((one.node_id.as_str(), one.interval.start_us, one.interval.end_us), ("n", 5, 9));
        let mut found = Exclusions::default();
        found.add(0, vec![one.clone(); EXCLUSIONS_MAX - 1]);
        assert_eq!((found.listed.len(), found.more), (EXCLUSIONS_MAX - 1, 0));
        found.add(1, vec![one; 4]);
        assert_eq!((found.listed.len(), found.more), (EXCLUSIONS_MAX, 3));
    }
}
