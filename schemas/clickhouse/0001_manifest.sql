-- The projection of the `commits` topic, in offset order: which attempt of which block counts.
-- Two projectors may insert the same record; readers use it as a set, so a repeat is harmless.
-- Commits of one partition rise with their blocks, so a granule holds a narrow range of offsets: by the index what was
-- committed since the last seals is found without reading the commits before. The projection holds, of each 65,536
-- offsets in `commits` and each partition, the latest commit: the heads of the chains at a cut, and the newest cut, are
-- found without reading all commits. A part holds its own, so the two cannot differ.
CREATE TABLE IF NOT EXISTS manifest
(
    commit_offset   UInt64,
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
    commit_hash     FixedString(32),
    fold_version    UInt32,
    INDEX commit_offset_range commit_offset TYPE minmax GRANULARITY 1,
    PROJECTION latest
    (
        SELECT
            intDiv(commit_offset, 65536) AS stretch,
            topic,
            partition,
            count(),
            max(commit_offset),
            max(block),
            argMax(commit_hash, block)
        GROUP BY stretch, topic, partition
    )
)
ENGINE = MergeTree
ORDER BY (topic, partition, block, commit_offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
