package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// This file owns tests of damage: to a row, to bytes of the file, to its length. What is damaged is said, and what is not is read.

// example is a row of each table, with a value in each column.
func example(s *Store) []record {
	at := time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)
	text, evidence, who := "a text", []byte(`{"p":0.01}`), s.Tenant("a")
	latency := Latency{Mean: 4, P50: 3, P95: 8, P99: 9}
	return []record{
		&Score{Time: at, Model: "m", Suite: "s", Digest: "d", Metric: "bleu", Tag: "t", Tier: "q4", Adapter: "a", Value: 31, Low: 30, High: 32, N: 99, Numerics: "n", Generation: 2},
		&Window{From: at.Add(-time.Minute), Until: at, Model: "m", Tenant: who, Class: "interactive", Requests: 5, TTFT: latency, ITL: latency, QPSMean: 2, QPSPeak: 3, PromptTokens: 7, AnswerTokens: 8,
			Refused: 1, Failed: 2, Cancelled: 3, Queue: latency, Missed: "qps",
			DeviceBusy: 0.9, DeviceShare: 0.8, Crowded: 0.5, CoresUsed: 1.5, CoresMost: 2, Tier: "q4", KVType: "f16"},
		&Alarm{Time: at, Model: "m", Series: "s", Detector: "d", Evidence: evidence},
		&Decision{Time: at, Model: "m", From: "q8", To: "q4", Reason: "r", Evidence: evidence, State: Applied, Settled: at},
		&Rating{Time: at, Answer: ID{1}, Tenant: who, Rating: 4, Correction: &text},
		&Judgement{Time: at, Answer: ID{1}, Tenant: who, Control: "n", Agreement: 0.9, KL: 0.1, ChrF: 70, Fluency: 4, Relevance: 0.5, CorrectionChrF: 60, CorrectionF1: 0.4, CorrectionRelevance: 0.3},
		&Receipt{Time: at, Answer: ID{1}, Tenant: who, Model: "m", Numerics: "n", Sampling: Sampling{1, 0.9, 0.1, 40, 0.1, 0.2, 1.1, 1 << 63},
			PromptTokens: 3, CachedTokens: 2, AnswerTokens: 1, Queue: 1, Prefill: 2, Decode: 3, Tier: "q4", EscalatedFrom: "q2", CacheLevel: "memory", CoreSeconds: 0.5, Prompt: &text, Text: &text,
			Class: "batch", Answers: 2, Outcome: Lengthy, MinTokens: 4, IgnoresEnd: 1, Biases: 5, TokensDigest: "0a", GPUSeconds: 0.25, ExtraTokens: 6, ExtraCoreSeconds: 0.125, Lengths: "[0,1]", LogitBias: &text, Confidence: -0.5, Opening: -0.25},
		&Cost{From: at.Add(-time.Minute), Until: at, Model: "m", Tenant: who, Requests: 5, PromptTokens: 7, AnswerTokens: 8, CoreSeconds: 1, GPUSeconds: 2, Class: "batch", Tier: "q4", OverheadSeconds: 3, CPUJoules: 5, GPUJoules: 6},
		&Experiment{Time: at, Model: "m", Kind: CauseRestored, Factor: "f", Off: "a", On: "b", Measure: "bleu", Before: 31, After: 33, Low: 1, High: 3, N: 99, Method: "replay", Tier: "q4", KVType: "f16", Seed: 1 << 62},
		&Golden{Time: at, Kind: Canaries, Digest: "d", Numerics: "n", Content: evidence},
	}
}

// addExamples writes them.
func addExamples(t fatal, s *Store) {
	t.Helper()
	for _, r := range example(s) {
		must(t, add(s, r))
	}
	flush(t, s)
	must(t, s.Settle(context.Background(), 1, Applied))
}

