//! Profit share: what mining brought in, less its power, split among parties.
//!
//! ```text
//! income = BTC x fixing              receipts: each at the fixing of its instant or all at the period's end
//!                                    proven work: the unrounded earnings at the period's end
//! net    = income - metered kWh x power price
//! total  = half_even(net)
//! parts  = largest remainder: each party gets floor(net x its percent / 100) minor units; the units that
//!          are missing from the total go, one each, to the largest remainders; of equal remainders the
//!          party that stands first in the contract is served first
//! amount = the billed party's part (a credit has the other sign)
//! ```
//!
//! The parts therefore always sum to the rounded net; rounding each alone could lose or make a unit. A net
//! under zero is split in the same way where losses are shared, and is nothing where they are not.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use wb_units::Currency;
use wb_units::time::rfc3339;

use crate::components::common::per;
use crate::error::{ContractError, RatingError};
use crate::exact::{Exact, sum};
use crate::fields::{Decimal, Fields, Head};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};

/// Terms of a profit share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// What counts as income.
    pub income: Income,
    /// The series of fixings.
    pub fixing_series: String,
    /// The price of a kilowatt-hour that is taken off.
    pub power_price: Decimal,
    /// Who shares, in the order that breaks ties.
    pub parties: Vec<Party>,
    /// Whose part the line is.
    pub billed_party: String,
    /// Whether the line credits the customer.
    pub credits: bool,
    /// Whether a net under zero is split too.
    pub shares_losses: bool,
}

/// What counts as income.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Income {
    /// What pools paid, at the fixing of each payment.
    ReceiptsAtReceipt,
    /// What pools paid, at the fixing of the period's end.
    ReceiptsAtPeriodEnd,
    /// The expected earnings of this component's proven work, at the fixing of the period's end.
    ProvenWork(String),
}

/// A party to the share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its name in the contract.
    pub name: String,
    /// Its share.
    pub percent: Decimal,
}

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let income = match fields.word("income", &["receipts", "proven_work"])? {
            "receipts" => match fields.word("fixing_at", &["receipt", "period_end"])? {
                "receipt" => Income::ReceiptsAtReceipt,
                _ => Income::ReceiptsAtPeriodEnd,
            },
            _ => {
                fields.word("fixing_at", &["period_end"])?;
                Income::ProvenWork(fields.component("earnings", Currency::BTC, &["pool_earnings"])?)
            }
        };
        let fixing_series = fields.id("fixing_series")?;
        fields.unit("power_unit", &[per(head.currency, "kWh")])?;
        let power_price = fields.price("power_price")?;
        let mut parties: Vec<Party> = Vec::new();
        for mut entry in fields.tables("parties")? {
            let party = Party { name: entry.id("name")?, percent: entry.percent("percent")? };
            if parties.iter().any(|other| other.name == party.name) {
                let field = entry.required("name")?.place.clone();
                return Err(ContractError::RepeatedId { field, value: party.name });
            }
            entry.finish()?;
            parties.push(party);
        }
        let place = fields.required("parties")?.place.clone();
        let whole = sum(parties.iter().map(|party| party.percent.value));
        if whole != Some(Exact::from(100_u32)) {
            let sum = whole.map_or_else(|| "too much".to_owned(), |whole| whole.to_string());
            return Err(ContractError::Shares { field: place, sum });
        }
        let billed_party = fields.id("billed_party")?;
        if !parties.iter().any(|party| party.name == billed_party) {
            return Err(ContractError::Reference {
                field: fields.required("billed_party")?.place.clone(),
                value: billed_party,
                right: "name one of the parties".to_owned(),
            });
        }
        let credits = fields.word("direction", &["charge", "credit"])? == "credit";
        let shares_losses = fields.word("losses", &["shared", "not_shared"])? == "shared";
        Ok(Self { head, income, fixing_series, power_price, parties, billed_party, credits, shares_losses })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let currency = self.head.currency;
        let wide = || scope.overflow("profit");
        let (income, mut inputs) = self.income(scope)?;
        let energy_kwh = scope.metered_kwh()?;
        let power = energy_kwh.times(self.power_price.value).ok_or_else(wide)?;
        let mut net = income.minus(power).ok_or_else(wide)?;
        inputs.push(input([
            ("energy_kwh", energy_kwh.to_string()),
            ("income", income.to_string()),
            ("power", power.to_string()),
            ("net", net.to_string()),
        ]));
        if net.is_negative() && !self.shares_losses {
            net = Exact::ZERO;
        }
        let percents: Vec<Exact> = self.parties.iter().map(|party| party.percent.value).collect();
        let parts = split(net, &percents, currency.scale()).ok_or_else(wide)?;
        let mut amount_minor = 0;
        for (party, part_minor) in self.parties.iter().zip(parts) {
            if party.name == self.billed_party {
                amount_minor = part_minor;
            }
            let part = Exact::scaled(part_minor, currency.scale()).ok_or_else(wide)?;
            inputs.push(input([
                ("party", party.name.clone()),
                ("percent", party.percent.text.clone()),
                ("part_minor", part_minor.to_string()),
                ("part", part.to_string()),
            ]));
        }
        let part = Exact::scaled(amount_minor, currency.scale()).ok_or_else(wide)?;
        let code = currency.code();
        let draft = Draft {
            description: format!("Profit share of {}", self.billed_party),
            quantity: net,
            unit: code.to_owned(),
            unit_price: self
                .parties
                .iter()
                .map(|party| format!("{} {} percent", party.name, party.percent.text))
                .collect::<Vec<_>>()
                .join(", "),
            formula: format!(
                "BTC x {} - energy_kwh x {} {code}/kWh, split by largest remainder (ties to the earlier party)",
                self.fixing_series, self.power_price.text
            ),
            amount: if self.credits { part.negated() } else { part },
            inputs,
        };
        Ok(vec![scope.finish(&self.head, "profit_share", draft)?])
    }

    fn income(&self, scope: &Scope<'_>) -> Result<(Exact, Vec<Input>), RatingError> {
        let wide = || scope.overflow("income");
        let unit = per(self.head.currency, "BTC");
        let stretch = scope.stretch()?;
        let end_us = stretch.end_us;
        let mut pieces: Vec<(i64, Exact)> = Vec::new();
        if let Income::ProvenWork(earnings) = &self.income {
            pieces.extend(scope.lines_of(earnings).iter().map(|rated| (end_us, rated.exact)));
        } else {
            scope.usage.check_receipts(stretch).map_err(|error| scope.refused(error))?;
            let mut by_instant: BTreeMap<i64, i128> = BTreeMap::new();
            for receipt in &scope.usage.receipts {
                let at_us = if self.income == Income::ReceiptsAtReceipt { receipt.at_us } else { end_us };
                let sum_sat = by_instant.entry(at_us).or_default();
                *sum_sat = sum_sat.checked_add(i128::from(receipt.amount_sat)).ok_or_else(wide)?;
            }
            for (at_us, amount_sat) in by_instant {
                pieces.push((at_us, Exact::scaled(amount_sat, Currency::BTC.scale()).ok_or_else(wide)?));
            }
        }
        let mut income = Exact::ZERO;
        let mut inputs = Vec::with_capacity(pieces.len());
        for (at_us, btc) in pieces {
            let fixing = scope.fixing(&self.fixing_series, at_us, &unit)?;
            income = btc.times(fixing.value).and_then(|worth| income.plus(worth)).ok_or_else(wide)?;
            inputs.push(input([
                ("btc", btc.to_string()),
                ("fixing", fixing.text.clone()),
                ("fixing_series", self.fixing_series.clone()),
                ("fixing_at", rfc3339(at_us)),
                ("price_from", rfc3339(fixing.from_us)),
                ("fixing_source", fixing.source.clone()),
            ]));
        }
        Ok((income, inputs))
    }
}

