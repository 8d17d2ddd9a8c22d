package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chimera/store"
)

// This file owns what must be there of the quality loop when its daemon was killed: windows of live scores, suites' scores, and what is pinned.

// killedQuality is what the daemons of one history were seen to measure, and what was on the disk.
type killedQuality struct {
	mu       sync.Mutex
	windows  map[time.Time]bool // live windows of the daemon that runs, by when they were written
	goldens  map[string]string  // contents by kind, digest and numerics id
	seen     int                // windows of all daemons
	canaries int                // sets that were asked
	suites   int                // rows of suites
	drawn    int64              // requests of all daemons
}

func (q *killedQuality) measured() (canaries, windows int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.canaries, q.seen
}

// untilMore waits until more canaries were asked than that, and more windows are full, and a moment longer. On a busy machine that is long after they are due.
func (q *killedQuality) untilMore(canaries, windows int) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, w := q.measured(); c > canaries && w > windows {
			break
		}
	}
	time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
}

// qualityArgs have every answer drawn, small windows, canaries, and a suite of some lines of the translation model's.
func qualityArgs(t *testing.T, model string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(model)), "suite", "dev.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	file, lines := filepath.Join(t.TempDir(), "dev.jsonl"), strings.SplitAfterN(string(text), "\n", 31)[:30]
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(strings.Join(lines, ""), `{"id"`, `{"half": "tuning", "id"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--quality-control-share", "1", "--quality-window", "20", "--quality-suites", file}
}

// watch asks a daemon what it measures until it is killed.
func (q *killedQuality) watch(t *testing.T, d *daemonProcess) {
	var canaries time.Time
	var drawn int64
	for ; ; time.Sleep(100 * time.Millisecond) {
		status, _, text := d.overSocket("GET", "/v1/quality", "")
		if status == 0 {
			break
		}
		var now struct {
			Control []struct {
				Requests []struct{ Drawn int64 }
				Last     *struct{ Until time.Time } `json:"last_window"`
				Canaries *struct{ Time time.Time }
			}
			Alarms []struct{ Series string }
		}
		if err := json.Unmarshal(text, &now); err != nil || status != 200 || len(now.Alarms) != 0 {
			t.Errorf("%d %v %s", status, err, text)
			break
		}
		q.mu.Lock()
		for _, c := range now.Control {
			if len(c.Requests) > 0 {
				drawn = c.Requests[0].Drawn
			}
			if c.Last != nil && !q.windows[c.Last.Until] {
				q.windows[c.Last.Until] = true
				q.seen++
			}
			if c.Canaries != nil && c.Canaries.Time.After(canaries) {
				canaries = c.Canaries.Time
				q.canaries++
			}
		}
		q.mu.Unlock()
	}
	q.mu.Lock()
	q.drawn += drawn
	q.mu.Unlock()
}

// check opens a copy of the history as the kill has left it: what was written a second before is there, goldens are what they were, and a decision at most is
// under way.
func (q *killedQuality) check(t *testing.T, file string, killed time.Time) {
	t.Helper()
	s, err := store.Open(copyOf(t, file), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Errorf("the history does not open: %v", err)
		return
	}
	defer s.Close()
	if v, err := s.Verify(t.Context()); err != nil || len(v.Damaged)+len(v.Faults) > 0 {
		t.Errorf("the history is damaged: %v, %+v", err, v)
	}
	q.checkScores(t, s, killed)
	goldens := map[string]string{}
	for g, err := range s.Goldens(t.Context(), store.Span{}) {
		if err != nil {
			t.Error(err)
			return
		}
		goldens[string(g.Kind)+" "+g.Digest+" "+g.Numerics] = string(g.Content)
	}
	for key, content := range q.goldens {
		if goldens[key] != content {
			t.Errorf("what was pinned as %s is %.80q, was %.80q", key, goldens[key], content)
		}
	}
	q.goldens = goldens
	begun := 0
	for d, err := range s.Decisions(t.Context(), store.Span{}) {
		if err != nil {
			t.Error(err)
		} else if d.State == store.Begun {
			begun++
		}
	}
	if begun > 1 {
		t.Errorf("%d decisions are under way, of one model", begun)
	}
}

// checkScores looks for the windows that were seen.
func (q *killedQuality) checkScores(t *testing.T, s *store.Store, killed time.Time) {
	t.Helper()
	rows := map[int64]int{}
	q.suites = 0
	for r, err := range s.Scores(t.Context(), store.Span{}) {
		switch {
		case err != nil:
			t.Error(err)
			return
		case r.Suite != "live":
			q.suites++
		case r.Tag == "":
			rows[r.Time.UnixMicro()]++
		}
	}
	for until := range q.windows {
		if n := rows[until.UnixMicro()]; killed.Sub(until) > time.Second && n < 3 {
			t.Errorf("a window of %v before the end has %d metrics", killed.Sub(until), n)
		}
	}
	clear(q.windows)
}

// copyOf is a history's file with its log, in a folder of their own.
func copyOf(t *testing.T, file string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "h", filepath.Base(file))
	if err := os.Mkdir(filepath.Dir(copied), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal"} {
		from, err := os.Open(file + end)
		if os.IsNotExist(err) && end != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		to, err := os.OpenFile(copied+end, os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = io.Copy(to, from)
			to.Close()
		}
		if from.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}
