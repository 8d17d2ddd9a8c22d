-- What an answer that was escalated took beside what its client was given.

ALTER TABLE receipts ADD COLUMN extra_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipts ADD COLUMN extra_core_seconds REAL;
