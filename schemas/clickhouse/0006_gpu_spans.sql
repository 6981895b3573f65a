-- Allocation spans with their exact ends; an open span has no end yet.
CREATE TABLE IF NOT EXISTS gpu_spans
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
    event_id           FixedString(16),
    site_id            LowCardinality(String),
    node_id            String,
    allocation_id      String,
    device             String,
    profile            LowCardinality(String),
    account            String,
    state              LowCardinality(String),
    gpus               UInt32,
    start_us           Int64,
    end_us             Nullable(Int64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(start_us, 'UTC'))
ORDER BY (node_id, allocation_id, start_us, topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
