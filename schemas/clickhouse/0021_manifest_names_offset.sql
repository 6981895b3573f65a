-- Names of one partition rise with their blocks, so a granule of the manifest holds a narrow range of
-- offsets: what was named since the last seals is found without reading the names before.
ALTER TABLE manifest ADD INDEX IF NOT EXISTS names_offset_range names_offset TYPE minmax GRANULARITY 1
