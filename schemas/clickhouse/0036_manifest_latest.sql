-- Of each 65,536 offsets in `commits` and each partition the latest name: the heads of the chains at a cut, and the
-- newest cut, are found without reading all commits. A part holds its own, so the two cannot differ.
ALTER TABLE manifest ADD PROJECTION IF NOT EXISTS latest
(
    SELECT
        intDiv(commit_offset, 65536) AS stretch,
        topic,
        partition,
        count(),
        max(commit_offset),
        max(block),
        argMax(commit_hash, block)
    GROUP BY stretch, topic, partition
)
