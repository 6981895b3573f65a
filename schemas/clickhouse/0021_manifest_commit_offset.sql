-- Names of one partition rise with their blocks, so a granule of the manifest holds a narrow range of
-- offsets: what was committed since the last seals is found without reading the commits before.
ALTER TABLE manifest ADD INDEX IF NOT EXISTS commit_offset_range commit_offset TYPE minmax GRANULARITY 1
