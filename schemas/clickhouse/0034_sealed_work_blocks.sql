-- Of sealed days: which blocks hold accepted work of a machine, as a bill names its evidence. Sorted, each once.
CREATE TABLE IF NOT EXISTS sealed_work_blocks
(
    day        Int32,
    seal       UInt64,
    machine_id String,
    topic      LowCardinality(String),
    partition  UInt32,
    blocks     Array(UInt64) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(toDate32(day))
ORDER BY (day, seal, machine_id, topic, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
