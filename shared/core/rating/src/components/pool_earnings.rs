//! Expected earnings of proven work.
//!
//! A hash meets a target T with probability T / 2^256, and credited difficulty d stands for
//! d x 2^256 / D1 = d x 2^48 / 65535 expected hashes, so d is expected to find d x T / D1 blocks. With
//! d = q32 / 2^32, and each block paying its subsidy and the contract's mean fees:
//!
//! ```text
//! amount_sat = half_even( sum over groups of  q32 x T(nbits) x (subsidy_sat + mean_fees_sat)
//!                         ------------------------------------------------------------------ )
//!                                              D1 x 2^32
//! ```
//!
//! D1 = 0xffff x 2^208. All groups are added as integers over the one denominator and the sum is
//! rounded once, to a satoshi: a share is worth about one satoshi, so rounding each would bill noise.
//! Only work on the chain `main` earns; other chains are listed with what they did and earn nothing.
//!
//! Widths: q32 < 2^128, T < 2^256, subsidy and fees < 2^65: a term is under 2^449, so 2^63 groups fit
//! 512 bits. Every step is checked all the same.

use std::collections::BTreeMap;

use ruint::aliases::U512;
use wb_proof::{D1, Target, work_text};
use wb_units::Currency;
use wb_units::decimal::{self, Excess};

use crate::error::{ContractError, RatingError};
use crate::exact::Exact;
use crate::fields::{Fields, Head, shorten, text_of};
use crate::line::{Input, input};
use crate::scope::{Draft, Rated, Scope};
use crate::text::difficulty_decimal;
use crate::usage::WorkGroup;

/// The only chain whose work earns.
pub const EARNING_CHAIN: &str = "main";

/// The most that the fees of a block can be: all satoshi that will ever exist.
const MEAN_FEES_SAT_MAX: u64 = 2_100_000_000_000_000;

/// Terms of the expected earnings of proven work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Id, currency and words of the component.
    pub head: Head,
    /// Mean transaction fees of a block, in satoshi, added to the subsidy.
    pub mean_fees_sat: u64,
}

/// What the worth of work depends on.
type Key<'a> = (&'a str, u32, u64);

impl Terms {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Self, ContractError> {
        let head = fields.head()?;
        let chain = fields.required("chain")?;
        let name = text_of(chain)?;
        if name != EARNING_CHAIN {
            return Err(ContractError::Chain { field: chain.place.clone(), value: shorten(name) });
        }
        if head.currency != Currency::BTC {
            return Err(ContractError::Currency {
                field: fields.required("currency")?.place.clone(),
                value: head.currency.code().to_owned(),
                right: "a block pays in bitcoin, so earnings of work are in \"BTC\"".to_owned(),
                source: None,
            });
        }
        let node = fields.required("mean_fees_sat")?;
        let text = text_of(node)?;
        let wrong = |source| ContractError::Number {
            field: node.place.clone(),
            value: shorten(text),
            right: format!("write whole satoshi from 0 to {MEAN_FEES_SAT_MAX}, such as \"0\""),
            source,
        };
        let fees = decimal::parse(text, 0, Excess::Refuse).map_err(|error| wrong(Some(error)))?;
        let mean_fees_sat = u64::try_from(fees)
            .ok()
            .filter(|fees_sat| *fees_sat <= MEAN_FEES_SAT_MAX)
            .ok_or_else(|| wrong(None))?;
        Ok(Self { head, mean_fees_sat })
    }

