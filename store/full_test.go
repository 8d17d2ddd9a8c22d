package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file owns tests of a disk that takes nothing: it is said, nobody waits, and when the disk takes rows again they are written without
// anybody's doing.

// until waits for the store to come to a state by itself.
func until(t *testing.T, s *Store, what string, is func(State) bool) {
	t.Helper()
	for began := time.Now(); !is(s.State()); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it does not come to be that %s: %+v", what, s.State())
		}
	}
}

// fail has the disk fail, and later work again.
func fail(t *testing.T, s *Store, broken, well func(), says string) {
	t.Helper()
	addExamples(t, s)
	written := s.State().Written
	broken()
	began := time.Now()
	text := strings.Repeat("t", 100<<10)
	for i := range 20 {
		must(t, s.AddReceipt(Receipt{Answer: ID{7, byte(i)}, Text: &text}))
	}
	must(t, s.AddScore(Score{N: 77}))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("adding took %v", took)
	}
	until(t, s, "writing fails", func(s State) bool { return s.Err != nil })
	if state := s.State(); !strings.Contains(state.Err.Error(), says) || !strings.Contains(state.Err.Error(), s.path) || state.Since.IsZero() || state.Queued != 21 || state.Written != written {
		t.Errorf("%+v, want %q", state, says)
	}
	if _, err := s.Decide(context.Background(), Decision{Model: "m", Evidence: []byte(`"` + strings.Repeat("e", maxEvidence-2) + `"`)}); err == nil {
		t.Error("a decision is said to be on a disk that takes nothing")
	}
	if rows, errs := everything(s); len(errs) > 0 || len(rows) != len(kinds) {
		t.Errorf("%d rows can be read of %d: %v", len(rows), len(kinds), errs)
	}
	well()
	until(t, s, "all is written", func(s State) bool { return s.Err == nil && s.Queued == 0 })
	if state := s.State(); state.Written != written+21 || state.Dropped != 0 || !state.Since.IsZero() {
		t.Errorf("%+v", state)
	}
	rows, errs := everything(s)
	if len(errs) > 0 || len(rows) != len(kinds)+21 {
		t.Errorf("%d rows: %v", len(rows), errs)
	}
	must(t, s.AddScore(Score{}))
	flush(t, s)
}

func TestFullDisk(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	fail(t, s,
		func() { execute(t, s, "PRAGMA max_page_count = 1") }, // which SQLite makes as many as there are
		func() { execute(t, s, "PRAGMA max_page_count = 1000000") }, "full")
}

func TestReadOnlyDisk(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	fail(t, s,
		func() { execute(t, s, "PRAGMA query_only = ON") },
		func() { execute(t, s, "PRAGMA query_only = OFF") }, "readonly")
}

// A file system that is really full, also where SQLite's own shared memory lies.
func TestFullFileSystem(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	defer unix.Unmount(folder, unix.MNT_DETACH)
	s := mustOpen(t, filepath.Join(folder, "history.db"), Options{Privacy: All})
	defer s.Close()
	filler := filepath.Join(folder, "filler")
	fail(t, s, func() {
		err := os.WriteFile(filler, make([]byte, 8<<20), 0o600)
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}, func() { must(t, os.Remove(filler)) }, "full")
}

// The end of a process whose disk takes nothing is no hang, and it is said that rows are lost.
func TestCloseOnAFullDisk(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "history.db"), Options{})
	execute(t, s, "PRAGMA query_only = ON")
	must(t, s.AddScore(Score{}))
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Error(err)
	}
}

// Attempts become rarer, and never rarer than somebody who made room would wait for.
func TestBackOff(t *testing.T) {
	s := opened(t, Options{})
	must(t, s.AddScore(Score{}))
	execute(t, s, "PRAGMA query_only = ON")
	last := time.Duration(0)
	for range 12 {
		must(t, s.ask(context.Background(), func(w *writer) error {
			if w.flush() == nil {
				t.Error("written")
			}
			if w.wait < last || w.wait == last && last != longestWait || w.wait > longestWait || w.wait < firstWait {
				t.Errorf("%v after %v", w.wait, last)
			}
			last = w.wait
			return nil
		}))
	}
	if last != longestWait {
		t.Errorf("%v at last", last)
	}
	execute(t, s, "PRAGMA query_only = OFF")
	flush(t, s)
	must(t, s.ask(context.Background(), func(w *writer) error {
		if w.wait != 0 {
			t.Errorf("%v after it went well", w.wait)
		}
		return nil
	}))
}