// other is an expression for another value than the column's.
func other(c column) string {
	switch v := c.value().(type) {
	case int64:
		return fmt.Sprint(c.name, " + 1")
	case float64:
		return fmt.Sprint(c.name, " + 1")
	case string:
		return fmt.Sprintf("%s || 'x'", c.name)
	case []byte:
		return fmt.Sprintf("x'%x'", append([]byte{9}, v[1:]...))
	}
	return ""
}

// Whichever column of whichever table is changed behind the store's back, the row is not given as if it were whole, and those beside it are.
func TestEveryColumnIsSummed(t *testing.T) {
	s := opened(t, Options{Privacy: All, now: newClock().now})
	addExamples(t, s)
	execute(t, s, "PRAGMA ignore_check_constraints = ON")
	before, errs := everything(s)
	if len(errs) > 0 || len(before) != len(kinds) {
		t.Fatal(before, errs)
	}
	columns := 0
	for _, r := range example(s) {
		changes := []string{"id = id + 100", "sum = sum + 1"}
		for _, c := range r.columns() {
			changes = append(changes, c.name+" = "+other(c))
			if value := c.value(); reflect.ValueOf(value).Kind() == reflect.String && strings.Contains("correction prompt_text answer_text logit_bias", c.name) {
				changes = append(changes, c.name+" = NULL", c.name+" = ''")
			}
			if c.name == "tenant" {
				changes = append(changes, "tenant = NULL")
			}
			if _, real := c.value().(float64); real {
				changes = append(changes, c.name+" = NULL", c.name+" = 0")
			}
			columns++
		}
		for _, change := range changes {
			execute(t, s, fmt.Sprintf("UPDATE %s SET %s", r.table(), change))
			rows, errs := everything(s)
			var d *DamagedRowError
			if len(errs) != 1 || !errors.As(errs[0], &d) || d.Table != r.table() || d.Row != 1 && d.Row != 101 {
				t.Errorf("%s: %s: %v", r.table(), change, errs)
			}
			if want := slices.DeleteFunc(slices.Clone(before), func(w row) bool { return w.Table == r.table() }); !reflect.DeepEqual(rows, want) {
				t.Errorf("%s: %s: rows beside it: %v", r.table(), change, rows)
			}
			restore(t, s, r.table())
		}
	}
	if columns < 75 {
		t.Errorf("only %d columns", columns)
	}
}

// A text that was never kept is not one that was empty.
func TestEmptyTextIsNotAbsent(t *testing.T) {
	s := opened(t, Options{})
	must(t, s.AddReceipt(Receipt{Answer: ID{1}}))
	flush(t, s)
	execute(t, s, "UPDATE receipts SET answer_text = ''")
	var d *DamagedRowError
	if _, err := s.Receipt(context.Background(), ID{1}); !errors.As(err, &d) {
		t.Error(err)
	}
}

// restore writes a table's example anew.
func restore(t *testing.T, s *Store, table Table) {
	t.Helper()
	for _, r := range example(s) {
		if r.table() == table {
			*r.number() = 1
			must(t, s.ask(context.Background(), func(w *writer) error {
				if _, err := w.c.ExecContext(context.Background(), "DELETE FROM "+string(table)); err != nil {
					return err
				}
				return w.insert(r)
			}))
		}
	}
}

// A row that is damaged is found at the next start and by a whole check, and can't be settled as if it were well.
func TestDamagedRowIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, path, Options{})
	addExamples(t, s)
	row, err := s.Decide(context.Background(), Decision{Model: "m"})
	must(t, err)
	execute(t, s, "UPDATE scores SET value = 99", fmt.Sprintf("UPDATE decisions SET to_tier = 'f16' WHERE id = %d", row))
	var d *DamagedRowError
	if err := s.Settle(context.Background(), row, Applied); !errors.As(err, &d) || d.Row != row {
		t.Errorf("settling a damaged decision: %v", err)
	}
	must(t, s.Close())
	s = mustOpen(t, path, Options{})
	defer s.Close()
	if n := s.State().Damaged; n != 2 {
		t.Errorf("%d damaged rows found at the start, want 2", n)
	}
	v, err := s.Verify(context.Background())
	want := []*DamagedRowError{{Scores, 1, "its checksum is another's"}, {Decisions, row, "its checksum is another's"}}
	if err != nil || !reflect.DeepEqual(v.Damaged, want) || len(v.Faults) > 0 || v.Rows != int64(len(kinds))+2 {
		t.Errorf("%+v %v", v, err)
	}
	if n := s.State().Damaged; n != 2 {
		t.Errorf("%d damaged rows counted, want 2", n)
	}
}

