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
//! rounded once. Widths: 2^128 x 2^128 x 10^8 is under 2^283 of 512 bits.

use std::collections::BTreeMap;

use ruint::aliases::U512;
use wb_units::Money;
use wb_units::rounding::div_half_even;

use crate::contract::MeteredEnergy;
use crate::error::RatingError;
use crate::line::{Line, LineText, input};
use crate::text::scaled_decimal;
use crate::usage::EnergyGroup;

/// Decimal places between a thousandth of a watt-hour and a kilowatt-hour.
const KWH_PLACES: usize = 6;

/// The line of one component over the energy of its contract.
///
/// # Errors
/// [`RatingError::Overflow`] for sums beyond their width.
pub fn line(contract_id: &str, terms: &MeteredEnergy, energy: &[EnergyGroup]) -> Result<Line, RatingError> {
    let overflow = |what| RatingError::Overflow { component: terms.id.clone(), what };
    let mut meters: BTreeMap<(&str, &str, &str), (u128, u64, u64)> = BTreeMap::new();
    let mut total_mwh: u128 = 0;
    for group in energy {
        let entry = meters.entry((&group.machine_id, &group.meter_id, &group.witness)).or_default();
        entry.0 = entry.0.checked_add(group.energy_mwh).ok_or_else(|| overflow("energy"))?;
        entry.1 = entry.1.saturating_add(group.resets);
        entry.2 = entry.2.saturating_add(group.unknown_us);
        total_mwh = total_mwh.checked_add(group.energy_mwh).ok_or_else(|| overflow("energy"))?;
    }
    let inputs = meters
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
    let ten = U512::from(10_u8);
    let numerator = U512::from(total_mwh)
        .checked_mul(U512::from(terms.price_scaled))
        .and_then(|product| product.checked_mul(ten.pow(U512::from(terms.currency.scale()))));
    let denominator = ten.pow(U512::from(terms.price_places)).checked_mul(ten.pow(U512::from(KWH_PLACES)));
    let minor = numerator
        .zip(denominator)
        .and_then(|(numerator, denominator)| div_half_even(numerator, denominator, false))
        .ok_or_else(|| overflow("amount"))?;
    let code = terms.currency.code();
    Ok(Line::new(
        contract_id,
        &terms.id,
        LineText {
            kind: "metered_energy",
            description: "Metered energy".to_owned(),
            quantity: scaled_decimal(total_mwh, KWH_PLACES),
            unit: "kWh",
            unit_price: format!("{} {code}/kWh", terms.unit_price),
            formula: format!(
                "sum of energy_kwh x {} {code}/kWh, rounded once half to even to {} {code}",
                terms.unit_price,
                Money { minor: 1, currency: terms.currency }.decimal_text()
            ),
        },
        Money { minor, currency: terms.currency },
        inputs,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wb_units::Currency;

    fn terms(unit_price: &str, price_scaled: u128, price_places: u32, code: &str) -> MeteredEnergy {
        let currency = Currency::from_code(code).unwrap();
        MeteredEnergy {
            id: "power".to_owned(),
            currency,
            unit_price: unit_price.to_owned(),
            price_scaled,
            price_places,
        }
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
        for (energy_mwh, price, scaled, places, code, amount, quantity) in [
            (1_000_000, "0.0725", 725, 4, "USD", "0.07", "1"),
            (2_410_386_500_000, "0.0725", 725, 4, "USD", "174753.02", "2410386.5"),
            (500_000, "0.01", 1, 2, "USD", "0.00", "0.5"),
            (1_500_000, "0.01", 1, 2, "USD", "0.02", "1.5"),
            (2_500_000, "0.01", 1, 2, "USD", "0.02", "2.5"),
            (2_500_001, "0.01", 1, 2, "USD", "0.03", "2.500001"),
            (1_500_000, "1", 1, 0, "JPY", "2", "1.5"),
            (1_000_000, "0.0005", 5, 4, "KWD", "0.000", "1"),
            (3_000_000, "0.0005", 5, 4, "KWD", "0.002", "3"),
        ] {
            let line = line("c", &terms(price, scaled, places, code), &[meter("a", energy_mwh)]).unwrap();
            assert_eq!(line.amount.decimal_text(), amount, "{energy_mwh} x {price}");
            assert_eq!(line.quantity, quantity);
        }
    }

    #[test]
    fn meters_are_added_before_the_one_rounding() {
        let half_a_cent = [meter("b", 500_000), meter("a", 500_000), meter("b", 500_000)];
        let line = line("c", &terms("0.01", 1, 2, "USD"), &half_a_cent).unwrap();
        assert_eq!(line.amount.decimal_text(), "0.02");
        let listed: Vec<_> =
            line.inputs.iter().map(|i| (i["meter_id"].as_str(), i["energy_kwh"].as_str())).collect();
        assert_eq!(listed, [("a", "0.5"), ("b", "1")]);
    }

    #[test]
    fn more_than_the_width_stops_the_line() {
        let terms = terms("1", 1, 0, "USD");
        assert_eq!(line("c", &terms, &[meter("a", u128::MAX), meter("a", 1)]).unwrap_err().code(), "WB-5202");
    }
}
