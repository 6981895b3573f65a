//! Compares sites' meters with the sum of all machines there, of any customer.
//!
//! Only settlement intervals count in which every site meter covers the whole interval and a machine's witness covers
//! it, too: one side alone shows nothing about the other.

use std::collections::{BTreeMap, BTreeSet};

use wb_metering::billable::{hear, meters};
use wb_metering::energy::witness::Witness;
use wb_metering::report::machine::Rules;
use wb_metering::uptime::Windows;
use wb_rating::SiteEnergy;
use wb_units::time::rfc3339;
use wb_units::{Interval, Micros, SETTLEMENT_INTERVAL_US};

use super::UsageReader;
use super::machines::MACHINES_AT_ONCE;
use crate::error::BillerError;
use crate::ports::UsageStore;

impl<S: UsageStore> UsageReader<'_, S> {
    /// The sites where the contract's machines stood.
    pub(super) async fn sites(&mut self) -> Result<Vec<SiteEnergy>, BillerError> {
        let mut site_ids: BTreeSet<String> = BTreeSet::new();
        for holding in &self.holdings {
            let mut is_known = false;
            for (_, fact) in self.reference.facts.machine(&holding.machine_id, holding.interval) {
                site_ids.insert(fact.body.site_id.clone());
                self.blocks.insert(fact.block.clone());
                is_known = true;
            }
            if !is_known {
                return Err(BillerError::NoMachine {
                    contract_id: self.part.contract.contract_id.clone(),
                    machine_id: holding.machine_id.clone(),
                    what: "the site",
                    at: rfc3339(holding.interval.start_us),
                });
            }
        }
        let mut sites = Vec::with_capacity(site_ids.len());
        for site_id in site_ids {
            let by_site = self.of_site_meters(&site_id).await?;
            if by_site.is_empty() {
                continue;
            }
            let by_machines = self.of_site_machines(&site_id).await?;
            let both = by_site.iter().filter_map(|(at_us, site)| Some((site, by_machines.get(at_us)?)));
            let (mut site_mwh, mut machines_mwh) = (0_u128, 0_u128);
            for (site, machines) in both {
                site_mwh = site_mwh.saturating_add(*site);
                machines_mwh = machines_mwh.saturating_add(*machines);
            }
            sites.push(SiteEnergy { site_id, site_mwh, machines_mwh });
        }
        Ok(sites)
    }

    /// What the site's meters measured, in the intervals that all of them cover.
    async fn of_site_meters(&mut self, site_id: &str) -> Result<BTreeMap<Micros, u128>, BillerError> {
        let stretch = self.part.interval;
        // Meter, and the entity at its place.
        let mut of_site: BTreeSet<(String, String)> = BTreeSet::new();
        for fact in &self.reference.facts.meters {
            if fact.body.site_id == site_id && fact.interval.intersect(&stretch).is_some() {
                of_site.insert((fact.entity.clone(), fact.body.machine_id.clone()));
                self.blocks.insert(fact.block.clone());
            }
        }
        let rules = self.rules();
        let mut slots: BTreeMap<Micros, (u128, usize)> = BTreeMap::new();
        for (meter_id, machine_id) in &of_site {
            let mut records = self.empty_records(std::slice::from_ref(machine_id));
            self.add_registers(std::slice::from_ref(machine_id), &mut records).await?;
            let Some(record) = records.get(machine_id) else { continue };
            let mut meters = meters(record, &Windows::default(), &rules, stretch);
            meters.retain(|meter| meter.meter_id == *meter_id);
            let heard = hear(&meters, &[Witness::Meter], stretch);
            let mut of_meter: BTreeMap<Micros, (u128, i64)> = BTreeMap::new();
            for part in &heard.parts {
                let slot = of_meter.entry(part.slot_us).or_default();
                slot.0 = slot.0.saturating_add(part.energy_mwh);
                slot.1 += part.interval.duration_us();
            }
            for (slot_us, (energy_mwh, covered_us)) in of_meter {
                if covered_us == SETTLEMENT_INTERVAL_US {
                    let slot = slots.entry(slot_us).or_default();
                    slot.0 = slot.0.saturating_add(energy_mwh);
                    slot.1 += 1;
                }
            }
        }
        let whole = slots.into_iter().filter(|(_, (_, spoke))| *spoke == of_site.len());
        Ok(whole.map(|(slot_us, (energy_mwh, _))| (slot_us, energy_mwh)).collect())
    }

    /// What the machines at the site used, by their best witnesses.
    async fn of_site_machines(&mut self, site_id: &str) -> Result<BTreeMap<Micros, u128>, BillerError> {
        let stretch = self.part.interval;
        let at_meters: BTreeSet<&str> =
            self.reference.facts.meters.iter().map(|fact| fact.body.machine_id.as_str()).collect();
        let mut standing: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
        for (machine_id, facts) in &self.reference.facts.machines {
            // A site's meter is not a machine.
            if at_meters.contains(machine_id.as_str()) {
                continue;
            }
            for fact in facts.iter().filter(|fact| fact.body.site_id == site_id) {
                if let Some(interval) = fact.interval.intersect(&stretch) {
                    standing.entry(machine_id.clone()).or_default().push(interval);
                    self.blocks.insert(fact.block.clone());
                }
            }
        }
        let ids: Vec<String> = standing.keys().cloned().collect();
        let mut sums: BTreeMap<Micros, u128> = BTreeMap::new();
        let rules = Rules { order: self.site_order(), ..self.rules() };
        for chunk in ids.chunks(MACHINES_AT_ONCE) {
            let mut records = self.empty_records(chunk);
            self.add_registers(chunk, &mut records).await?;
            self.add_samples(chunk, &mut records, &rules).await?;
            for (machine_id, record) in &records {
                let meters = meters(record, &Windows::default(), &rules, stretch);
                for interval in standing.get(machine_id).into_iter().flatten() {
                    for (slot_us, energy_mwh) in hear(&meters, &rules.order, *interval).slices() {
                        let sum = sums.entry(slot_us).or_default();
                        *sum = sum.saturating_add(energy_mwh);
                    }
                }
            }
        }
        Ok(sums)
    }

    /// The contract's witnesses without the nameplate, because losses must be measured.
    fn site_order(&self) -> Vec<Witness> {
        let order = self.rules().order;
        order.into_iter().filter(|witness| *witness != Witness::Nameplate).collect()
    }
}
