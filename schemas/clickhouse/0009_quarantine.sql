-- What was refused after it reached the log, whole, with its reason and origin.
CREATE TABLE IF NOT EXISTS quarantine
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
    code               LowCardinality(String),
    reason             String,
    original           String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(append_time_us, 'UTC'))
ORDER BY (topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
