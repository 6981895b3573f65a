-- The projection of the `commits` topic, in offset order: which attempt of which block counts.
-- Two projectors may insert the same record; readers use it as a set, so a repeat is harmless.
CREATE TABLE IF NOT EXISTS manifest
(
    commit_offset    UInt64,
    topic           LowCardinality(String),
    partition       UInt32,
    block           UInt64,
    attempt         UInt64,
    first_offset    UInt64,
    end_offset      UInt64,
    events          UInt64,
    accepted        UInt64,
    duplicate       UInt64,
    rejected        UInt64,
    content_hash    FixedString(32),
    merkle_root     FixedString(32),
    last_frame_hash FixedString(32),
    predecessor     FixedString(32),
    commit_hash       FixedString(32),
    fold_version    UInt32
)
ENGINE = MergeTree
ORDER BY (topic, partition, block, commit_offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
