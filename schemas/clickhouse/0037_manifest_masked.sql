-- A row that a repair removed before there was a projection is only masked: it goes, lest the projection count it.
ALTER TABLE manifest APPLY DELETED MASK
