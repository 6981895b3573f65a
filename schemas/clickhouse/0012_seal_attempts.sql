-- Every attempt to seal a day, noted before its rows are written. An attempt whose cut is not above the
-- cut of the day's seal, and that is not that seal, can never count again: its rows are garbage.
CREATE TABLE IF NOT EXISTS seal_attempts
(
    day  Int32,
    seal UInt64,
    cut  UInt64
)
ENGINE = MergeTree
ORDER BY (day, seal)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