    pub(crate) fn rate(&self, scope: &Scope<'_>) -> Result<Vec<Rated>, RatingError> {
        let groups = add_by_worth(&scope.usage.work).ok_or_else(|| scope.overflow("credited work"))?;
        let mut numerator = U512::ZERO;
        let mut earning_q32: u128 = 0;
        let mut inputs = Vec::with_capacity(groups.len());
        for ((chain, nbits, subsidy_sat), (credited_q32, shares)) in &groups {
            let earns = *chain == EARNING_CHAIN;
            if earns {
                let target = Target::from_nbits(*nbits).map_err(|source| RatingError::NoTarget {
                    component: scope.component.to_owned(),
                    chain: (*chain).to_owned(),
                    nbits: *nbits,
                    source,
                })?;
                let reward_sat = u128::from(*subsidy_sat) + u128::from(self.mean_fees_sat);
                numerator = U512::from(*credited_q32)
                    .checked_mul(U512::from(target.as_u256()))
                    .and_then(|term| term.checked_mul(U512::from(reward_sat)))
                    .and_then(|term| numerator.checked_add(term))
                    .ok_or_else(|| scope.overflow("expected earnings"))?;
                earning_q32 =
                    earning_q32.checked_add(*credited_q32).ok_or_else(|| scope.overflow("credited work"))?;
            }
            inputs.push(describe(chain, *nbits, *subsidy_sat, *credited_q32, *shares, earns));
        }
        let amount = Exact::wide(false, numerator, U512::from(D1) << 32_usize)
            .and_then(|amount_sat| amount_sat.over(Exact::from(10_u32.pow(Currency::BTC.scale()))))
            .ok_or_else(|| scope.overflow("expected earnings"))?;
        let quantity = Exact::ratio(earning_q32, 1 << 32).ok_or_else(|| scope.overflow("credited work"))?;
        let draft = Draft {
            description: format!("Expected earnings of proven work: {} hashes", work_text(earning_q32)),
            quantity,
            unit: "difficulty".to_owned(),
            unit_price: format!(
                "T(nbits) x (subsidy_sat + {}) / D1 satoshi per difficulty, by group",
                self.mean_fees_sat
            ),
            formula: String::new(),
            amount,
            inputs,
        };
        let mut rated = scope.finish(&self.head, "pool_earnings", draft)?;
        rated.line.formula = format!(
            "sum over groups on chain main of credited_q32 x T(nbits) x (subsidy_sat + {}) / (D1 x 2^32), \
             D1 = 0xffff x 2^208, rounded once half to even to 1 satoshi",
            self.mean_fees_sat
        );
        Ok(vec![rated])
    }
}

/// Adds groups of equal worth; the map's order is the order on the invoice.
fn add_by_worth(work: &[WorkGroup]) -> Option<BTreeMap<Key<'_>, (u128, u64)>> {
    let mut groups: BTreeMap<Key<'_>, (u128, u64)> = BTreeMap::new();
    for group in work {
        let entry = groups.entry((&group.chain, group.nbits, group.subsidy_sat)).or_default();
        entry.0 = entry.0.checked_add(group.credited_q32)?;
        entry.1 = entry.1.checked_add(group.shares)?;
    }
    Some(groups)
}

