package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// This file owns the tests of quiet tenants beside one that floods. A step takes 10 ms and 1 ms a row; the flood's prompts are of 128 tokens.

func TestWhoIsQuiet(t *testing.T) {
	type asks struct{ places, waits int }
	for _, c := range []struct {
		name  string
		asks  []asks
		quiet []bool
	}{
		{"nobody else", []asks{{32, 100}}, []bool{false}},
		{"one floods", []asks{{31, 100}, {1, 0}}, []bool{false, true}},
		{"what it asks more waits for a step", []asks{{31, 100}, {1, 2}}, []bool{false, true}},
		{"its first waits for a place", []asks{{32, 100}, {0, 1}}, []bool{false, true}},
		{"both flood", []asks{{16, 100}, {16, 100}}, []bool{false, false}},
		{"both flood, and one has a place more", []asks{{17, 100}, {15, 100}}, []bool{false, false}},
		{"it asks as much as its part", []asks{{16, 100}, {16, 0}}, []bool{false, false}},
		{"the other has much, and all that it asks", []asks{{31, 0}, {1, 0}}, []bool{false, false}},
		{"two beside the flood", []asks{{28, 100}, {1, 0}, {3, 0}}, []bool{false, true, true}},
	} {
		w, lane := one(t, roomy(32, 64), Config{StepTokens: 64, QueueLength: 300})
		for i, a := range c.asks {
			w.has(lane, fmt.Sprint(i), a.places, a.waits)
		}
		lane.noteQuiet()
		all, until := &w.loop.tenants, lane.now.Add(DefaultRules.QuietTime)
		var quiet []bool
		for _, one := range all.active {
			quiet = append(quiet, one.quiet)
		}
		if expected := slices.Contains(c.quiet, true); !slices.Equal(quiet, c.quiet) || expected != all.quiet.Equal(until) {
			t.Errorf("%s: %v, expected until %v", c.name, quiet, all.quiet)
		}
	}
}

// has gives a tenant so many places of a lane more, and so many that wait for others.
func (w *world) has(lane *Lane, name string, places, waits int) *tenant {
	one := w.loop.tenants.enter(name)
	one.sequences += places + waits - 1 // enter has counted one
	one.places += places
	one.inLine[Interactive] += waits
	lane.running = append(lane.running, slices.Repeat([]*Sequence{{tenant: one}}, places)...)
	lane.waiting = append(lane.waiting, slices.Repeat([]*Sequence{{tenant: one}}, waits)...)
	return one
}

// By weight, too: a tenant of weight 3 floods with more than three quarters of the places.
func TestQuietByWeight(t *testing.T) {
	w, lane := one(t, roomy(32, 64), Config{StepTokens: 64, QueueLength: 300})
	w.loop.SetTenants(map[string]float64{"heavy": 3})
	w.loop.tenants.refresh()
	heavy, light := w.has(lane, "heavy", 24, 100), w.has(lane, "light", 1, 0)
	if lane.noteQuiet(); light.quiet {
		t.Error("24 of 32 places are the heavy one's part")
	}
	w.has(lane, "heavy", 1, 0)
	w.has(lane, "light", 7, 0)
	if lane.noteQuiet(); !light.quiet || heavy.quiet {
		t.Error("the heavy one has more than its part, the light one asks its own")
	}
}

// A tenant floods a lane by its places there, and by who waits there: what it has of another lane is no part of these.
func TestFloodsAreOfOneLane(t *testing.T) {
	type asks struct{ places, waits int }
	for _, c := range []struct {
		name        string
		here, there asks
		quiet       bool
	}{
		{"no more than its part of each", asks{3, 1}, asks{3, 1}, false},
		{"more than its part of the other", asks{3, 1}, asks{5, 1}, false},
		{"more, and one waits for the other", asks{5, 0}, asks{3, 1}, false},
		{"more, and one waits", asks{5, 1}, asks{3, 0}, true},
	} {
		w := newWorld(t)
		here, there := w.add(roomy(8, 64), Config{StepTokens: 64, QueueLength: 64}), w.add(roomy(8, 64), Config{StepTokens: 64, QueueLength: 64})
		w.has(here, "much", c.here.places, c.here.waits)
		w.has(there, "much", c.there.places, c.there.waits)
		little := w.has(here, "little", 1, 0)
		if here.noteQuiet(); little.quiet != c.quiet {
			t.Errorf("%s: the other tenant is quiet: %v", c.name, little.quiet)
		}
	}
}

