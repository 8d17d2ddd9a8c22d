package daemon

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/internal/fixtures"
	"chimera/loader"
)

// This file owns tests of tiers of models whose values are unusual.

const unusual = "blk.0.ffn_up.weight"

// large has one value that no half reaches with a code, tiny has none that a half holds in full.
func large(values []float32) { values[7] = -1e7 }

func tiny(values []float32) {
	for i := range values {
		values[i] *= 1e-7
	}
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// listen has what is logged written down until the test ends.
func listen(t *testing.T) *log {
	before, said := slog.Default(), &log{}
	slog.SetDefault(slog.New(slog.NewTextHandler(said, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return said
}

// TestTierIsItsWiderFile: a tensor that the type can't hold gets the same type in a tier that is made while it is loaded as in the file that quantize writes, and the log names it, once.
func TestTierIsItsWiderFile(t *testing.T) {
	for name, change := range map[string]func([]float32){"large": large, "tiny": tiny} {
		model := fixtures.Spoilt(t, fixtures.Biased, unusual, change)
		for _, tier := range []string{"f16", "q8_0", "q4_k", "q2_k"} {
			said := listen(t)
			got, size := digestAt(t, model, tier)
			if again, _ := digestAt(t, model, tier); again != got {
				t.Errorf("%s at %s: made twice it is %s and %s", name, tier, got, again)
			}
			if want, bytes := digestAt(t, quantised(t, model, tier), api.SourceTier); got != want || size != bytes {
				t.Errorf("%s at %s: %s of %d bytes, its file %s of %d", name, tier, got, size, want, bytes)
			}
			if n := said.count(fmt.Sprintf("tensor=%s type=F32", unusual)); n != 1 || said.count("wider type") != 1 {
				t.Errorf("%s at %s: the log names it %d times", name, tier, n)
			}
		}
	}
}

// What is not finite has no type that holds it.
func TestNoTypeIsWideEnough(t *testing.T) {
	zero := float32(0)
	model := fixtures.Spoilt(t, fixtures.Biased, unusual, func(values []float32) { values[3], values[4] = 1e7, 1/zero })
	if _, err := loader.Load(model, tierOptions("q4_k")); err == nil || !strings.Contains(err.Error(), "tensor "+unusual) || !strings.Contains(err.Error(), "NaN or infinite") {
		t.Error(err)
	}
}

// A model that is served goes to such a tier like any other, and what is kept of it is found by who knows nothing of its values.
func TestWiderTierWhileServed(t *testing.T) {
	folder, said := t.TempDir(), (*log)(nil)
	path := ""
	widely := func(c *config.Config) {
		if path == "" {
			path = fixtures.Spoilt(t, c.Model[0].Path, unusual, tiny)
		}
		c.Model[0].Path = path
	}
	r, made := shelved(t, folder, widely)
	said = listen(t)
	if status, text := r.set("q4_k"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	at, want, _, err := r.said(0)
	if err != nil || at != "q4_k" || made.Load() == 0 || r.keptOf("q4_k") == 0 || said.count("tensor="+unusual) != 1 {
		t.Fatalf("at %s by %d reads, %d bytes are kept, told %d times: %v", at, made.Load(), r.keptOf("q4_k"), said.count("tensor="+unusual), err)
	}
	file, bytes := digestAt(t, quantised(t, path, "q4_k"), api.SourceTier)
	if up := r.models.list[0].up; up.lane.Weights() != file || up.generations.newest().bytes != bytes {
		t.Errorf("it serves %s in %d bytes, its file is %s in %d", up.lane.Weights(), up.generations.newest().bytes, file, bytes)
	}
	loader.WiderTypes.Forget() // as in another process
	next, made := shelved(t, folder, widely)
	if status, text := next.set("q4_k"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if _, got, _, err := next.said(0); err != nil || got != want || made.Load() > 0 {
		t.Errorf("from the disk it is %s, was %s, made by %d reads: %v", got, want, made.Load(), err)
	}
}
