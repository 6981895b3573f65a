-- Parts from before get it too, in the background: until then they are read as they are.
ALTER TABLE manifest MATERIALIZE PROJECTION IF EXISTS latest
