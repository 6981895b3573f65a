-- Cumulative register readings. Differences are taken later, in (event time, id) order.
-- The index serves as that of `work_5m` does.
CREATE TABLE IF NOT EXISTS energy_readings
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
    machine_id         String,
    meter_id           String,
    witness            LowCardinality(String),
    register_wh        UInt64,
    INDEX block_range block TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(event_time_us, 'UTC'))
ORDER BY (meter_id, event_time_us, topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
