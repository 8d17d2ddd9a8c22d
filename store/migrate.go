package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// This file owns the schema: numbered files of SQL, of which a database has had the first so and so many.
//
// A file that has been released never changes. One that adds a column gives it a default of 0, an empty text or NULL, which checksums leave out;
// the column comes last in its row's list of columns. Anything else has to compute sums anew, which takes code.
// Each schema has a file in testdata: go test ./store -run EarlierVersions -rewrite writes that of a new one.

//go:embed migrations/*.sql
var embedded embed.FS

// applicationID marks a database as ours: "Chim" (https://www.sqlite.org/pragma.html#pragma_application_id).
const applicationID = 0x4368696d

// migrations are the files of a folder in the order of their numbers, which begin at 1 and leave nothing out.
func migrations(from fs.FS) ([]string, error) {
	files, err := fs.Glob(from, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	var list []string
	for i, file := range files {
		number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("%s: the number must be %d", file, i+1)
		}
		text, err := fs.ReadFile(from, file)
		if err != nil {
			return nil, err
		}
		list = append(list, string(text))
	}
	return list, nil
}

// identity is what a database says it is.
type identity struct {
	application, schema int
	objects             int // tables and the like
}

func identify(ctx context.Context, c *sql.Conn) (i identity, err error) {
	err = errors.Join(
		c.QueryRowContext(ctx, "PRAGMA application_id").Scan(&i.application),
		c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&i.schema),
		c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&i.objects))
	return i, err
}

func (i identity) isNew() bool { return i == identity{} }

// check refuses what is not ours, or not for us.
func (i identity) check(path string, ours int) error {
	switch {
	case i.isNew():
		return nil
	case i.application != applicationID:
		return &ForeignError{path}
	case i.schema > ours:
		return &NewerError{path, i.schema, ours}
	case i.schema < 1:
		return &DamagedError{path, fmt.Errorf("it has schema %d, and the first was 1", i.schema)}
	}
	return nil
}

// migrate brings a database from a schema to the last: all files that it lacks in one transaction, so that it is never between two.
func migrate(ctx context.Context, c *sql.Conn, schema int, list []string) error {
	if schema == len(list) {
		return nil
	}
	return transaction(ctx, c, func() error {
		for i, text := range list[schema:] {
			if _, err := c.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("migration %d: %w", schema+i+1, err)
			}
		}
		_, err := c.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(list)))
		return err
	})
}

// transaction runs f in a transaction, which is on its way to the disk with a nil error and has not happened with any other.
func transaction(ctx context.Context, c *sql.Conn, f func() error) error {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = c.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// After some errors, such as a full disk, SQLite has rolled back already, and says that there is nothing to roll back.
		c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}
