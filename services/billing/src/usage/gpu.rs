//! GPU allocations with their whole history under the contract, and the availability of GPUs.

use std::collections::{BTreeMap, BTreeSet};

use wb_metering::billable::allocations;
use wb_metering::gpu::allocation::{Allocation, Share};
use wb_metering::report::machine::Record;
use wb_rating::{GpuAvailability, GpuOutage, GpuSpan};
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros};

use super::UsageReader;
use super::machines::MACHINES_AT_ONCE;
use crate::error::BillerError;
use crate::exclusion::Exclusion;
use crate::ports::UsageStore;
use crate::reference::Mapped;

/// Why a fraction of a GPU is not billed.
const FRACTION: &str = "a fraction of a GPU that is no slice has no price";

impl<S: UsageStore> UsageReader<'_, S> {
    pub(super) async fn add_allocations(
        &mut self,
        ids: &[String],
        within: Interval,
        records: &mut BTreeMap<String, Record>,
    ) -> Result<(), BillerError> {
        for found in self.store.allocations(ids, within, self.cut).await? {
            if let Some(record) = records.get_mut(&found.row.span.node_id) {
                record.spans.push(found.row);
                self.blocks.insert(found.block);
            }
        }
        Ok(())
    }

    /// Every allocation that touches the stretch, from its beginning: what of it is billed to the contract, by its
    /// account or by the time in which its node was under the contract, also before the stretch.
    ///
    /// Where a reservation covers allocations, also those that shared time with them before the stretch: which of them
    /// were covered then decides how the time of the others was rounded.
    pub(super) async fn gpu_spans(&mut self) -> Result<Vec<GpuSpan>, BillerError> {
        let stretch = self.part.interval;
        let spans = self.gpu_spans_within(stretch).await?;
        let first_us = spans.iter().map(|span| span.start_us).min().unwrap_or(stretch.start_us);
        if !self.needs.gpu_coverage || first_us >= stretch.start_us {
            return Ok(spans);
        }
        self.gpu_spans_within(Interval { start_us: first_us, ..stretch }).await
    }

    async fn gpu_spans_within(&mut self, within: Interval) -> Result<Vec<GpuSpan>, BillerError> {
        let so_far = Interval { start_us: Micros::MIN, end_us: self.part.interval.end_us };
        let mut held: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
        for (holding, block) in self.reference.holdings(&self.part.contract, so_far)? {
            held.entry(holding.machine_id).or_default().push(holding.interval);
            self.blocks.insert(block.clone());
        }
        let (mut spans, mut excluded) = (Vec::new(), Vec::new());
        let touches = |held: &&Vec<Interval>| held.iter().any(|held| held.intersect(&within).is_some());
        let mut nodes: BTreeSet<String> =
            held.iter().filter(|(_, held)| touches(held)).map(|(node_id, _)| node_id.clone()).collect();
        let accounts = self.reference.accounts_of(&self.part.contract, within)?;
        if !accounts.is_empty() {
            let accounts: Vec<String> = accounts.into_iter().collect();
            nodes.extend(self.store.nodes_of_accounts(&accounts, within, self.cut).await?);
        }
        let nodes: Vec<String> = nodes.into_iter().collect();
        for ids in nodes.chunks(MACHINES_AT_ONCE) {
            let mut records = self.empty_records(ids);
            self.add_allocations(ids, within, &mut records).await?;
            for (node_id, record) in &records {
                let held = held.get(node_id).cloned().map(Interval::union).unwrap_or_default();
                let (found, refused) = allocations(record, within);
                for allocation in &found {
                    let own = self.own(allocation, &held, so_far);
                    spans.extend(own.iter().filter_map(span));
                }
                let fractions = found.iter().filter(|one| matches!(one.share, Share::Fraction { .. }));
                let fractions = fractions.map(|one| (one, FRACTION));
                let refused = refused.iter().map(|(one, why)| (one, why.as_str()));
                for (allocation, why) in refused.chain(fractions) {
                    let stretch = self.part.interval;
                    let own = self.own(allocation, &held, stretch);
                    excluded
                        .extend(own.iter().filter_map(|part| Exclusion::of(part, why, stretch, span(part))));
                }
            }
        }
        self.excluded = excluded;
        Ok(spans)
    }

    /// The parts of an allocation within a time that are billed to the contract: see [`Accounts`]. `node_held` are the
    /// times for which its node was under the contract. The facts that decide are evidence, also those of another
    /// contract's account.
    ///
    /// [`Accounts`]: wb_metering::gpu::accounts::Accounts
    fn own(&mut self, allocation: &Allocation, node_held: &[Interval], within: Interval) -> Vec<Allocation> {
        let contract_id = &self.part.contract.contract_id;
        let is_own = |mapped: &Mapped| mapped.body.contract_id == *contract_id;
        let accounts = &self.reference.accounts;
        let end_us = allocation.end_us.unwrap_or(Micros::MAX);
        let time = Interval { start_us: allocation.start_us, end_us }.intersect(&within);
        for held in accounts.of(&allocation.account) {
            if time.is_some_and(|time| time.intersect(&held.interval).is_some()) {
                self.blocks.insert(held.body.block.clone());
            }
        }
        let parts = accounts.parts_of(allocation, node_held, is_own).into_iter();
        parts.filter_map(|part| part.within(within)).collect()
    }

    /// GPU time of the nodes under the contract, and what of it outages left; and the outages.
    pub(super) fn gpu_availability(&mut self) -> Result<(Vec<GpuAvailability>, Vec<GpuOutage>), BillerError> {
        let mut outages = Vec::new();
        let mut by_node: BTreeMap<&str, (u128, u128)> = BTreeMap::new();
        for holding in &self.holdings {
            let facts = &self.reference.facts;
            let mut covered_us = holding.interval.start_us;
            for (interval, fact) in facts.machine(&holding.machine_id, holding.interval) {
                self.blocks.insert(fact.block.clone());
                if interval.start_us <= covered_us {
                    covered_us = covered_us.max(interval.end_us);
                }
                let Some(gpus) = fact.body.gpus else { continue };
                let sums = by_node.entry(&holding.machine_id).or_default();
                let promised_us = u128::from(gpus) * u128::from(interval.end_us.abs_diff(interval.start_us));
                let mut lost = Vec::new();
                for outage in facts.outages.iter().filter(|o| o.body.machine_id == holding.machine_id) {
                    if let Some(part) = outage.interval.intersect(&interval) {
                        lost.push((part, outage.body.gpus.unwrap_or(gpus)));
                        self.blocks.insert(outage.block.clone());
                    }
                }
                sums.0 += promised_us;
                for (interval, down) in down(&lost, gpus) {
                    sums.1 += u128::from(down) * u128::from(interval.end_us.abs_diff(interval.start_us));
                    outages.push(GpuOutage {
                        node_id: holding.machine_id.clone(),
                        start_us: interval.start_us,
                        end_us: interval.end_us,
                        gpus: down,
                    });
                }
            }
            if covered_us < holding.interval.end_us {
                return Err(BillerError::NoMachine {
                    contract_id: self.part.contract.contract_id.clone(),
                    machine_id: holding.machine_id.clone(),
                    what: "the number of GPUs",
                    at: rfc3339(covered_us),
                });
            }
        }
        let group = |(node, (promised_us, lost_us)): (&str, (u128, u128))| GpuAvailability {
            node_id: node.to_owned(),
            promised_us,
            available_us: promised_us.saturating_sub(lost_us),
        };
        Ok((by_node.into_iter().map(group).collect(), outages))
    }
}

