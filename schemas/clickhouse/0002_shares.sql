-- Every share that reached the log, whatever its verdict, with the header that proves it again.
CREATE TABLE IF NOT EXISTS shares
(
    attempt            UInt64,
    topic              LowCardinality(String),
    partition          UInt32,
    block              UInt64,
    idx                UInt32,
    log_offset         UInt64,
    frame_index        UInt32,
    append_time_us     Int64,
    source             LowCardinality(String),
    source_epoch       UInt64,
    source_key         String,
    sequence           UInt64,
    event_time_us      Int64,
    share_id           FixedString(16),
    session_id         String,
    job_id             String,
    site_id            LowCardinality(String),
    machine_id         String,
    chain              LowCardinality(String),
    height             UInt32,
    nbits              UInt32,
    subsidy_sat        UInt64,
    credited_q32       UInt128,
    verdict            LowCardinality(String),
    reason             LowCardinality(String),
    solves_block       UInt8,
    hash               FixedString(32),
    header             String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(event_time_us, 'UTC'))
ORDER BY (topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
