package daemon

import (
	"context"
	"reflect"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	group "chimera/quality/control"
	"chimera/quality/guard"
	"chimera/quality/stats"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns tests of the guard's loop on models that compute nothing: what it looks at, what it forgets, and what it goes by.

// idleGuardian is a guard of a model that seems to be loaded at a tier, whose ladder takes so many bytes.
func idleGuardian(t *testing.T, tier string, bytes ...int64) (*guardian, *Runtime) {
	t.Helper()
	all := newFakeModels(t, fakeConfig(t, "m"))
	g := &guardian{
		all: all, suites: []*suite.Suite{{Name: "s"}}, criteria: []guard.Criterion{{Metric: agreement, Floor: 0.9, MaxLoss: 0.1}},
		ladder: config.TierNames(), mode: config.ModeAdvise, wake: make(chan struct{}, 1),
	}
	all.guardian = g
	r := all.list[0]
	r.state, r.up, r.tier, r.ladder = api.StateReady, &serving{}, tier, bytes
	return g, r
}

// looks tells whether the guard was asked to look.
func (g *guardian) looks() bool {
	select {
	case <-g.wake:
		return true
	default:
		return false
	}
}

// Where somebody else chooses the tier, what is not known is measured, the source first; and nothing of a model that is on its way.
func TestGuardMeasuresWhatIsMissing(t *testing.T) {
	g, r := idleGuardian(t, "q4_k")
	decides := func(want guard.Decision, wanted bool) {
		t.Helper()
		d, is, err := g.decide(r)
		if d.Reason = ""; err != nil || is != wanted || !reflect.DeepEqual(d, want) {
			t.Errorf("%+v, %v, %v, want %+v, %v", d, is, err, want, wanted)
		}
	}
	r.manual = true
	decides(guard.Decision{Action: guard.Measure, Tier: api.SourceTier}, true)
	r.watched.known[api.SourceTier] = tierFigures{measured: true}
	decides(guard.Decision{Action: guard.Measure, Tier: "q4_k"}, true)
	r.watched.known["q4_k"] = tierFigures{measured: true}
	decides(guard.Decision{Action: guard.Stay, Tier: "q4_k"}, true)
	r.manual, g.mode = false, config.ModeFixed
	decides(guard.Decision{Action: guard.Stay, Tier: "q4_k"}, true)
	r.swap = &swap{}
	decides(guard.Decision{}, false)
	r.swap, r.state = nil, api.StateDraining
	decides(guard.Decision{}, false)
	r.state, g.suites = api.StateReady, nil
	decides(guard.Decision{}, false)
}

// Rungs are the tiers that are smaller than those above, of the ladder that was asked for; one that is no smaller is the one above.
func TestGuardRungs(t *testing.T) {
	g, r := idleGuardian(t, "q8_0", 100, 80, 80, 60, 0, 40, 45, 30)
	r.watched.known = map[string]tierFigures{"q6_k": {measured: true, speed: 7, evidence: []guard.Evidence{{Suite: "s"}}}}
	names := func() (list []string) {
		l, at := g.rungs(r)
		for _, rung := range l {
			list = append(list, rung.Tier)
		}
		return append(list, "at "+at)
	}
	if got, want := names(), []string{"source", "f16", "q6_k", "q4_k", "q2_k", "at f16"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if l, _ := g.rungs(r); l[2].Bytes != 60 || l[2].Speed != 7 || len(l[2].Evidence) != 1 || l[1].Speed != 0 {
		t.Errorf("%+v", l)
	}
	g.ladder, r.tier = []string{"source", "q8_0", "q4_k"}, "q4_k"
	if got, want := names(), []string{"source", "q8_0", "q4_k", "at q4_k"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What is known is of one load. What serves is doubted alone, canaries too, and the guard looks at once.
func TestGuardForgets(t *testing.T) {
	g, r := idleGuardian(t, "q4_k")
	w := g.see(r)
	w.known["q4_k"], w.known[api.SourceTier], w.canaries.of = tierFigures{measured: true}, tierFigures{measured: true}, "weights"
	if g.see(r); len(w.known) != 2 || w.fresh {
		t.Errorf("it has forgotten %+v", w)
	}
	if g.doubt("another"); len(w.known) != 2 || g.looks() {
		t.Error("another model is doubted")
	}
	if g.doubt("m"); w.known["q4_k"].measured || !w.known[api.SourceTier].measured || !w.fresh || w.canaries.of != "" || !g.looks() {
		t.Errorf("doubted: %+v", w)
	}
	r.up = &serving{}
	if g.see(r); len(w.known) != 0 || w.fresh || w.of != r.up {
		t.Errorf("of another load it knows %+v", w)
	}
}

// An objective that is missed in two windows running is pressure on its model, whichever tenants they are of; one without misses ends it.
func TestGuardIsPressed(t *testing.T) {
	g, r := idleGuardian(t, "q4_k")
	window := func(model, missed string) store.Window { return store.Window{Model: model, Missed: missed} }
	for i, c := range []struct {
		windows []store.Window
		want    []string
	}{
		{[]store.Window{window("m", "qps")}, nil},
		{[]store.Window{window("m", ""), window("", "ttft_ms")}, nil},
		{[]store.Window{window("m", "qps,ttft_ms")}, nil},
		{[]store.Window{window("m", "")}, nil},
		{[]store.Window{window("m", "ttft_ms"), window("m", "ttft_ms")}, nil},
		{[]store.Window{window("m", "ttft_ms")}, []string{"ttft_ms"}},
		{[]store.Window{window("another", "ttft_ms")}, []string{"ttft_ms"}},
	} {
		g.windows(c.windows)
		if got := r.watched.pressure.Missed(); !reflect.DeepEqual(got, c.want) || !g.looks() {
			t.Errorf("after %d: %v, want %v", i, got, c.want)
		}
	}
}

// Live answers raise a doubt where all traffic agrees surely less than tiers must.
func TestGuardDoubtsLiveAnswers(t *testing.T) {
	g, _ := idleGuardian(t, "q4_k")
	estimate := func(metric, tag string, low, high float64) group.Estimate {
		return group.Estimate{Metric: metric, Tag: tag, Interval: stats.Interval{Estimate: (low + high) / 2, Low: low, High: high}}
	}
	for name, c := range map[string]struct {
		of   group.Estimate
		want bool
	}{
		"surely":         {estimate(group.Agreement, "", 0.8, 0.89), true},
		"not surely":     {estimate(group.Agreement, "", 0.8, 0.91), false},
		"on the floor":   {estimate(group.Agreement, "", 0.8, 0.9), false},
		"of a part":      {estimate(group.Agreement, "load:idle", 0.8, 0.89), false},
		"another metric": {estimate(group.KL, "", 0.01, 0.02), false},
	} {
		if got := g.doubts([]group.Estimate{c.of}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	g.criteria[0].Metric = "chrf"
	if g.doubts([]group.Estimate{estimate(group.Agreement, "", 0.1, 0.2)}) {
		t.Error("it doubts by what is no criterion")
	}
}

// The same advice is told once, another one too.
func TestGuardAdvisesOnce(t *testing.T) {
	g, r := idleGuardian(t, "q4_k")
	for _, reason := range []string{"one", "one", "two", "one"} {
		g.advise(r, guard.Decision{Tier: "q8_0", Reason: reason})
	}
	var told []string
	for _, e := range r.events {
		told = append(told, e.From+" "+e.To+" "+e.Reason+" "+e.State)
	}
	if want := []string{"q4_k q8_0 one advised", "q4_k q8_0 two advised", "q4_k q8_0 one advised"}; !reflect.DeepEqual(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}

// Who wants to measure waits for who does, or goes when he is told.
func TestGuardTakesTurns(t *testing.T) {
	g, _ := idleGuardian(t, "q4_k")
	if !g.takeTurn(t.Context()) {
		t.Fatal("nobody measures, and it waits")
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if g.takeTurn(short) {
		t.Error("two measure at a time")
	}
	g.leaveTurn()
	if !g.takeTurn(t.Context()) {
		t.Error("its turn does not come")
	}
}