// flooded is a world in which a tenant keeps 40 requests waiting for 8 places; each turn is the one given.
func flooded(t *testing.T, c Config) (w *world, lane *Lane, turn func()) {
	c.StepTokens, c.QueueLength = 512, 300
	w, lane = one(t, roomy(8, 512), c)
	n := 0
	turn = func() {
		for lane.Snapshot().Waiting < 40 {
			n++
			w.submit(lane, of("flood", greedy(prompt(1000+n, 128, 0), 16)))
		}
		w.turn()
	}
	for range 40 {
		turn()
	}
	w.devices[0].rows, w.devices[0].took = nil, nil
	return w, lane, turn
}

// A quiet tenant's prompt is computed in the step behind the one under way, in one with no other; while it is there, and for a while after
// that, others' prompts have half the rows.
func TestQuietPromptsGoFirst(t *testing.T) {
	r := DefaultRules
	r.QuietTime = time.Second
	w, lane, turn := flooded(t, Config{Rules: &r})
	longest := func(run time.Duration) (rows int) {
		d := w.devices[0]
		d.rows = nil
		for end := w.clock.Add(run); w.clock.Before(end); {
			turn()
		}
		for _, step := range d.rows {
			prompts := 0
			for _, n := range step {
				if n > 1 {
					prompts += n
				}
			}
			rows = max(rows, prompts)
		}
		return rows
	}
	if got := longest(2 * time.Second); got != r.ShortRows {
		t.Fatalf("a flood alone has %d rows for prompts, want %d", got, r.ShortRows)
	}
	for _, tokens := range []int{100, 120} {
		w.devices[0].rows = nil
		seq := w.submit(lane, of("quiet", greedy(prompt(tokens, tokens, 0), 4)))
		turn()
		if !seq.first() {
			t.Errorf("a prompt of %d tokens: steps of rows %v", tokens, w.devices[0].rows)
		}
		for _, n := range w.devices[0].rows[0] {
			if n > 1 && n != tokens {
				t.Errorf("beside a prompt of %d tokens another has %d rows", tokens, n)
			}
		}
		for !seq.ended {
			turn()
		}
		if got := longest(900 * time.Millisecond); got > r.ShortRows/2 {
			t.Errorf("while the quiet one is expected, others' prompts have %d rows", got)
		}
	}
	longest(200 * time.Millisecond)
	if got := longest(2 * time.Second); got != r.ShortRows {
		t.Errorf("when it is no longer expected, the flood has %d rows", got)
	}
}

// Where rows are cheap a quiet one's prompt makes a step longer than others', and others' half as long; with a length that is set not beyond it.
func TestStepsBesideQuiet(t *testing.T) {
	r := DefaultRules
	cheap := CostFrom(CostState{ConstantMS: 4, DecodeRowMS: 1, PrefillRowMS: 0.2})
	p := pace{decodes: true, base: Shape{Decode: 8}}
	all, _ := p.rows(cheap, &r)
	most, others := p.besideQuiet(all, cheap, &r)
	for _, x := range []struct {
		rows int
		step time.Duration
	}{{others, r.ShortStep / 2}, {all, r.ShortStep}, {most, 2 * r.ShortStep}} {
		if took := cheap.Predict(Shape{Decode: 8, Prefill: x.rows}); took > x.step || took < x.step*9/10 {
			t.Errorf("%d rows, a step of %v; want %v", x.rows, took, x.step)
		}
	}
	slow := CostFrom(CostState{ConstantMS: 40, DecodeRowMS: 10, PrefillRowMS: 10})
	if most, others = p.besideQuiet(r.ShortRows, slow, &r); most != r.ShortRows || others != r.ShortRows/2 {
		t.Errorf("where rows take long, %d and others' %d", most, others)
	}
	p.itl = 20 * time.Millisecond
	all, _ = p.rows(cheap, &r)
	if most, others = p.besideQuiet(all, cheap, &r); most != all || others > all {
		t.Errorf("in steps of %v, %d rows and others' %d; want %d", p.itl, most, others, all)
	}
}

