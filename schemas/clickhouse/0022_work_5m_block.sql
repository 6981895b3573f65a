-- Merged parts hold older blocks than fresh ones: rows of the blocks above the last seals are found
-- without reading those below. Parts written before this index are read whole until they are merged.
ALTER TABLE work_5m ADD INDEX IF NOT EXISTS block_range block TYPE minmax GRANULARITY 1
