//! Metered energy at one price.
//!
//! ```text
//! amount = half_even( sum of energy_mwh x price_scaled x 10^currency places
//!                     ----------------------------------------------------- )   minor units
//!                                10^6 x 10^price places
//! ```
//!
//! `energy_mwh` is in thousandths of a watt-hour, of which a kilowatt-hour has 10^6; the price is the
//! contract's decimal text at the places it was written with. Meters are added first, the sum is
//! rounded once.

use std::collections::BTreeMap;

use crate::components::common::unit_price;
use crate::error::{ContractError, RatingError};
use crate::fields::{Decimal, Fields, Head};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};
use crate::text::scaled_decimal;
use wb_units::rounding::split_largest_remainder;

/// Decimal places between a thousandth of a watt-hour and a kilowatt-hour.
const KWH_PLACES: usize = 6;

/// Terms of metered energy at one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// The price of a kilowatt-hour.
    pub unit_price: Decimal,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let unit_price = unit_price(fields, head.currency, "kWh")?;
        Ok(Self { head, unit_price })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let mut meters: BTreeMap<(&str, &str, &str), (u128, u64, u64)> = BTreeMap::new();
        for group in &scope.usage.energy {
            let entry = meters.entry((&group.machine_id, &group.meter_id, &group.witness)).or_default();
            entry.0 = entry.0.checked_add(group.energy_mwh).ok_or_else(|| scope.overflow("energy"))?;
            entry.1 = entry.1.saturating_add(group.resets);
            entry.2 = entry.2.saturating_add(group.unknown_us);
        }
        let mut inputs: Vec<Input> = meters
            .iter()
            .map(|((machine_id, meter_id, witness), (energy_mwh, resets, unknown_us))| {
                input([
                    ("machine_id", (*machine_id).to_owned()),
                    ("meter_id", (*meter_id).to_owned()),
                    ("witness", (*witness).to_owned()),
                    ("energy_kwh", scaled_decimal(*energy_mwh, KWH_PLACES)),
                    ("resets", resets.to_string()),
                    ("unknown_us", unknown_us.to_string()),
                ])
            })
            .collect();
        inputs.extend(witness_shares(&meters));
        let quantity = scope.metered_kwh()?;
        let amount = quantity.times(self.unit_price.value).ok_or_else(|| scope.overflow("amount"))?;
        let price = format!("{} {}/kWh", self.unit_price.text, self.head.currency.code());
        let draft = Draft {
            description: "Metered energy".to_owned(),
            quantity,
            unit: "kWh".to_owned(),
            formula: format!("sum of energy_kwh x {price}"),
            unit_price: price,
            amount,
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "metered_energy", draft)?])
    }
}

/// How much of the energy comes from each witness, where there are several; tenths of a percent that sum to a
/// hundred.
fn witness_shares(meters: &BTreeMap<(&str, &str, &str), (u128, u64, u64)>) -> Vec<Input> {
    let mut by_witness: BTreeMap<&str, u128> = BTreeMap::new();
    for ((_, _, witness), (energy_mwh, _, _)) in meters {
        let sum = by_witness.entry(witness).or_default();
        *sum = sum.saturating_add(*energy_mwh);
    }
    if by_witness.len() < 2 {
        return Vec::new();
    }
    let weights: Vec<u128> = by_witness.values().copied().collect();
    let shares = split_largest_remainder(1_000, &weights).unwrap_or_default();
    by_witness
        .iter()
        .zip(shares)
        .map(|((witness, energy_mwh), tenths)| {
            input([
                ("share_of_witness", (*witness).to_owned()),
                ("share_percent", scaled_decimal(tenths, 1)),
                ("witness_kwh", scaled_decimal(*energy_mwh, KWH_PLACES)),
            ])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::testing::contract;
    use crate::{EnergyGroup, Line, Usage, rate};
    use serde_json::json;

    fn line(price: &str, code: &str, energy: &[EnergyGroup]) -> Result<Line, RatingError> {
        let component = json!({"id": "power", "kind": "metered_energy", "currency": code,
            "unit": format!("{code}/kWh"), "unit_price": price});
        let usage = Usage { energy: energy.to_vec(), ..Usage::default() };
        rate(&contract(&[component]), &usage).map(|mut lines| lines.remove(0))
    }

    fn meter(meter_id: &str, energy_mwh: u128) -> EnergyGroup {
        EnergyGroup {
            machine_id: "m".to_owned(),
            meter_id: meter_id.to_owned(),
            witness: "meter".to_owned(),
            energy_mwh,
            resets: 0,
            unknown_us: 0,
        }
    }

    #[test]
    fn kilowatt_hours_times_price_rounded_once_half_to_even() {
        for (energy_mwh, price, code, amount, quantity) in [
            (1_000_000, "0.0725", "USD", "0.07", "1"),
            (2_410_386_500_000, "0.0725", "USD", "174753.02", "2410386.5"),
            (500_000, "0.01", "USD", "0.00", "0.5"),
            (1_500_000, "0.01", "USD", "0.02", "1.5"),
            (2_500_000, "0.01", "USD", "0.02", "2.5"),
            (2_500_001, "0.01", "USD", "0.03", "2.500001"),
            (1_500_000, "1", "JPY", "2", "1.5"),
            (1_000_000, "0.0005", "KWD", "0.000", "1"),
            (3_000_000, "0.0005", "KWD", "0.002", "3"),
        ] {
            let line = line(price, code, &[meter("a", energy_mwh)]).unwrap();
            assert_eq!(line.amount.decimal_text(), amount, "{energy_mwh} x {price}");
            assert_eq!(line.quantity, quantity);
        }
    }

    #[test]
    fn meters_are_added_before_the_one_rounding() {
        let half_a_cent = [meter("b", 500_000), meter("a", 500_000), meter("b", 500_000)];
        let line = line("0.01", "USD", &half_a_cent).unwrap();
        assert_eq!(line.amount.decimal_text(), "0.02");
        let listed: Vec<_> =
            line.inputs.iter().map(|i| (i["meter_id"].as_str(), i["energy_kwh"].as_str())).collect();
        assert_eq!(listed, [("a", "0.5"), ("b", "1")]);
    }

    #[test]
    fn several_witnesses_are_told_with_their_shares() {
        let mut firmware = meter("f", 29_000_000);
        firmware.witness = "firmware_power".to_owned();
        let line = line("0.1", "USD", &[firmware, meter("a", 971_000_000)]).unwrap();
        let shares: Vec<_> = line
            .inputs
            .iter()
            .filter_map(|i| Some((i.get("share_of_witness")?.as_str(), i["share_percent"].as_str())))
            .collect();
        assert_eq!(shares, [("firmware_power", "2.9"), ("meter", "97.1")]);
        assert_eq!(line.quantity, "1000");
    }

    #[test]
    fn more_than_the_width_stops_the_line() {
        let error = line("1", "USD", &[meter("a", u128::MAX), meter("a", 1)]).unwrap_err();
        assert_eq!(error.code(), "WB-5202");
    }
}
