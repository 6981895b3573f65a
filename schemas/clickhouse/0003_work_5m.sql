-- Work per machine and settlement interval, split by what decides its worth. Additive.
-- Merged parts hold older blocks than fresh ones: by the index rows of the blocks above the last seals are found without
-- reading those below.
CREATE TABLE IF NOT EXISTS work_5m
(
    attempt            UInt64,
    topic              LowCardinality(String),
    partition          UInt32,
    block              UInt64,
    idx                UInt32,
    site_id            LowCardinality(String),
    machine_id         String,
    interval_start_us  Int64,
    chain              LowCardinality(String),
    nbits              UInt32,
    subsidy_sat        UInt64,
    verdict            LowCardinality(String),
    reason             LowCardinality(String),
    shares             UInt64,
    credited_q32       UInt128,
    credited_q32_squared UInt256,
    blocks             UInt64,
    INDEX attempt_index attempt TYPE bloom_filter GRANULARITY 1,
    INDEX block_range block TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(interval_start_us, 'UTC'))
ORDER BY (machine_id, interval_start_us, topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
