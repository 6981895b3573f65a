-- The projection of the `ledger` topic: winning records only, in offset order.
-- Two projectors may insert the same record; readers use LIMIT 1 BY ledger_offset.
CREATE TABLE IF NOT EXISTS ledger
(
    ledger_offset      UInt64,
    record_hash        FixedString(32),
    predecessor        FixedString(32),
    kind               LowCardinality(String),
    customer_id        String,
    invoice_id         String,
    body               String
)
ENGINE = MergeTree
ORDER BY (kind, customer_id, invoice_id, ledger_offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
