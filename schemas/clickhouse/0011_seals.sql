-- The projection of the seals that won in the `commits` topic, in offset order, in one order with `manifest`.
-- Of a day's seals below a cut the one with the highest cut stands for all blocks of the day committed before it.
-- A seal says how many blocks have work or readings of its day, and the root over them.
-- The day -2147483648 stands for all days: everything committed before its cut lies in the seals of its days.
-- Two projectors may insert the same record, so a repeat is harmless.
CREATE TABLE IF NOT EXISTS seals
(
    commit_offset UInt64,
    day           Int32,
    seal          UInt64,
    cut           UInt64,
    rows          UInt64,
    content_hash  FixedString(32),
    seal_hash     FixedString(32),
    predecessor   FixedString(32),
    blocks        UInt64,
    blocks_root   FixedString(32)
)
ENGINE = MergeTree
ORDER BY (day, commit_offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
