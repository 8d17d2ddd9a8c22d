package scheduler

import (
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of generations: weights that are replaced while answers are under way.

// Those that have begun end with the weights that they began with, those that come later have the new ones, and the old go
// when the last of theirs has ended, not before.
func TestReplaceWhileServing(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		r := greedy(prompt(1, 40, 0), 60)
		old := f.submit(t, r)
		f.letPass(t, "it has begun", func(s Snapshot) bool { return s.DecodeTokens > 2 })
		second := f.replace(t)
		young := f.submit(t, r)
		f.letPass(t, "both are under way", func(s Snapshot) bool { return s.Running == 2 && s.DecodeTokens > 20 })
		if n := len(f.instance.Retired()); n != 0 {
			t.Errorf("%d generations were retired while one needed them", n)
		}
		close(gate)
		for g, seq := range map[engine.Generation]*Sequence{1: old, second: young} {
			if got, _, _ := collect(t, seq); !slices.Equal(got, answerBy(l, r, weightsOf(g))) || seq.generation.id != g {
				t.Errorf("generation %d: %v", g, got)
			}
		}
		f.eventually(t, "the first is retired", func(Snapshot) bool { return slices.Equal(f.instance.Retired(), []engine.Generation{1}) })
		if young.Cached() != 0 {
			t.Errorf("%d tokens of another generation's prefix were taken", young.Cached())
		}
		f.finish(t)
	})
}

// Weights are kept while a step computes with them, be it in vain.
func TestStepsUnderWayKeepTheirWeights(t *testing.T) {
	f := start(t, testLimits(2), config, nil)
	r := greedy(prompt(1, 40, 0), 300)
	right := answer(r)
	r.Ends = []int32{right[slices.IndexFunc(right, func(t int32) bool { return slices.Index(right, t) > 100 })]}
	seq := f.submit(t, r)
	f.eventually(t, "it has begun", func(s Snapshot) bool { return s.Steps > 0 })
	f.replace(t)
	collect(t, seq)
	f.eventually(t, "its weights are retired", func(Snapshot) bool { return len(f.instance.Retired()) == 1 })
	f.finish(t)
	if n := f.Snapshot().DiscardedTokens; n != 1 {
		t.Errorf("%d rows behind the end", n)
	}
}

// Steps of two generations take turns, however many of each run.
func TestGenerationsTakeTurns(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		all := []*Sequence{f.submit(t, greedy(prompt(0, 5, 0), 100))}
		f.letPass(t, "it has begun", func(s Snapshot) bool { return s.DecodeTokens > 0 })
		f.replace(t)
		for i := range 5 {
			all = append(all, f.submit(t, greedy(prompt(i+1, 5, 0), 100)))
		}
		f.letPass(t, "all run", func(s Snapshot) bool { return s.Running == 6 && s.DecodeTokens > 30 })
		before := f.instance.Submitted()
		close(gate)
		for _, seq := range all {
			collect(t, seq)
		}
		f.finish(t)
		steps := f.instance.Steps()[before:]
		for i, s := range steps[1:100] {
			if s.Generation == steps[i].Generation || len(s.Rows) != map[engine.Generation]int{1: 1, 2: 5}[s.Generation] {
				t.Fatalf("after %+v came %+v", steps[i], s)
			}
		}
	})
}

// Weights come and go though nobody asks for anything.
func TestReplaceWhileIdle(t *testing.T) {
	f := start(t, testLimits(2), config, nil)
	f.expect(t, greedy(prompt(1, 50, 0), 5))
	f.replace(t)
	f.replace(t)
	f.eventually(t, "both are retired", func(Snapshot) bool { return slices.Equal(f.instance.Retired(), []engine.Generation{1, 2}) })
	r := greedy(prompt(1, 50, 0), 5)
	if got, _, _ := collect(t, f.submit(t, r)); !slices.Equal(got, answerBy(f.limits, r, weightsOf(3))) {
		t.Errorf("after two replacements: %v", got)
	}
	f.finish(t)
}

// A prefix is that of weights, not of their number: the same ones again find it, others do not.
func TestPrefixIsOfItsWeights(t *testing.T) {
	f := start(t, testLimits(1), config, nil)
	r := greedy(prompt(1, 50, 0), 5)
	for i, c := range []struct {
		weights string
		cached  int
	}{{"b", 0}, {"c", 0}, {"b", 49}} {
		if _, err := f.Replace(enginetest.Weights{Text: c.weights}, nil); err != nil {
			t.Fatal(err)
		}
		seq := f.submit(t, r)
		if got, _, _ := collect(t, seq); !slices.Equal(got, answerBy(f.limits, r, enginetest.Weights{Text: c.weights})) || seq.Cached() != c.cached {
			t.Errorf("%d: %d tokens from the cache, want %d; %v", i, seq.Cached(), c.cached, got)
		}
	}
	f.finish(t)
}
