//! The luck of a period: blocks found against blocks expected.

use async_graphql::SimpleObject;
use wb_clickhouse::StoreError;
use wb_clickhouse::read::WorkUnderTarget;
use wb_proof::{Target, credit_q32_of_target};
use wb_statistics::Level;
use wb_statistics::luck::{WorkAtDifficulty, expected_blocks, luck};

/// The most chains of one answer, for its cost.
pub(super) const CHAINS: usize = 8;

/// Blocks found on one chain, against blocks expected from the accepted work.
#[derive(Debug, SimpleObject)]
pub(crate) struct ChainLuck {
    /// The chain.
    pub(crate) chain: String,
    /// Accepted shares that solved a block.
    pub(crate) blocks: String,
    /// Blocks expected: the accepted work divided by the network's difficulty at the time, summed over the
    /// difficulties of the network. It is meaningless if shares are assigned a higher difficulty than the network's,
    /// as on some test chains.
    pub(crate) expected_blocks: f64,
    /// Credited difficulty in units of 2^-32.
    pub(crate) work_q32: String,
    /// Blocks found over blocks expected, in per cent: 100 is as expected. Null if none is expected.
    pub(crate) luck_percent: Option<f64>,
    /// The lower end of its 95 % interval in per cent, from chance (Garwood's, exact).
    pub(crate) low_percent: Option<f64>,
    /// The upper end of its 95 % interval in per cent, from chance (Garwood's, exact).
    pub(crate) high_percent: Option<f64>,
    /// The two-sided p-value: twice the smaller of the probabilities of so few blocks or fewer and
    /// of so many or more, at most 1.
    pub(crate) two_sided_p_value: Option<f64>,
}

/// Combines the work of each chain; the work comes in order of chain.
///
/// # Errors
/// [`StoreError::Row`] for accepted work without a valid target.
pub(super) fn by_chain(work: Vec<WorkUnderTarget>) -> Result<Vec<ChainLuck>, StoreError> {
    work.chunk_by(|left, right| left.chain == right.chain).map(of_chain).collect()
}

fn of_chain(work: &[WorkUnderTarget]) -> Result<ChainLuck, StoreError> {
    let parts = work.iter().map(at_difficulty).collect::<Result<Vec<_>, _>>()?;
    let expected = expected_blocks(&parts);
    let blocks = work.iter().fold(0_u64, |sum, part| sum.saturating_add(part.blocks));
    let luck = luck(blocks, expected, Level::P95);
    Ok(ChainLuck {
        chain: work.first().map(|part| part.chain.clone()).unwrap_or_default(),
        blocks: blocks.to_string(),
        expected_blocks: expected,
        work_q32: parts
            .iter()
            .fold(ruint::aliases::U256::ZERO, |sum, part| sum.saturating_add(part.credited_q32))
            .to_string(),
        luck_percent: luck.map(|luck| luck.percent),
        low_percent: luck.map(|luck| luck.low_percent),
        high_percent: luck.map(|luck| luck.high_percent),
        two_sided_p_value: luck.map(|luck| luck.two_sided_p),
    })
}

fn at_difficulty(work: &WorkUnderTarget) -> Result<WorkAtDifficulty, StoreError> {
    // A share is accepted under a target only, so this product never writes such a row.
    let target = Target::from_nbits(work.nbits).map_err(|error| StoreError::Row {
        table: "work_5m",
        problem: format!("accepted work on {:?} under no target: {error}", work.chain),
    })?;
    Ok(WorkAtDifficulty {
        credited_q32: work.credited_q32,
        network_difficulty_q32: credit_q32_of_target(&target),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruint::aliases::U256;

    /// Work of so many times difficulty 1.
    fn work(chain: &str, nbits: u32, blocks: u64, difficulty: u64) -> WorkUnderTarget {
        WorkUnderTarget { chain: chain.into(), nbits, blocks, credited_q32: U256::from(difficulty) << 32 }
    }

    #[test]
    fn a_change_of_the_networks_difficulty_is_allowed_for() {
        // 0x1d00ffff is difficulty 1, 0x1c7fff80 is 2.
        let found = by_chain(vec![
            work("main", 0x1c7f_ff80, 1, 8),
            work("main", 0x1d00_ffff, 9, 6),
            work("test", 0x1d00_ffff, 0, 3),
        ])
        .unwrap();
        let [main, test] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((main.chain.as_str(), main.blocks.as_str()), ("main", "10"));
        assert!((main.expected_blocks - 10.0).abs() < 1e-9, "{main:?}");
        assert!((main.luck_percent.unwrap() - 100.0).abs() < 1e-6, "{main:?}");
        // Garwood's for ten: 4.795 to 18.390.
        assert!((main.low_percent.unwrap() - 47.954).abs() < 1e-2, "{main:?}");
        assert!((main.high_percent.unwrap() - 183.904).abs() < 1e-2, "{main:?}");
        assert_eq!(main.work_q32, (14_u64 << 32).to_string());
        // Silence where three were expected: e^-3, twice.
        assert_eq!((test.blocks.as_str(), test.low_percent), ("0", Some(0.0)));
        assert!((test.two_sided_p_value.unwrap() - 0.099_574).abs() < 1e-5, "{test:?}");
    }

    #[test]
    fn work_under_no_target_is_a_broken_row() {
        let error = by_chain(vec![work("main", 0, 1, 1)]).unwrap_err();
        assert!(matches!(error, StoreError::Row { table: "work_5m", .. }), "{error}");
        assert!(by_chain(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn no_work_expects_no_block_and_has_no_luck() {
        let found = by_chain(vec![work("main", 0x1d00_ffff, 0, 0)]).unwrap();
        assert_eq!((found[0].luck_percent, found[0].two_sided_p_value), (None, None));
    }
}
