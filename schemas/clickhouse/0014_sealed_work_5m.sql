-- Work of sealed days: `work_5m` summed over the blocks of a UTC day, counted since 1970-01-01. The sums are
-- exact; `largest_q32` is the greatest difficulty of a share as the rows of single blocks tell it.
CREATE TABLE IF NOT EXISTS sealed_work_5m
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
