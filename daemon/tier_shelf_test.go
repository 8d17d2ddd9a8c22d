package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
)

// This file owns tests of tiers on disk as the daemon has them.

// readCount are weights whose reads are counted: what is made, not what is read from the disk.
type readCount struct {
	engine.Weights
	reads *atomic.Int64
}

// Read implements engine.Weights.
func (c readCount) Read(name string, firstRow int, dst []byte) error {
	c.reads.Add(1)
	return c.Weights.Read(name, firstRow, dst)
}

// shelved is a daemon on the CPU whose history and tiers lie in a folder; made counts the reads of tiers that it makes.
func shelved(t *testing.T, folder string, change func(*config.Config)) (r *remembering, made *atomic.Int64) {
	made = &atomic.Int64{}
	r = newRememberingOn(t, onTheCPU(t), func(c *config.Config) {
		c.Device, c.Threads, c.Model[0].Name = "cpu", 2, "m"
		c.Model[0].Path = fixtures.Talking(t, fixtures.Biased, t.TempDir(), "m")
		c.History.File = filepath.Join(folder, "history.db")
		if change != nil {
			change(c)
		}
	})
	r.models.spoil = func(tier string, w engine.Weights) engine.Weights {
		if tier == api.SourceTier {
			return w
		}
		return readCount{w, made}
	}
	return r, made
}

// keptOf is what the answer of GET /v1/tiers says is kept of a tier.
func (r *remembering) keptOf(tier string) int64 {
	r.t.Helper()
	for _, state := range r.tiersOf().Ladder {
		if state.Tier == tier {
			return state.Kept
		}
	}
	return -1
}

// log is a log that can be looked into while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) says(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// A tier that was made once is read the next time, and is the same; one that is damaged is made anew, which the log says; f16 and q8_0 are never kept.
func TestTierFromDisk(t *testing.T) {
	folder := t.TempDir()
	r, made := shelved(t, folder, nil)
	set := func(tier string) (fingerprint, choices string) {
		t.Helper()
		if status, text := r.set(tier); status != 200 {
			t.Fatalf("to %s: %d %s", tier, status, text)
		}
		at, fingerprint, choices, err := r.said(0)
		if at != tier || err != nil {
			t.Fatalf("at %s, not %s: %v", at, tier, err)
		}
		return fingerprint, choices
	}
	want, wanted := set("q4_k")
	if made.Load() == 0 || r.keptOf("q4_k") == 0 || r.keptOf("q2_k") != 0 {
		t.Fatalf("made by %d reads, kept %d bytes", made.Load(), r.keptOf("q4_k"))
	}
	if set("q8_0"); r.keptOf("q8_0") != 0 {
		t.Error("q8_0 is kept")
	}
	said := &log{}
	slog.SetDefault(slog.New(slog.NewTextHandler(said, nil)))
	again := func(what string, fresh bool) {
		t.Helper()
		before := made.Load()
		set("source")
		if got, choices := set("q4_k"); got != want || choices != wanted {
			t.Errorf("%s: it is %s, was %s", what, got, want)
		}
		if (made.Load() > before) != fresh {
			t.Errorf("%s: %d reads made it", what, made.Load()-before)
		}
	}
	again("kept", false)
	files, err := filepath.Glob(filepath.Join(folder, "tiers", "*.gguf"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	again("damaged", true)
	if !said.says("damaged and removed") {
		t.Error("the log does not say so")
	}
	again("made anew", false)
}

// What is kept is there for the next daemon of the same file, which begins with it; another file, or the same one changed, has tiers of its own.
func TestTierFromDiskAfterAStart(t *testing.T) {
	folder := t.TempDir()
	var path string
	r, _ := shelved(t, folder, func(c *config.Config) { path = c.Model[0].Path })
	if status, text := r.set("q4_k"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	_, want, _, _ := r.said(0)
	r.stop()
	r.http, r.stops = nil, nil
	next, _ := shelved(t, folder, func(c *config.Config) { c.Model[0].Path, c.Tiers.Start = path, "q4_k" })
	files, _ := filepath.Glob(filepath.Join(folder, "tiers", "*"))
	if at, got, _, err := next.said(0); at != "q4_k" || got != want || err != nil || len(files) != 1 || next.keptOf("q4_k") == 0 {
		t.Errorf("the next begins at %s with %s, was %s; %v; %v", at, got, want, err, files)
	}
	next.stop()
	next.http, next.stops = nil, nil
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	last, _ := shelved(t, folder, func(c *config.Config) { c.Model[0].Path = path })
	if last.keptOf("q4_k") != 0 {
		t.Error("of a file that was written anew something is kept")
	}
}

// What is removed is made anew; what serves goes on. Without a quota nothing is kept, and where the disk takes nothing tiers are served all the same.
func TestTierRemoved(t *testing.T) {
	folder := t.TempDir()
	r, _ := shelved(t, folder, nil)
	removed := func(body map[string]any) (files int) {
		t.Helper()
		var a struct{ Files, Bytes int }
		r.must("DELETE", "/v1/tiers", administrator, body, &a)
		if (a.Files > 0) != (a.Bytes > 0) {
			t.Errorf("%+v", a)
		}
		return a.Files
	}
	for _, tier := range []string{"q4_k", "q2_k", "q6_k"} {
		r.set(tier)
	}
	if n := removed(map[string]any{"tier": "q6_k"}); n != 1 || r.keptOf("q6_k") != 0 || r.keptOf("q4_k") == 0 {
		t.Errorf("%d removed", n)
	}
	if at, _, _, err := r.said(1); at != "q6_k" || err != nil {
		t.Errorf("then it is at %s, %v", at, err)
	}
	if n := removed(map[string]any{"tier": "q8_0", "model": "m"}); n != 0 {
		t.Errorf("%d of q8_0 removed", n)
	}
	if n := removed(map[string]any{"all": true}); n != 2 || r.keptOf("q4_k")+r.keptOf("q2_k") != 0 {
		t.Errorf("%d removed", n)
	}
	if err := os.Remove(filepath.Join(folder, "tiers")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "tiers"), nil, 0o600); err != nil { // a disk that takes no file
		t.Fatal(err)
	}
	if status, text := r.set("q4_k"); status != 200 {
		t.Errorf("without a folder: %d %s", status, text)
	}
	none, _ := shelved(t, t.TempDir(), func(c *config.Config) { c.Tiers.DiskQuota = 0 })
	if none.set("q4_k"); none.keptOf("q4_k") != 0 || none.models.shelf != nil {
		t.Error("without a quota a tier is kept")
	}
}