fn describe(
    chain: &str,
    nbits: u32,
    subsidy_sat: u64,
    credited_q32: u128,
    shares: u64,
    earns: bool,
) -> Input {
    input([
        ("chain", chain.to_owned()),
        ("nbits", format!("{nbits:08x}")),
        ("subsidy_sat", subsidy_sat.to_string()),
        ("credited_q32", credited_q32.to_string()),
        ("difficulty", difficulty_decimal(credited_q32)),
        ("expected_hashes", work_text(credited_q32)),
        ("shares", shares.to_string()),
        ("earns", if earns { "yes" } else { "no" }.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::testing::contract;
    use crate::{Line, Usage, rate};
    use serde_json::json;

    const SUBSIDY_2009_SAT: u64 = 5_000_000_000;

    fn line(mean_fees_sat: u64, work: &[WorkGroup]) -> Result<Line, RatingError> {
        let fees = mean_fees_sat.to_string();
        let component = json!({"id": "earnings", "kind": "pool_earnings", "chain": "main", "currency": "BTC",
            "mean_fees_sat": fees});
        let usage = Usage { work: work.to_vec(), ..Usage::default() };
        rate(&contract(&[component]), &usage).map(|mut lines| lines.remove(0))
    }

    fn group(chain: &str, nbits: u32, subsidy_sat: u64, credited_q32: u128) -> WorkGroup {
        WorkGroup { chain: chain.to_owned(), nbits, subsidy_sat, credited_q32, shares: 1 }
    }

    #[test]
    fn the_first_four_hundred_blocks_are_worth_twenty_thousand_bitcoin() {
        let work = [group("main", 0x1d00_ffff, SUBSIDY_2009_SAT, 400 << 32)];
        let line = line(0, &work).unwrap();
        assert_eq!(line.amount.decimal_text(), "20000.00000000");
        assert_eq!((line.quantity.as_str(), line.unit.as_str()), ("400", "difficulty"));
        assert_eq!(line.inputs[0]["expected_hashes"], "400 x 2^48/65535");
        assert_eq!(line.id, "c/earnings");
    }

    #[test]
    fn halves_of_a_satoshi_round_to_even_and_only_once() {
        // At T = D1 a credit of q32 earns q32 x reward / 2^32 satoshi.
        for (pieces_q32, reward_sat, expected_sat) in [
            (vec![1_u128 << 31], 1, 0),
            (vec![1 << 31], 3, 2),
            (vec![1 << 31], 5, 2),
            (vec![(1 << 31) + 1], 1, 1),
            // Four shares of 0.4 satoshi are 1.6, not four times nothing.
            (vec![1_717_986_918; 4], 1, 2),
        ] {
            let work: Vec<_> =
                pieces_q32.iter().map(|q32| group("main", 0x1d00_ffff, reward_sat, *q32)).collect();
            let line = line(0, &work).unwrap();
            assert_eq!(line.amount.minor, expected_sat, "{pieces_q32:?} x {reward_sat}");
        }
    }

    /// The figures are those of Python's fractions: q32 x T x reward / (D1 x 2^32), rounded half to even.
    #[test]
    fn sums_of_two_to_the_96_are_exact_however_they_are_cut() {
        const REWARD_SAT: u64 = 312_500_000 + 1_234_567;
        let whole = 1_u128 << 96;
        for (nbits, expected_sat) in
            [(0x1d00_ffff, 5_787_381_264_525_082_260_009_910_272), (0x1702_1e00, 43_531_962_885_423)]
        {
            let seventh = whole / 7;
            for pieces in
                [vec![whole], vec![whole - 1, 1], [vec![seventh; 7], vec![whole - 7 * seventh]].concat()]
            {
                let work: Vec<_> =
                    pieces.iter().map(|q32| group("main", nbits, REWARD_SAT - 1_234_567, *q32)).collect();
                assert_eq!(line(1_234_567, &work).unwrap().amount.minor, expected_sat, "{nbits:08x}");
            }
        }
    }
    #[test]
    fn only_the_main_chain_earns_and_the_rest_is_listed() {
        let work = [
            group("testnet3", 0x1d00_ffff, SUBSIDY_2009_SAT, 7 << 32),
            group("main", 0x1d00_ffff, 100, 2 << 32),
        ];
        let line = line(5, &work).unwrap();
        assert_eq!(line.amount.minor, 210);
        assert_eq!(line.quantity, "2");
        assert_eq!(line.inputs.len(), 2);
        assert_eq!((line.inputs[1]["chain"].as_str(), line.inputs[1]["earns"].as_str()), ("testnet3", "no"));
    }

    #[test]
    fn impossible_work_stops_the_line() {
        let zero_target = [group("main", 0, SUBSIDY_2009_SAT, 1)];
        assert_eq!(line(0, &zero_target).unwrap_err().code(), "WB-5201");
        let too_much = [group("main", 0x1d00_ffff, 1, u128::MAX), group("main", 0x1d00_ffff, 1, 1)];
        assert_eq!(line(0, &too_much).unwrap_err().code(), "WB-5202");
        let too_dear = [group("main", 0x2100_ffff, u64::MAX, u128::MAX)];
        assert_eq!(line(0, &too_dear).unwrap_err().code(), "WB-5202");
    }
}
