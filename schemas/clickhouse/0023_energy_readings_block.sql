-- As 0022, for readings.
ALTER TABLE energy_readings ADD INDEX IF NOT EXISTS block_range block TYPE minmax GRANULARITY 1
