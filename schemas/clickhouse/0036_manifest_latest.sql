-- Of each 65,536 offsets in `names` and each partition the latest name: the heads of the chains at a cut, and the
-- newest cut, are found without reading all names. A part holds its own, so the two cannot differ.
ALTER TABLE manifest ADD PROJECTION IF NOT EXISTS latest
(
    SELECT
        intDiv(names_offset, 65536) AS stretch,
        topic,
        partition,
        count(),
        max(names_offset),
        max(block),
        argMax(name_hash, block)
    GROUP BY stretch, topic, partition
)
