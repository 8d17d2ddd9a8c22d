//go:build cgo

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"

	"github.com/mattn/go-sqlite3"
)

// This file owns what is particular to the driver: how connections are made, and what its errors mean.

// connector makes connections to one file, each with its pragmas.
type connector struct {
	driver *sqlite3.SQLiteDriver
	name   string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// connect opens a file that exists.
func connect(path string, pragmas ...string) *sql.DB {
	hook := func(c *sqlite3.SQLiteConn) error {
		for _, p := range pragmas {
			if _, err := c.Exec("PRAGMA "+p, nil); err != nil {
				return err
			}
		}
		return nil
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "mode=rw"}
	return sql.OpenDB(connector{&sqlite3.SQLiteDriver{ConnectHook: hook}, name.String()})
}

func codeOf(err error) sqlite3.ErrNo {
	var e sqlite3.Error
	errors.As(err, &e)
	return e.Code
}

// saysDamaged tells whether an error says that the file is damaged or no database.
func saysDamaged(err error) bool {
	switch codeOf(err) {
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrFormat:
		return true
	}
	return false
}

// saysRefused tells whether an error is that of the row that was written, and would come again.
func saysRefused(err error) bool {
	switch codeOf(err) {
	case sqlite3.ErrConstraint, sqlite3.ErrMismatch, sqlite3.ErrTooBig, sqlite3.ErrRange:
		return true
	}
	return false
}
