package daemon

import (
	"strings"
	"sync/atomic"
	"testing"

	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/model"
	"chimera/quality/guard"
	"chimera/quality/tier"
	"chimera/store"
	"chimera/weights"
)

// This file owns tests of what the guard does with weights that are not their tier's.

// misled is a daemon that serves what another model's weights are at q4_k, the first time that this tier is made, and the digest that the tier has.
func misled(t *testing.T) (r *remembering, g *guardian, clean string) {
	t.Helper()
	path := ""
	r, _ = shelved(t, t.TempDir(), func(c *config.Config) { path = c.Model[0].Path })
	other := fixtures.Spoilt(t, path, "blk.0.ffn_up.weight", func(values []float32) { values[0] += 0.5 })
	file, err := weights.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	clean, _ = digestAt(t, path, "q4_k")
	var made atomic.Int64
	r.models.spoil = func(name string, w engine.Weights) engine.Weights {
		if name != "q4_k" || made.Add(1) > 1 {
			return w
		}
		return tier.New(model.NewSource(file), loader.Recipe(file, weights.Q4_K), loader.Search, loader.Pace)
	}
	if status, text := r.set("q4_k"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	r.models.mu.Lock()
	r.models.list[0].manual = false
	r.models.list[0].watched = watched{of: r.models.list[0].up, known: map[string]tierFigures{"q4_k": {speed: 1}}}
	r.models.mu.Unlock()
	if got := r.models.list[0].up.lane.Weights(); got == clean {
		t.Fatal("the other weights are the same")
	}
	return r, &guardian{all: r.models, mode: config.ModeGuard, ladder: config.TierNames()}, clean
}

var failed = guard.Decision{Action: guard.Verify, Tier: "q4_k", Reason: "it fails", Evidence: []guard.Evidence{{Metric: "acc"}}}

// What is not the tier's own is made anew, once, and forgotten of what was measured; what is stays.
func TestGuardVerifies(t *testing.T) {
	r, g, clean := misled(t)
	m := r.models.list[0]
	kept := r.keptOf("q4_k")
	for n := range 2 {
		if err := g.verify(t.Context(), m, failed); err != nil {
			t.Fatal(err)
		}
		all := r.decisions()
		last := all[len(all)-1]
		if len(all) != 2 || last.From != "q4_k" || last.To != "q4_k" || last.State != store.Applied || !strings.HasPrefix(last.Reason, "it fails; what serves is not what the tier is") || len(last.Evidence) == 0 {
			t.Errorf("turn %d: %d decisions, the last %+v", n, len(all), last)
		}
		if got := m.up.lane.Weights(); got != clean || m.watched.verified != clean || len(m.watched.known) != 0 {
			t.Errorf("turn %d: it serves %s, clean is %s, verified %q, known %v", n, got, clean, m.watched.verified, m.watched.known)
		}
	}
	if r.keptOf("q4_k") != kept || r.models.shadows != 0 {
		t.Errorf("%d bytes are kept on disk, were %d; %d bytes are left of what it was held against", r.keptOf("q4_k"), kept, r.models.shadows)
	}
	r.set("source")
	if r.set("q4_k"); m.up.lane.Weights() != clean {
		t.Error("on the disk are the damaged weights")
	}
}

// Who only advises says so, once, and changes nothing.
func TestGuardAdvisesToMend(t *testing.T) {
	r, g, clean := misled(t)
	g.mode = config.ModeAdvise
	m := r.models.list[0]
	for range 2 {
		if err := g.verify(t.Context(), m, failed); err != nil {
			t.Fatal(err)
		}
	}
	events := r.tiersOf().Events
	if last := events[len(events)-1]; len(events) != 2 || last.State != stateAdvised || last.To != "q4_k" || !strings.Contains(last.Reason, "is not what the tier is") {
		t.Errorf("%+v", events)
	}
	if got := m.up.lane.Weights(); got == clean || m.watched.verified != got {
		t.Errorf("it serves %s, verified %s", got, m.watched.verified)
	}
}
