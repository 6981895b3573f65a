-- Reference facts with two clocks: when they hold (valid) and when they were appended (recorded).
CREATE TABLE IF NOT EXISTS facts
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
    kind               LowCardinality(String),
    entity             String,
    valid_from_us      Int64,
    valid_to_us        Nullable(Int64),
    body               String
)
ENGINE = MergeTree
ORDER BY (kind, entity, valid_from_us, topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
