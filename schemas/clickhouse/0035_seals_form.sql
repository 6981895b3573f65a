-- What a seal holds: from form 2 on also the lists of blocks in `sealed_work_blocks`. Seals named before have form 1.
ALTER TABLE seals ADD COLUMN IF NOT EXISTS form UInt32 DEFAULT 1
