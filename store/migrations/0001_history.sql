-- The first schema. A row's sum is the checksum of its other columns (checksum.go); times are microseconds since
-- 1970 in UTC, durations nanoseconds; a number that nobody knows is NULL.
-- AUTOINCREMENT: a row's number is never given twice, so that a report's figure can be traced to its rows for ever.

-- What the store itself has to know, such as the key behind tenants' names.
CREATE TABLE internal (
	id    INTEGER PRIMARY KEY AUTOINCREMENT,
	time  INTEGER NOT NULL,
	name  TEXT NOT NULL UNIQUE,
	value TEXT NOT NULL,
	sum   INTEGER NOT NULL
) STRICT;

CREATE TABLE scores (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	time       INTEGER NOT NULL,
	model      TEXT NOT NULL,
	suite      TEXT NOT NULL,
	digest     TEXT NOT NULL,
	metric     TEXT NOT NULL,
	tag        TEXT NOT NULL,
	tier       TEXT NOT NULL,
	adapter    TEXT NOT NULL,
	value      REAL,
	low        REAL,
	high       REAL,
	n          INTEGER NOT NULL,
	numerics   TEXT NOT NULL,
	generation INTEGER NOT NULL,
	sum        INTEGER NOT NULL
) STRICT;
CREATE INDEX scores_time ON scores (time);

CREATE TABLE windows (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	began         INTEGER NOT NULL,
	ended         INTEGER NOT NULL,
	model         TEXT NOT NULL,
	tenant        BLOB,
	class         TEXT NOT NULL,
	requests      INTEGER NOT NULL,
	ttft_mean     INTEGER NOT NULL,
	ttft_p50      INTEGER NOT NULL,
	ttft_p95      INTEGER NOT NULL,
	ttft_p99      INTEGER NOT NULL,
	itl_mean      INTEGER NOT NULL,
	itl_p50       INTEGER NOT NULL,
	itl_p95       INTEGER NOT NULL,
	itl_p99       INTEGER NOT NULL,
	qps_mean      REAL,
	qps_peak      REAL,
	prompt_tokens INTEGER NOT NULL,
	answer_tokens INTEGER NOT NULL,
	sum           INTEGER NOT NULL
) STRICT;
CREATE INDEX windows_ended ON windows (ended);
CREATE INDEX windows_tenant ON windows (tenant) WHERE tenant IS NOT NULL;

CREATE TABLE alarms (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	time     INTEGER NOT NULL,
	model    TEXT NOT NULL,
	series   TEXT NOT NULL,
	detector TEXT NOT NULL,
	evidence TEXT NOT NULL,
	sum      INTEGER NOT NULL
) STRICT;
CREATE INDEX alarms_time ON alarms (time);

CREATE TABLE decisions (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	time      INTEGER NOT NULL,
	model     TEXT NOT NULL,
	from_tier TEXT NOT NULL,
	to_tier   TEXT NOT NULL,
	reason    TEXT NOT NULL,
	evidence  TEXT NOT NULL,
	state     TEXT NOT NULL CHECK (state IN ('begun', 'applied', 'reverted')),
	settled   INTEGER NOT NULL,
	sum       INTEGER NOT NULL
) STRICT;
CREATE INDEX decisions_time ON decisions (time);
CREATE INDEX decisions_begun ON decisions (state) WHERE state = 'begun';

CREATE TABLE ratings (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	time       INTEGER NOT NULL,
	answer     BLOB NOT NULL,
	tenant     BLOB,
	rating     INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
	correction TEXT,
	sum        INTEGER NOT NULL
) STRICT;
CREATE INDEX ratings_time ON ratings (time);
CREATE INDEX ratings_answer ON ratings (answer);
CREATE INDEX ratings_tenant ON ratings (tenant) WHERE tenant IS NOT NULL;

CREATE TABLE receipts (
	id                 INTEGER PRIMARY KEY AUTOINCREMENT,
	time               INTEGER NOT NULL,
	answer             BLOB NOT NULL,
	tenant             BLOB,
	model              TEXT NOT NULL,
	numerics           TEXT NOT NULL,
	temperature        REAL,
	top_p              REAL,
	min_p              REAL,
	top_k              INTEGER NOT NULL,
	presence_penalty   REAL,
	frequency_penalty  REAL,
	repetition_penalty REAL,
	seed               INTEGER NOT NULL,
	prompt_tokens      INTEGER NOT NULL,
	cached_tokens      INTEGER NOT NULL,
	answer_tokens      INTEGER NOT NULL,
	queue              INTEGER NOT NULL,
	prefill            INTEGER NOT NULL,
	decode             INTEGER NOT NULL,
	tier               TEXT NOT NULL,
	escalated_from     TEXT NOT NULL,
	cache_level        TEXT NOT NULL,
	core_seconds       REAL,
	prompt_text        TEXT,
	answer_text        TEXT,
	sum                INTEGER NOT NULL
) STRICT;
CREATE INDEX receipts_time ON receipts (time);
CREATE UNIQUE INDEX receipts_answer ON receipts (answer);
CREATE INDEX receipts_tenant ON receipts (tenant) WHERE tenant IS NOT NULL;

CREATE TABLE costs (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	began         INTEGER NOT NULL,
	ended         INTEGER NOT NULL,
	model         TEXT NOT NULL,
	tenant        BLOB,
	requests      INTEGER NOT NULL,
	prompt_tokens INTEGER NOT NULL,
	answer_tokens INTEGER NOT NULL,
	core_seconds  REAL,
	gpu_seconds   REAL,
	sum           INTEGER NOT NULL
) STRICT;
CREATE INDEX costs_ended ON costs (ended);
CREATE INDEX costs_tenant ON costs (tenant) WHERE tenant IS NOT NULL;