// An index that lost a row hides it from readers; a whole check says so.
func TestVerifyChecksIndices(t *testing.T) {
	s := opened(t, Options{})
	addExamples(t, s)
	execute(t, s, "PRAGMA writable_schema = ON", "UPDATE sqlite_schema SET sql = 'CREATE INDEX scores_time ON scores (n)' WHERE name = 'scores_time'", "PRAGMA writable_schema = RESET")
	v, err := s.Verify(context.Background())
	if err == nil && len(v.Faults) == 0 {
		t.Error("an index of other values is not noticed")
	}
}

// written is a closed history of some pages, its bytes, and its rows.
func written(t *testing.T) (path string, raw []byte, rows []row) {
	path = filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, path, Options{Privacy: All})
	for i := range 40 {
		for _, r := range example(s) {
			switch r := r.(type) {
			case *Receipt:
				text := strings.Repeat("text ", 100*(i%20))
				r.Answer, r.Text = ID{byte(i), 1}, &text
			case *Score:
				r.Time = r.Time.Add(time.Duration(i) * time.Second)
			}
			must(t, add(s, r))
		}
	}
	flush(t, s)
	rows, errs := everything(s)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	must(t, s.Close())
	raw, err := os.ReadFile(path)
	must(t, err)
	return path, raw, rows
}

// A table that is gone, or lacks a column, is damage like any other.
func TestTablesThatAreNotThere(t *testing.T) {
	for name, change := range map[string]string{"a table": "DROP TABLE scores", "a column": "ALTER TABLE receipts DROP COLUMN escalated_from"} {
		t.Run(name, func(t *testing.T) {
			path, _, _ := written(t)
			db := connect(path)
			_, err := db.Exec(change)
			must(t, errors.Join(err, db.Close()))
			var d *DamagedError
			if _, err := Open(path, Options{Log: quiet}); !errors.As(err, &d) || d.Path != path {
				t.Errorf("%v", err)
			}
		})
	}
}

// A file that is cut off anywhere is an error that names it.
func TestTruncatedAnywhere(t *testing.T) {
	_, raw, _ := written(t)
	path := filepath.Join(t.TempDir(), "history.db")
	lengths := []int{}
	for n := 1; n <= 130; n++ {
		lengths = append(lengths, n)
	}
	for page := 4096; page < len(raw); page += 4096 {
		lengths = append(lengths, page-1, page, page+1+rand.IntN(4000))
	}
	for _, n := range lengths {
		must(t, os.WriteFile(path, raw[:n], 0o600))
		s, err := Open(path, Options{Log: quiet})
		var d *DamagedError
		if !errors.As(err, &d) || d.Path != path || !strings.Contains(err.Error(), path) {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
		if s != nil {
			t.Fatal("there is an error and a store")
		}
	}
	// Of a log that was not copied to the file yet the file may have lost everything.
	must(t, errors.Join(os.WriteFile(path, nil, 0o600), os.WriteFile(path+"-wal", raw, 0o600)))
	if _, err := Open(path, Options{Log: quiet}); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("an empty file with a log: %v", err)
	}
}