/// How many GPUs were down when; of outages at one time no more than there are GPUs.
fn down(outages: &[(Interval, u32)], gpus: u32) -> Vec<(Interval, u32)> {
    let mut edges: Vec<Micros> =
        outages.iter().flat_map(|(interval, _)| [interval.start_us, interval.end_us]).collect();
    edges.sort_unstable();
    edges.dedup();
    let down = edges.windows(2).filter_map(|pair| {
        let [start_us, end_us] = *pair else { return None };
        let at = outages.iter().filter(|(interval, _)| interval.contains(start_us));
        let down: u64 = at.map(|(_, gpus)| u64::from(*gpus)).sum();
        let down = u32::try_from(down).map_or(gpus, |down| down.min(gpus));
        (down > 0).then_some((Interval { start_us, end_us }, down))
    });
    down.collect()
}

/// An allocation for rating. The device includes its node, so an allocation on several nodes counts node by node.
fn span(allocation: &Allocation) -> Option<GpuSpan> {
    let (profile, gpus) = match &allocation.share {
        Share::Whole { gpus } => (String::new(), *gpus),
        Share::Mig { profile, .. } => (format!("{}g.{}gb", profile.compute_slices, profile.memory_gb), 1),
        // Rows have no part of a GPU's time, and a fraction is not a whole GPU.
        Share::Fraction { .. } => return None,
    };
    let device = match allocation.device.as_str() {
        "" => allocation.node_id.clone(),
        device => format!("{}/{device}", allocation.node_id),
    };
    Some(GpuSpan {
        allocation_id: allocation.allocation_id.clone(),
        device,
        profile,
        gpus,
        start_us: allocation.start_us,
        end_us: allocation.end_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_at_one_time_lose_no_more_than_there_is() {
        let outage = |start_us, end_us, gpus| (Interval { start_us, end_us }, gpus);
        for (outages, expected) in [
            (vec![], vec![]),
            (vec![outage(0, 10, 8)], vec![outage(0, 10, 8)]),
            (
                vec![outage(0, 10, 3), outage(5, 15, 2)],
                vec![outage(0, 5, 3), outage(5, 10, 5), outage(10, 15, 2)],
            ),
            (
                vec![outage(0, 10, 8), outage(5, 15, 2)],
                vec![outage(0, 5, 8), outage(5, 10, 8), outage(10, 15, 2)],
            ),
            (vec![outage(0, 10, 99), outage(20, 30, 1)], vec![outage(0, 10, 8), outage(20, 30, 1)]),
        ] {
            assert_eq!(down(&outages, 8), expected, "{outages:?}");
        }
    }
}
