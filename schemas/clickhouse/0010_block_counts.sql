-- What each block counted, by verdict and reason: the conservation law in rows.
CREATE TABLE IF NOT EXISTS block_counts
(
    attempt            UInt64,
    topic              LowCardinality(String),
    partition          UInt32,
    block              UInt64,
    idx                UInt32,
    verdict            LowCardinality(String),
    reason             LowCardinality(String),
    events             UInt64
)
ENGINE = MergeTree
ORDER BY (topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
