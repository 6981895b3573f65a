-- What a machine said of itself, normalised; NULL is "it did not say", never zero.
CREATE TABLE IF NOT EXISTS miner_samples
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
    site_id            LowCardinality(String),
    machine_id         String,
    family             LowCardinality(String),
    state              LowCardinality(String),
    algorithm          LowCardinality(String),
    hashrate_hs        Nullable(UInt128),
    power_mw           Nullable(UInt64),
    uptime_s           Nullable(UInt64),
    accepted_shares    Nullable(UInt64),
    rejected_shares    Nullable(UInt64),
    stale_shares       Nullable(UInt64),
    answers            String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Micro(event_time_us, 'UTC'))
ORDER BY (machine_id, event_time_us, topic, partition, block, attempt, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
