-- What serving has to say of each answer and of each minute: how an answer ended and what it was made of, so that it can be computed
-- again; what waiting was like and what was refused; whom computing is charged to.

ALTER TABLE receipts ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipts ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN min_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipts ADD COLUMN ignores_end INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipts ADD COLUMN biases INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipts ADD COLUMN tokens_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN gpu_seconds REAL;

ALTER TABLE windows ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN queue_mean INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN queue_p50 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN queue_p95 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN queue_p99 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN missed TEXT NOT NULL DEFAULT '';

ALTER TABLE costs ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE costs ADD COLUMN tier TEXT NOT NULL DEFAULT '';
ALTER TABLE costs ADD COLUMN overhead_seconds REAL;
