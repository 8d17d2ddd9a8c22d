-- What a model as it was first seen has answered, so that what it answers later can be held against it: written once, and never again.

CREATE TABLE goldens (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	time     INTEGER NOT NULL,
	kind     TEXT NOT NULL CHECK (kind IN ('canaries', 'suite')),
	digest   TEXT NOT NULL,
	numerics TEXT NOT NULL,
	content  TEXT NOT NULL,
	sum      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX goldens_subject ON goldens (kind, digest, numerics);
