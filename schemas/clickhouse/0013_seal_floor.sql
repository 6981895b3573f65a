-- The highest offset here is that of a seal of all days; earlier ones may not be read by any more, as
-- collection may have removed the rows behind them. Readers at an earlier cut read the blocks themselves.
CREATE TABLE IF NOT EXISTS seal_floor
(
    commit_offset UInt64
)
ENGINE = MergeTree
ORDER BY commit_offset
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