// Whatever bytes are changed, no row is read that was not written, and one that is missing is told.
func TestChangedBytes(t *testing.T) {
	_, raw, rows := written(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range 150 {
		broken := slices.Clone(raw)
		at := random.IntN(len(raw))
		switch i % 3 {
		case 0:
			broken[at] ^= 1 << random.IntN(8)
		case 1:
			for j := at; j < min(at+64, len(raw)); j++ {
				broken[j] = byte(random.Uint32())
			}
		case 2: // a page is zeros, or another's
			from := random.IntN(len(raw)/4096) * 4096
			copy(broken[at/4096*4096:][:4096], raw[from:from+4096])
		}
		if said := examine(t, broken, rows); said != "" {
			t.Fatalf("seed %d, change %d at %d: %s", seed, i, at, said)
		}
	}
}

// examine opens a changed file and says what is wrong with what the store says of it.
func examine(t *testing.T, raw []byte, rows []row) string {
	path := filepath.Join(t.TempDir(), "history.db")
	must(t, os.WriteFile(path, raw, 0o600))
	s, err := Open(path, Options{Log: quiet})
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			return "the error does not name the file: " + err.Error()
		}
		return ""
	}
	defer s.Close()
	got, errs := everything(s)
	for _, r := range got {
		if !slices.ContainsFunc(rows, func(w row) bool { return reflect.DeepEqual(w, r) }) {
			return fmt.Sprintf("a row that was not written: %+v", r)
		}
	}
	v, err := s.Verify(context.Background())
	if len(got) != len(rows) && len(errs) == 0 && err == nil && len(v.Faults)+len(v.Damaged) == 0 {
		return fmt.Sprintf("%d rows of %d, and nobody says so", len(got), len(rows))
	}
	return ""
}

// A daemon goes on with a new file, and keeps the old one.
func TestDamagedIsSetAside(t *testing.T) {
	for name, content := range map[string]string{"text": strings.Repeat("no database\n", 99), "short": "SQL", "cut": magic + strings.Repeat("\x10", 200)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			must(t, errors.Join(os.WriteFile(path, []byte(content), 0o600), os.WriteFile(path+"-wal", []byte("log"), 0o600)))
			s, err := OpenAnew(path, Options{Log: quiet, now: newClock().now})
			must(t, err)
			defer s.Close()
			addExamples(t, s)
			aside := path + ".damaged-20270102T030405.000006Z"
			kept, err := os.ReadFile(aside)
			if err != nil || string(kept) != content {
				t.Errorf("%q %v", kept, err)
			}
			// Where SQLite had a look at the file, it has dropped a log that is none.
			if log, err := os.ReadFile(aside + "-wal"); name != "cut" && (err != nil || string(log) != "log") {
				t.Errorf("its log: %q %v", log, err)
			}
		})
	}
}

// FuzzFile changes bytes of a file anywhere: no row is read that was not written, and nothing ends the process.
func FuzzFile(f *testing.F) {
	raw, err := os.ReadFile(golden(8)) // which has a row of each table
	if err != nil {
		f.Fatal(err)
	}
	rows := rowsOfGolden(f, raw)
	f.Add(uint32(0), []byte("x"))
	f.Add(uint32(28), []byte{0xff, 0xff, 0xff, 0xff}) // the number of pages
	f.Add(uint32(4096), []byte{13, 0, 0, 0, 99})      // a page's header
	f.Fuzz(func(t *testing.T, at uint32, bytes []byte) {
		broken := slices.Clone(raw)
		copy(broken[int(at)%len(raw):], bytes)
		if said := examine(t, broken, rows); said != "" {
			t.Fatal(said)
		}
	})
}

func rowsOfGolden(f *testing.F, raw []byte) []row {
	path := filepath.Join(f.TempDir(), "history.db")
	must(f, os.WriteFile(path, raw, 0o600))
	s := mustOpen(f, path, Options{})
	defer s.Close()
	rows, errs := everything(s)
	if len(errs) > 0 || len(rows) != len(kinds) {
		f.Fatal(rows, errs)
	}
	return rows
}
