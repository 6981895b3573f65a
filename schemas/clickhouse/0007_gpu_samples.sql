-- What GPUs and MIG slices said of themselves; NULL is "it did not say", never zero.
CREATE TABLE IF NOT EXISTS gpu_samples
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
    device             String,
    profile            LowCardinality(String),
    instance           LowCardinality(String),
    utilisation_ppm    Nullable(UInt64),
    engine_active_ppm  Nullable(UInt64),
    memory_used_mib    Nullable(UInt64),
    power_mw           Nullable(UInt64),
    last_xid           Nullable(UInt64),
    xid_count          Nullable(UInt64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(event_time_us, 'UTC'))
ORDER BY (node_id, event_time_us, device, instance, topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
