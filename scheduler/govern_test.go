package scheduler

import (
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of Govern: admission is cut, and nothing else.

// throttled is what a hot machine asks.
func throttled(places int) Governance { return Governance{MaxRunning: places, Reason: "hot"} }

// The cut holds from the next plan on, is shown, and changes no answer.
func TestGovernCutsAdmission(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		f.Govern(throttled(2))
		if g := f.Snapshot().Governance; g != throttled(2) {
			t.Errorf("shown: %+v", g)
		}
		var requests []Request
		for i := range 7 {
			requests = append(requests, greedy(prompt(i, 20, 0), 10+i))
		}
		f.expect(t, requests...)
		f.finish(t)
		most := 0
		for _, s := range f.instance.Steps() {
			most = max(most, len(s.Rows))
		}
		if most != 2 {
			t.Errorf("%d sequences in a step", most)
		}
	})
}

// Those that run finish side by side; those that wait come when the places are fewer than the cut.
func TestGovernLetsRunningOnesFinish(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		var requests []Request
		var all []*Sequence
		add := func(id int) {
			requests = append(requests, greedy(prompt(id, 4, 0), 20+10*id))
			all = append(all, f.submit(t, requests[id]))
		}
		for id := range 4 {
			add(id)
		}
		for f.Snapshot().DecodeTokens < 4 {
			gate <- struct{}{}
		}
		f.Govern(throttled(1))
		add(4)
		add(5)
		before := len(f.instance.Steps()) + l.Depth // so many may be under way
		close(gate)
		for i, seq := range all {
			if got, _, _ := collect(t, seq); !slices.Equal(got, answer(requests[i])) {
				t.Errorf("request %d: %v", i, got)
			}
		}
		f.finish(t)
		var rows []int
		for _, s := range f.instance.Steps()[before:] {
			rows = append(rows, len(s.Rows))
		}
		if rows[0] != 4 || !slices.IsSortedFunc(rows, func(a, b int) int { return b - a }) {
			t.Errorf("rows of the steps: %v", rows)
		}
	})
}

// When the cut is lifted, those that wait come with the next plan.
func TestGovernIsLifted(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		f.Govern(throttled(1))
		var all []*Sequence
		for i := range 3 {
			all = append(all, f.submit(t, greedy(prompt(i, 4, 0), 100)))
		}
		for f.Snapshot().DecodeTokens < 3 {
			gate <- struct{}{}
		}
		if s := f.Snapshot(); s.Running != 1 || s.Waiting != 2 {
			t.Errorf("under the cut: %+v", s)
		}
		f.Govern(Governance{})
		for range l.Depth + 1 { // what was planned before, and one step
			gate <- struct{}{}
		}
		f.eventually(t, "all run", func(s Snapshot) bool { return s.Running == 3 && s.Governance == Governance{} })
		close(gate)
		for _, seq := range all {
			collect(t, seq)
		}
		f.finish(t)
	})
}
