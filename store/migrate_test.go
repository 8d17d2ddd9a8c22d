package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// This file owns tests of the schema's versions: those that were released, kept as files, and the way from one to the next.

var rewrite = flag.Bool("rewrite", false, "write the file of the present schema in testdata, if there is none")

// golden is a history as a version wrote it, which every later one must read.
func golden(schema int) string { return fmt.Sprintf("testdata/schema-%d.db", schema) }

// Every schema that there ever was has a file, with a row in each table, whose rows and checksums hold for ever.
func TestEarlierVersions(t *testing.T) {
	list, err := migrations(embedded)
	must(t, err)
	if *rewrite {
		writeGolden(t, golden(len(list)))
	}
	for schema := 1; schema <= len(list); schema++ {
		raw, err := os.ReadFile(golden(schema))
		if err != nil {
			t.Fatalf("%v: go test ./store -run EarlierVersions -rewrite", err)
		}
		path := filepath.Join(t.TempDir(), "history.db")
		must(t, os.WriteFile(path, raw, 0o600))
		s := mustOpen(t, path, Options{Privacy: All})
		got, errs := everything(s)
		var want []row
		for _, r := range example(s) {
			if _, later := r.(*Experiment); later && schema < 3 {
				continue
			}
			if _, later := r.(*Golden); later && schema < 4 {
				continue
			}
			if _, later := r.(*Judgement); later && schema < 8 {
				continue
			}
			asOf(schema, r)
			*r.number() = 1
			want = append(want, rowOf(r))
		}
		if len(errs) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("schema %d: %v\n%v, want\n%v", schema, errs, got, want)
		}
		v, err := s.Verify(context.Background())
		if err != nil || len(v.Damaged)+len(v.Faults) > 0 || v.Rows != int64(len(want))+1 {
			t.Errorf("schema %d: %+v %v", schema, v, err)
		}
		must(t, s.Close())
	}
}

// asOf takes from a row what a schema had no columns for.
func asOf(schema int, r record) {
	if r, is := r.(*Receipt); is && schema < 5 {
		r.ExtraTokens, r.ExtraCoreSeconds = 0, math.NaN()
	}
	if r, is := r.(*Receipt); is && schema < 6 {
		r.Lengths, r.LogitBias = "", nil
	}
	if r, is := r.(*Receipt); is && schema < 8 {
		r.Confidence, r.Opening = math.NaN(), math.NaN()
	}
	if schema < 7 {
		switch r := r.(type) {
		case *Window:
			r.DeviceBusy, r.DeviceShare, r.Crowded, r.CoresUsed, r.CoresMost = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
		case *Cost:
			r.CPUJoules, r.GPUJoules = math.NaN(), math.NaN()
		}
	}
	if schema < 9 {
		switch r := r.(type) {
		case *Window:
			r.Tier, r.KVType = "", ""
		case *Experiment:
			r.Tier, r.KVType, r.Seed = "", "", 0
		}
	}
	if schema >= 2 {
		return
	}
	switch r := r.(type) {
	case *Window:
		r.Refused, r.Failed, r.Cancelled, r.Queue, r.Missed = 0, 0, 0, Latency{}, ""
	case *Receipt:
		r.Class, r.Answers, r.Outcome, r.MinTokens, r.IgnoresEnd, r.Biases, r.TokensDigest, r.GPUSeconds = "", 0, "", 0, 0, 0, "", math.NaN()
	case *Cost:
		r.Class, r.Tier, r.OverheadSeconds = "", "", math.NaN()
	}
}

// writeGolden keeps a file that is there: a schema that was released stays what it was.
func writeGolden(t *testing.T, path string) {
	if _, err := os.Stat(path); err == nil {
		return
	}
	at := filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, at, Options{Privacy: All, now: newClock().now})
	addExamples(t, s)
	must(t, s.Close())
	raw, err := os.ReadFile(at)
	must(t, errors.Join(err, os.MkdirAll("testdata", 0o755)))
	must(t, os.WriteFile(path, raw, 0o644))
}

func TestMigrationNumbers(t *testing.T) {
	file := &fstest.MapFile{Data: []byte("-- nothing")}
	for names, want := range map[string]string{
		"0001_a 0002_b": "", "0001_a 0003_b": "0003_b.sql: the number must be 2", "0002_b": "must be 1", "one_a": "must be 1", "0001_a 0001_b": "must be 2",
	} {
		folder := fstest.MapFS{}
		for _, name := range strings.Fields(names) {
			folder["migrations/"+name+".sql"] = file
		}
		list, err := migrations(folder)
		if want == "" && (err != nil || len(list) != len(folder)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %d %v, want %q", names, len(list), err, want)
		}
	}
}

// schemaOf asks a closed history what it is.
func schemaOf(t *testing.T, path string) (i identity, columns string) {
	t.Helper()
	db := connect(path)
	defer db.Close()
	c, err := db.Conn(context.Background())
	must(t, err)
	defer c.Close()
	i, err = identify(context.Background(), c)
	must(t, err)
	must(t, c.QueryRowContext(context.Background(), "SELECT group_concat(name) FROM pragma_table_info('scores')").Scan(&columns))
	return i, columns
}

// An older file has all that it lacks at once, or nothing of it; its rows and their sums stay. A newer one is refused.
func TestMigration(t *testing.T) {
	list, err := migrations(embedded)
	must(t, err)
	path := filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, path, Options{Privacy: All})
	addExamples(t, s)
	before, _ := everything(s)
	must(t, s.Close())

	second, third := "ALTER TABLE scores ADD COLUMN two INTEGER NOT NULL DEFAULT 0", "ALTER TABLE scores ADD COLUMN three TEXT"
	_, err = Open(path, Options{Log: quiet, schema: append(list[:len(list):len(list)], second, "CREATE TABLE scores (x)")})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), fmt.Sprintf("migration %d", len(list)+2)) {
		t.Errorf("a migration that fails: %v", err)
	}
	if i, columns := schemaOf(t, path); i.schema != len(list) || strings.Contains(columns, "two") {
		t.Errorf("half migrated: schema %d, columns %s", i.schema, columns)
	}

	s = mustOpen(t, path, Options{Privacy: All, schema: append(list[:len(list):len(list)], second, third)})
	after, errs := everything(s)
	if len(errs) > 0 || !reflect.DeepEqual(before, after) {
		t.Errorf("after the migration: %v %v", after, errs)
	}
	must(t, s.Close())
	if i, columns := schemaOf(t, path); i.schema != len(list)+2 || !strings.HasSuffix(columns, "two,three") || i.application != applicationID {
		t.Errorf("%+v %s", i, columns)
	}

	for _, open := range []func(string, Options) (*Store, error){Open, OpenAnew} {
		_, err = open(path, Options{Log: quiet})
		var newer *NewerError
		if !errors.As(err, &newer) || newer.Schema != len(list)+2 || newer.Ours != len(list) || !strings.Contains(err.Error(), path) {
			t.Errorf("a newer file: %v", err)
		}
	}
}

// Another program's database stays as it is.
func TestForeignDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	must(t, os.WriteFile(path, nil, 0o600))
	db := connect(path)
	_, err := db.Exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
	must(t, errors.Join(err, db.Close()))
	before, _ := os.ReadFile(path)
	for _, open := range []func(string, Options) (*Store, error){Open, OpenAnew} {
		if _, err := open(path, Options{Log: quiet}); err == nil || !strings.Contains(err.Error(), path+" is a database of another program") {
			t.Error(err)
		}
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("it was changed")
	}
}
