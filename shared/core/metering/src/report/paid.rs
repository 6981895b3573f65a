//! What pools paid, against the work that was proven in the same time and against the firmware's claims.
//!
//! A payment is spread evenly over its time. Proven work is worth what its blocks would pay. A claim is worth that
//! times claim over proof, in the time with claims.

use ruint::aliases::{U256, U512};
use wb_units::rounding::div_half_even;
use wb_units::{Interval, Micros};

use super::machine::{Claims, Rules, Work, hashes_of, share_sums};
use super::site::Earning;
use crate::compare::{self, Hashrates, Pair};
use crate::counters::until;
use crate::ratio::mul_div;

/// The target of difficulty 1 times 2^32: what work in units of 2^-32 is divided by.
fn blocks_denominator() -> U512 {
    U512::from(0xffff_u32) << 240
}

/// What a work's blocks pay, times the common denominator.
pub(super) fn numerator(work: &Work) -> U512 {
    if work.target == U256::ZERO {
        return U512::ZERO;
    }
    U512::from(work.credited_q32)
        .saturating_mul(U512::from(work.target))
        .saturating_mul(U512::from(work.reward_sat))
}

/// A sum of [`numerator`]s in satoshi, rounded once.
pub(super) fn expected_sat(numerator: U512) -> u128 {
    div_half_even(numerator, blocks_denominator(), false)
        .and_then(|sat| u128::try_from(sat).ok())
        .unwrap_or(0)
}

/// The part of an earning in a period: satoshi and the time.
#[must_use]
pub fn within(earning: &Earning, period: Interval) -> Option<(u128, Interval)> {
    let part = earning.interval.intersect(&period)?;
    let amount_sat = until(earning.amount_sat, &earning.interval, part.end_us)
        - until(earning.amount_sat, &earning.interval, part.start_us);
    Some((amount_sat, part))
}

/// What the earnings of a site, machine or customer are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Worked<'a> {
    /// Its accepted work by settlement interval.
    pub work: &'a [(Micros, Work)],
    /// What its firmware claimed in the period, beside the work of the same intervals.
    pub claims: Option<Claims>,
}

/// The pairs of what was paid for spans of the period: paid against proven and, where firmware made claims, claimed
/// against paid, all in satoshi.
#[must_use]
pub fn pairs<'a>(
    earnings: impl Iterator<Item = &'a Earning>,
    worked: Worked<'_>,
    rules: &Rules,
    period: Interval,
) -> Vec<Pair> {
    let (mut paid_sat, mut spans, mut pool_blocks) = (0_u128, Vec::new(), None);
    for earning in earnings {
        let Some((amount_sat, part)) = within(earning, period) else { continue };
        paid_sat = paid_sat.saturating_add(amount_sat);
        spans.push(part);
        pool_blocks = super::either(pool_blocks, earning.pool_blocks);
    }
    let spans = Interval::union(spans);
    if spans.is_empty() {
        return Vec::new();
    }
    let mut expected = U512::ZERO;
    for (at_us, work) in worked.work {
        if spans.iter().any(|span| span.contains(*at_us)) {
            expected = expected.saturating_add(numerator(work));
        }
    }
    let proven = expected_sat(expected);
    let claims = worked.claims.filter(|claims| claims.credited_q32 > 0);
    let of = Hashrates {
        proven,
        shares: claims
            .map(|claims| share_sums(claims.credited_q32, claims.credited_q32_squared))
            .unwrap_or_default(),
        claimed: claims.and_then(|claims| mul_div(proven, claims.hashes, hashes_of(claims.credited_q32))),
        paid: Some(paid_sat),
        pool_blocks,
        firmware_class_ppm: rules.firmware_class_ppm,
        payment_class_ppm: rules.payment_class_ppm,
    };
    let mut pairs = compare::hashrate(&of);
    // Claimed against proven stands in the report as hashes.
    pairs.retain(|pair| pair.left_name == "paid" || pair.right_name == "paid");
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_US: i64 = wb_units::SETTLEMENT_INTERVAL_US;
    /// Difficulty 1 in units of 2^-32: at difficulty 1 it stands for one block.
    const ONE_Q32: u128 = 1 << 32;

    fn work(step: i64) -> (Micros, Work) {
        let target = U256::from(0xffff_u32) << 208;
        (step * STEP_US, Work { target, reward_sat: 1_000_000, credited_q32: ONE_Q32 })
    }

    fn earning(steps: (i64, i64), amount_sat: u128) -> Earning {
        Earning {
            pool: "p".to_owned(),
            interval: Interval { start_us: steps.0 * STEP_US, end_us: steps.1 * STEP_US },
            amount_sat,
            pool_blocks: None,
            machine_id: None,
            customer_id: None,
        }
    }

    fn shown(pairs: &[Pair]) -> Vec<(&str, u128, &str, u128, bool)> {
        let of = |pair: &Pair| (pair.left_name, pair.left, pair.right_name, pair.right, pair.is_beyond);
        pairs.iter().map(of).collect()
    }

    #[test]
    fn paid_stands_against_proven_and_claimed_against_paid() {
        let work: Vec<_> = (0..10).map(work).collect();
        let period = Interval { start_us: 0, end_us: 10 * STEP_US };
        let rules = Rules::default();
        let of = |earnings: &[Earning], claims| {
            pairs(earnings.iter(), Worked { work: &work, claims }, &rules, period)
        };
        // Half of an earning that began before the period: of its five steps' work.
        let paid = [earning((-5, 5), 9_600_000)];
        assert_eq!(shown(&of(&paid, None)), [("paid", 4_800_000, "proven", 5_000_000, false)]);
        // A pool that keeps a tenth is flagged.
        let short = [earning((0, 10), 9_000_000)];
        assert_eq!(shown(&of(&short, None)), [("paid", 9_000_000, "proven", 10_000_000, true)]);
        // The firmware claims half more than it proved, in so many shares that chance does not matter.
        let shares = 1_000_000_u128;
        let claims = Claims {
            hashes: hashes_of(10 * ONE_Q32) * 3 / 2,
            credited_q32: 10 * ONE_Q32,
            credited_q32_squared: U256::from(10 * ONE_Q32) * U256::from(10 * ONE_Q32) / U256::from(shares),
        };
        let three = of(&[earning((0, 10), 10_000_000)], Some(claims));
        assert_eq!(
            shown(&three),
            [
                ("paid", 10_000_000, "proven", 10_000_000, false),
                ("claimed", 15_000_000, "paid", 10_000_000, true),
            ]
        );
        // 1 / sqrt(shares) is 0.1 %: 3.29 of that, and both classes.
        assert_eq!(three[1].expected_ppm, 3_290 + 90_000 + 3);
        assert!(of(&[earning((20, 30), 5)], Some(claims)).is_empty(), "nothing was paid for this period");
    }
}
