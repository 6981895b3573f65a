-- Of sealed days: which blocks have work or readings of the day, with what their commits say of them. Their number and
-- the root over them stand in the seal, and so behind every bill of the day.
CREATE TABLE IF NOT EXISTS sealed_blocks
(
    day          Int32,
    seal         UInt64,
    topic        LowCardinality(String),
    partition    UInt32,
    block        UInt64,
    content_hash FixedString(32),
    merkle_root  FixedString(32)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(toDate32(day))
ORDER BY (day, seal, topic, partition, block)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
