//! The dated prices that a stretch may need: of the contract's series, those that hold in the stretch, at the
//! period's end and at the instants in the contract.

use std::collections::BTreeMap;

use wb_events::facts;
use wb_rating::PriceFact;
use wb_units::time::boundary_at_or_after;
use wb_units::{Interval, Micros};

use super::UsageReader;
use crate::error::BillerError;
use crate::ports::{FactRow, UsageStore};

/// The source of a price that states none.
const UNNAMED_SOURCE: &str = "not named";

impl<S: UsageStore> UsageReader<'_, S> {
    pub(super) async fn prices(&mut self, period: Interval) -> Result<Vec<PriceFact>, BillerError> {
        let series: Vec<String> = self.needs.series.iter().cloned().collect();
        if series.is_empty() {
            return Ok(Vec::new());
        }
        let mut by_series: BTreeMap<String, Vec<FactRow>> = BTreeMap::new();
        for row in self.store.facts("price", Some(&series), self.cut).await? {
            by_series.entry(row.entity.clone()).or_default().push(row);
        }
        let stretch = self.part.interval;
        let mut instants_us: Vec<Micros> = self.needs.instants_us.iter().copied().collect();
        instants_us.extend([stretch.start_us, period.end_us]);
        let mut prices = Vec::new();
        for (series, mut rows) in by_series {
            rows.sort_by_key(|row| (row.valid_from_us, row.block.partition, row.block.block, row.idx));
            // Of several prices of one instant, the one recorded last holds.
            rows.dedup_by(|later, earlier| {
                let is_same = later.valid_from_us == earlier.valid_from_us;
                if is_same {
                    std::mem::swap(later, earlier);
                }
                is_same
            });
            let from_us: Vec<Micros> =
                rows.iter().map(|row| boundary_at_or_after(row.valid_from_us)).collect();
            let mut is_needed: Vec<bool> = from_us.iter().map(|at_us| stretch.contains(*at_us)).collect();
            for at_us in &instants_us {
                let after = from_us.partition_point(|from_us| from_us <= at_us);
                if let Some(needed) = after.checked_sub(1).and_then(|index| is_needed.get_mut(index)) {
                    *needed = true;
                }
            }
            let needed = rows.into_iter().zip(is_needed).filter(|(_, is_needed)| *is_needed);
            for ((row, _), order) in needed.zip(0_u64..) {
                prices.push(price(&series, &row, order)?);
                self.blocks.insert(row.block);
            }
        }
        Ok(prices)
    }
}

fn price(series: &str, row: &FactRow, order: u64) -> Result<PriceFact, BillerError> {
    let body: facts::Price = serde_json::from_str(&row.body).map_err(|error| BillerError::Fact {
        kind: "price",
        entity: series.to_owned(),
        detail: error.to_string(),
    })?;
    Ok(PriceFact {
        series: series.to_owned(),
        valid_from_us: row.valid_from_us,
        valid_to_us: row.valid_to_us,
        unit: body.unit,
        value: body.value,
        source: body.source.unwrap_or_else(|| UNNAMED_SOURCE.to_owned()),
        order,
    })
}
