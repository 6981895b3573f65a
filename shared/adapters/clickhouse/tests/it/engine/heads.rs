//! The heads of the chains and the end of the commits, at cuts of every kind.

use wb_clickhouse::Store;
use wb_clickhouse::heads::{Head, STRETCH, committed_to, read_heads, read_heads_above};

/// Commits, in three whole stretches and a part of a fourth.
const COMMITS: u64 = 3 * STRETCH + 12_345;

/// Commits of six chains in turn, of which one ends early; some are stored twice, and one offset has none.
async fn fill(store: &Store) {
    for (from, to) in [(0, STRETCH / 2), (STRETCH / 2 - 100, 2 * STRETCH), (2 * STRETCH, COMMITS)] {
        let sql = format!(
            "INSERT INTO manifest (commit_offset, topic, partition, block, attempt, commit_hash) \
             SELECT number, if(number % 6 < 4, 'shares', 'energy'), number % 6, intDiv(number, 6), 1, \
               SHA256(toString(number)) \
             FROM numbers({from}, {to} - {from}) WHERE number != 70000 AND (number % 6 != 5 OR number < 900)"
        );
        store.client().query_raw(&sql).execute().await.unwrap();
    }
}

/// A commit that a repair removed is not found.
pub(crate) async fn follow_what_is_removed(store: &Store) {
    let client = store.client();
    fill(store).await;
    store.remove_manifest_row(COMMITS - 1).await.unwrap();
    assert_eq!(committed_to(client, u64::MAX).await.unwrap(), COMMITS - 1);
    store.remove_manifest_row(COMMITS - 2).await.unwrap();
    store.remove_manifest_row(STRETCH - 1).await.unwrap();
    assert_eq!(committed_to(client, u64::MAX).await.unwrap(), COMMITS - 2);
    assert_eq!(committed_to(client, STRETCH).await.unwrap(), STRETCH - 1);
    let heads = read_heads(client, COMMITS).await.unwrap();
    assert_eq!(heads.iter().map(|head| head.commit_offset).max(), Some(COMMITS - 3));
}

pub(crate) async fn are_found_without_reading_all_commits(store: &Store) {
    let client = store.client();
    assert_eq!(read_heads(client, 100).await.unwrap(), [], "there is no commit yet");
    assert_eq!(committed_to(client, u64::MAX).await.unwrap(), 0);
    fill(store).await;
    let plain = client.clone().with_setting("optimize_use_projections", "0");
    for cut in [
        0,
        1,
        901,
        STRETCH,
        70_001,
        2 * STRETCH,
        2 * STRETCH + 1,
        3 * STRETCH - 1,
        3 * STRETCH,
        3 * STRETCH + 1,
        COMMITS,
        u64::MAX,
    ] {
        for from in [0, 70_000, cut] {
            let (mut heads, above) = read_heads_above(client, from, cut).await.unwrap();
            heads.sort_by_key(|head| (head.topic.clone(), head.partition));
            let mut alone = read_heads(client, cut).await.unwrap();
            alone.sort_by_key(|head| (head.topic.clone(), head.partition));
            assert_eq!(alone, heads);
            let sql = "SELECT max(m.commit_offset) AS commit_offset, toString(m.topic) AS topic, partition, \
                   max(m.block) AS block, argMax(m.commit_hash, m.block) AS commit_hash \
                 FROM manifest AS m WHERE m.commit_offset < ? GROUP BY m.topic, partition ORDER BY m.topic, partition";
            let expected: Vec<Head> = plain.query(sql).bind(cut).fetch_all().await.unwrap();
            assert_eq!(heads, expected, "below {cut}");
            let sql = "SELECT partition, min(block) FROM manifest WHERE topic = 'shares' AND commit_offset >= ? \
                 AND commit_offset < ? GROUP BY partition ORDER BY partition";
            let expected: Vec<(u32, u64)> = plain.query(sql).bind(from).bind(cut).fetch_all().await.unwrap();
            assert_eq!(above.0.into_iter().collect::<Vec<_>>(), expected, "from {from} below {cut}");
        }
        let sql = "SELECT if(count() = 0, toUInt64(0), max(commit_offset) + 1) FROM manifest WHERE commit_offset < ?";
        let expected: u64 = plain.query(sql).bind(cut).fetch_one().await.unwrap();
        assert_eq!(committed_to(client, cut).await.unwrap(), expected, "below {cut}");
    }
    // The server refuses a query that does not use the projection.
    let forced = client.clone().with_setting("force_optimize_projection_name", "latest");
    read_heads(&forced, COMMITS).await.unwrap();
    assert!(read_heads(&forced, STRETCH).await.is_err(), "few commits are read as they are");
    assert_eq!(committed_to(&forced, u64::MAX).await.unwrap(), COMMITS);
}
