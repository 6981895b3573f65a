-- Readings of sealed days: every committed reading, with the block that holds it, as a bill names its evidence.
-- None is left out: readings of one instant that disagree are counted as conflicts by whoever reads them.
CREATE TABLE IF NOT EXISTS sealed_energy_readings
(
    day           Int32,
    seal          UInt64,
    machine_id    String,
    meter_id      String,
    witness       LowCardinality(String),
    event_time_us Int64,
    event_id      FixedString(16),
    register_wh   UInt64,
    site_id       LowCardinality(String),
    topic         LowCardinality(String),
    partition     UInt32,
    block         UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(toDate32(day))
ORDER BY (day, seal, machine_id, meter_id, witness, event_time_us, event_id, register_wh, site_id, topic, partition, block)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
