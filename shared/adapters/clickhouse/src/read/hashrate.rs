//! Work and hashrate over time.

use ruint::aliases::U256;
use serde::Deserialize;

use super::{Bucket, Read, Selection, SeriesRange, bind_selection, parts};
use crate::error::StoreError;

/// Accepted work of a bucket and chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashratePoint {
    pub bucket: Bucket,
    /// The chain; work of different chains is never added up.
    pub chain: String,
    /// Accepted shares.
    pub shares: u64,
    /// Accepted shares that solved a block.
    pub blocks: u64,
    /// Credited difficulty in units of 2^-32.
    pub credited_q32: U256,
    /// The sum of the squares of the shares' difficulties, in units of 2^-64.
    pub credited_q32_squared: U256,
    /// The largest difficulty of a share, in units of 2^-32. It is exact if all shares of that machine and five
    /// minutes had the same difficulty.
    pub largest_q32: U256,
    /// The work as a mean rate over the bucket, in hashes per second, rounded down.
    pub hashrate_hs: U256,
    /// One standard deviation of that rate from chance, in hashes per second, rounded down: the rate times sqrt(sum
    /// d^2) / sum d.
    pub hashrate_sigma_hs: U256,
}

#[derive(Debug, clickhouse::Row, Deserialize)]
struct Row {
    bucket_start_us: i64,
    chain: String,
    shares: u64,
    blocks: u64,
    credited_q32: String,
    credited_q32_squared: String,
    largest_q32: String,
}

impl Read {
    /// Accepted work by bucket and chain, in order; buckets without work are left out.
    ///
    /// # Errors
    /// [`StoreError::Query`] or [`StoreError::Row`].
    pub async fn hashrate(
        &self,
        range: SeriesRange,
        selection: &Selection,
    ) -> Result<Vec<HashratePoint>, StoreError> {
        let sql = format!(
            "SELECT {} AS bucket_start_us, chain, sum(shares) AS shares, sum(blocks) AS blocks,
               toString(sum(toInt256(toInt128(credited_q32)))) AS credited_q32,
               toString(sum(credited_q32_squared)) AS credited_q32_squared,
               toString(max(largest_q32)) AS largest_q32
             FROM ({}) WHERE verdict = 'accepted'
             GROUP BY bucket_start_us, chain ORDER BY bucket_start_us, chain",
            parts::BUCKET_START,
            parts::work(&self.scope, selection)
        );
        let query = range.bind(bind_selection(self.query(&sql), selection));
        let rows: Vec<Row> = self.fetch_counted("read the hashrate", query).await?;
        rows.into_iter().map(|row| point(range, row)).collect()
    }
}

fn point(range: SeriesRange, row: Row) -> Result<HashratePoint, StoreError> {
    let bucket = range.bucket_at(row.bucket_start_us);
    let credited_q32 = wide("work_5m", &row.credited_q32)?;
    let squared = wide("work_5m", &row.credited_q32_squared)?;
    Ok(HashratePoint {
        bucket,
        hashrate_hs: hashes_per_second(credited_q32, bucket),
        hashrate_sigma_hs: hashes_per_second(square_root(squared), bucket),
        chain: row.chain,
        shares: row.shares,
        blocks: row.blocks,
        credited_q32,
        credited_q32_squared: squared,
        largest_q32: wide("work_5m", &row.largest_q32)?,
    })
}

/// Parses a wide integer that ClickHouse wrote as text.
pub(super) fn wide(table: &'static str, text: &str) -> Result<U256, StoreError> {
    U256::from_str_radix(text, 10)
        .map_err(|_| StoreError::Row { table, problem: format!("{text:?} is not an unsigned integer") })
}

/// Credited work over a bucket as hashes per second, rounded down.
///
/// A share of difficulty 1 is worth 2^48 / 65535 hashes, so work in units of 2^-32 is worth q32 * 65536 / 65535
/// hashes. An empty bucket gives zero.
#[must_use]
pub fn hashes_per_second(credited_q32: U256, bucket: Bucket) -> U256 {
    let length_us = u64::try_from(bucket.end_us.saturating_sub(bucket.start_us)).unwrap_or(0);
    let divisor = U256::from(65_535) * U256::from(length_us);
    credited_q32
        .checked_mul(U256::from(65_536_u64 * 1_000_000))
        .and_then(|hashes| hashes.checked_div(divisor))
        .unwrap_or_default()
}

/// The largest integer whose square is not above `value` (Newton's method from above).
fn square_root(value: U256) -> U256 {
    if value.is_zero() {
        return value;
    }
    let mut root = U256::from(1) << value.bit_len().div_ceil(2).min(255);
    loop {
        let next = (root + value / root) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulty_becomes_hashes_per_second() {
        let bucket = Bucket { start_us: 0, end_us: 300_000_000 };
        // One share of difficulty 65536 in five minutes: 65536 * 2^48 / 65535 / 300, by hand.
        let q32 = U256::from(65_536_u128 << 32);
        assert_eq!(hashes_per_second(q32, bucket), U256::from(938_264_239_144_u64));
        assert_eq!(hashes_per_second(U256::ZERO, bucket), U256::ZERO);
        assert_eq!(hashes_per_second(q32, Bucket { start_us: 0, end_us: 0 }), U256::ZERO);
    }

    #[test]
    fn square_roots_are_rounded_down() {
        for (value, root) in
            [(0_u64, 0_u64), (1, 1), (2, 1), (3, 1), (4, 2), (8, 2), (9, 3), (u64::MAX, 4_294_967_295)]
        {
            assert_eq!(square_root(U256::from(value)), U256::from(root), "{value}");
        }
        let root = square_root(U256::MAX);
        assert_eq!(root, U256::from(u128::MAX));
    }
}
