package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
)

// This file owns the table of what the store itself has to know: the key behind tenants' names, and what it owes.

// internal is a row of what the store itself has to know.
type internal struct {
	Numbered
	Time        time.Time
	Name, Value string
}

func (*internal) table() Table { return "internal" }
func (*internal) size() int    { return rowBytes }

func (r *internal) columns() []column {
	return []column{{"time", &r.Time}, {"name", &r.Name}, {"value", &r.Value}}
}

// tenantKey reads the key that stands behind each Tenant, and makes it with the database. Where it is damaged there is a new one, and rows of before
// can't be found by their tenant's name any more.
func (w *writer) tenantKey(ctx context.Context) ([]byte, error) {
	r := internal{Time: w.now(), Name: "tenant"}
	err := w.find(ctx, &r, named, r.Name)
	var d *DamagedRowError
	switch {
	case err == nil:
		return hex.DecodeString(r.Value)
	case errors.As(err, &d):
		w.store.foundDamage(d)
	case !errors.Is(err, ErrNone):
		return nil, err
	}
	r = internal{Time: w.now(), Name: "tenant", Value: newTenantKey()}
	if err := w.durable(func() error { return w.note(&r) }); err != nil {
		return nil, err
	}
	return hex.DecodeString(r.Value)
}

const named = "WHERE name = ?"

// note writes a row anew.
func (w *writer) note(r *internal) error {
	return errors.Join(w.unnote(r.Name), w.insert(r))
}

func (w *writer) unnote(name string) error {
	_, err := w.c.ExecContext(context.Background(), "DELETE FROM internal "+named, name)
	return err
}

// owes tells whether a row of a name is there. A damaged one is.
func (w *writer) owes(name string) (bool, error) {
	var n int
	err := w.c.QueryRowContext(context.Background(), "SELECT count(*) FROM internal "+named, name).Scan(&n)
	return n > 0, err
}
