-- What a seal says of its day's blocks, from form 2 on; seals committed before have form 1 and say nothing.
ALTER TABLE seals
    ADD COLUMN IF NOT EXISTS form UInt32 DEFAULT 1,
    ADD COLUMN IF NOT EXISTS blocks UInt64,
    ADD COLUMN IF NOT EXISTS blocks_root FixedString(32)
