-- How good single answers were found to be, so that people's ratings of them can be held against it; and how sure of an answer was what gave it.

CREATE TABLE judgements (
	id                   INTEGER PRIMARY KEY AUTOINCREMENT,
	time                 INTEGER NOT NULL,
	answer               BLOB NOT NULL,
	tenant               BLOB,
	control              TEXT NOT NULL,
	agreement            REAL,
	kl                   REAL,
	chrf                 REAL,
	fluency              REAL,
	relevance            REAL,
	correction_chrf      REAL,
	correction_f1        REAL,
	correction_relevance REAL,
	sum                  INTEGER NOT NULL
) STRICT;
CREATE INDEX judgements_time ON judgements (time);
CREATE INDEX judgements_answer ON judgements (answer);
CREATE INDEX judgements_tenant ON judgements (tenant) WHERE tenant IS NOT NULL;

ALTER TABLE receipts ADD COLUMN confidence REAL;
ALTER TABLE receipts ADD COLUMN opening REAL;