// Places go by counters: a quiet tenant that had more than its part of the tokens waits like any other.
func TestQuietTenantsWaitByCounters(t *testing.T) {
	w, lane, turn := flooded(t, Config{})
	w.submit(lane, of("quiet", greedy(prompt(1, 100, 0), 4000)))
	turn()
	w.loop.tenants.all["quiet"].counter += 10_000
	seq := w.submit(lane, of("quiet", greedy(prompt(2, 100, 0), 4)))
	for range 10 {
		turn()
	}
	if seq.Waited() > 0 || !w.loop.tenants.all["quiet"].quiet {
		t.Errorf("it had a place after %v; it is quiet: %v", seq.Waited(), w.loop.tenants.all["quiet"].quiet)
	}
}

func TestNobodyIsQuietWithoutFairness(t *testing.T) {
	w, lane, turn := flooded(t, Config{Without: byTenant})
	w.submit(lane, of("quiet", greedy(prompt(1, 100, 0), 4)))
	for range 10 {
		turn()
	}
	if !w.loop.tenants.quiet.IsZero() {
		t.Error("somebody is quiet")
	}
}

// What tenants with one request each have of a device is as if quiet ones were not known.
func TestNobodyIsQuietWhereNobodyFloods(t *testing.T) {
	for _, tenants := range []int{2, 8, 20} {
		w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 300})
		asked := make([]*Sequence, tenants)
		for round := range 200 {
			for i, seq := range asked {
				if seq == nil || seq.ended {
					asked[i] = w.submit(lane, of(fmt.Sprint(i), greedy(prompt(1000*i+round, 128, 0), 16)))
				}
			}
			if w.turn(); !w.loop.tenants.quiet.IsZero() {
				t.Fatalf("of %d tenants with one request each somebody is quiet", tenants)
			}
		}
	}
}

// Tenants who ask for prompts alone, one after the other, are quiet all the time. A flood's prompts, behind theirs in each step, are computed all
// the same: it has its part of the tokens.
func TestQuietTenantsStarveNobody(t *testing.T) {
	w, lane, turn := flooded(t, Config{})
	var quiet [3]*Sequence
	before, served := w.loop.tenants.all["flood"].counter, 0
	var last *Sequence
	longest := time.Duration(0)
	for end := w.clock.Add(60 * time.Second); w.clock.Before(end); {
		for i, seq := range quiet {
			if seq == nil || seq.ended {
				served++
				quiet[i] = w.submit(lane, of(fmt.Sprint(i), greedy(prompt(100_000+served, 128, 0), 1)))
			}
		}
		turn()
		for _, seq := range lane.running {
			if seq.tenant.name == "flood" && !seq.first() && (last == nil || seq.number < last.number) {
				last = seq
			}
		}
		if last != nil && last.first() {
			longest, last = max(longest, last.ttft()-last.Waited()), nil
		}
	}
	flood, others := w.loop.tenants.all["flood"].counter-before, float64(served*130)
	if flood < others/3*8/10 {
		t.Errorf("the flood had %.0f tokens, each of three quiet tenants %.0f", flood, others/3)
	}
	if longest > 5*time.Second { // 4 s; 3 s if they went by counters alone
		t.Errorf("a prompt of the flood's was running for %v before its first token", longest)
	}
}
