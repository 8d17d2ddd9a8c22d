-- At which tier and with which type of the KV cache a stretch was served and a comparison made, and by which seed its questions were drawn: figures of another
-- way to serve say nothing of the present one.

ALTER TABLE windows ADD COLUMN tier TEXT NOT NULL DEFAULT '';
ALTER TABLE windows ADD COLUMN kv_type TEXT NOT NULL DEFAULT '';

ALTER TABLE experiments ADD COLUMN tier TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN kv_type TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN seed INTEGER NOT NULL DEFAULT 0;
