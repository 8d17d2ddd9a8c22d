-- What switching a setting on or off was measured to change, and what of a loss came back when one cause of it was taken away: the rows that
-- a report's recommendations and root causes stand on.

CREATE TABLE experiments (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	time     INTEGER NOT NULL,
	model    TEXT NOT NULL,
	kind     TEXT NOT NULL,
	factor   TEXT NOT NULL,
	off      TEXT NOT NULL,
	switched TEXT NOT NULL,
	measure  TEXT NOT NULL,
	before   REAL,
	after    REAL,
	low      REAL,
	high     REAL,
	n        INTEGER NOT NULL,
	method   TEXT NOT NULL,
	sum      INTEGER NOT NULL
) STRICT;
CREATE INDEX experiments_time ON experiments (time);