/// Splits an unrounded amount into minor units that sum to the rounded amount.
fn split(net: Exact, percents: &[Exact], places: u32) -> Option<Vec<i128>> {
    let total = net.minor(places)?;
    let scale = Exact::from(10_u128.checked_pow(places)?);
    let mut parts = Vec::with_capacity(percents.len());
    let mut rests = Vec::with_capacity(percents.len());
    for percent in percents {
        let share = net.percent(*percent)?.times(scale)?;
        let part = share.floor()?;
        rests.push((share.minus(Exact::from(part))?, parts.len()));
        parts.push(part);
    }
    let given = parts.iter().try_fold(0_i128, |sum, part| sum.checked_add(*part))?;
    // Stable: parties of equal remainders stay in the contract's order.
    rests.sort_by(|left, right| right.0.compare(left.0).unwrap_or(Ordering::Equal));
    let missing = usize::try_from(total.checked_sub(given)?).ok()?;
    for (_, index) in rests.into_iter().take(missing) {
        *parts.get_mut(index)? += 1;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Exact {
        Exact::decimal(text).unwrap()
    }

    #[test]
    fn the_parts_sum_to_the_rounded_net_and_ties_go_to_the_earlier() {
        for (net, percents, parts) in [
            ("306369.5456", ["65", "35"], [19_914_021, 10_722_934]),
            ("0.01", ["50", "50"], [1, 0]),
            ("-0.01", ["50", "50"], [0, -1]),
            ("0.015", ["50", "50"], [1, 1]),
            ("0.005", ["50", "50"], [0, 0]),
            ("1", ["0", "100"], [0, 100]),
        ] {
            assert_eq!(split(number(net), &percents.map(number), 2).unwrap(), parts, "{net}");
        }
    }

    proptest! {
        #[test]
        fn splits_sum_to_the_total(net in -1_000_000_000_i128..1_000_000_000, first in 0_u32..=100, second in 0_u32..=100) {
            let net = Exact::scaled(net, 5).unwrap();
            let (low, high) = (first.min(second), first.max(second));
            let percents = [low, high - low, 100 - high].map(Exact::from);
            for places in [0, 2, 3, 8] {
                let parts = split(net, &percents, places).unwrap();
                prop_assert_eq!(parts.iter().sum::<i128>(), net.minor(places).unwrap());
            }
        }
    }
}
