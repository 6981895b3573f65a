//! Usage that was accepted and is not billed, with the reason.

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
    /// What rating would read.
    pub(crate) span: Option<GpuSpan>,
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
            span,
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
            span: None,
        })
    }

    /// What a stretch would have cost more with the excluded allocation.
    pub(crate) fn estimated(mut self, stretch: &RatedStretch, contract: &Contract) -> Self {
        self.would_be = self.span.as_ref().and_then(|span| {
            let mut with = stretch.clone();
            with.usage.gpu_spans.push(span.clone());
            let totals = |stretch: &RatedStretch| -> Option<std::collections::BTreeMap<Currency, i128>> {
                let mut sums = std::collections::BTreeMap::new();
                for line in stretch.rate_by(contract).ok()? {
                    let sum: &mut i128 = sums.entry(line.amount.currency).or_default();
                    *sum = sum.checked_add(line.amount.minor)?;
                }
                Some(sums)
            };
            let (without, with) = (totals(stretch)?, totals(&with)?);
            with.into_iter().find_map(|(currency, minor)| {
                let more = minor.checked_sub(without.get(&currency).copied().unwrap_or(0))?;
                (more != 0).then_some(Money { minor: more, currency })
            })
        });
        self
    }
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
