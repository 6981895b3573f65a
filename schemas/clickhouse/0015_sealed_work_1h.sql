-- `sealed_work_5m` by the hour, written and verified with it: the conservation law compares their sums.
CREATE TABLE IF NOT EXISTS sealed_work_1h
(
    day                  Int32,
    seal                 UInt64,
    machine_id           String,
    interval_start_us    Int64,
    site_id              LowCardinality(String),
    chain                LowCardinality(String),
    nbits                UInt32,
    subsidy_sat          UInt64,
    verdict              LowCardinality(String),
    reason               LowCardinality(String),
    shares               UInt64,
    credited_q32         UInt128,
    credited_q32_squared UInt256,
    blocks               UInt64,
    largest_q32          UInt256
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(toDate32(day))
ORDER BY (day, seal, machine_id, interval_start_us, site_id, chain, nbits, subsidy_sat, verdict, reason)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
