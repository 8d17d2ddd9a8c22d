package scheduler

import (
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of groups: windows that keep a window of pages, prefixes that need pages of all groups, slots.

const window = 40

// startGroups starts a loop over an instance with these groups, and checks all pages at every step.
func startGroups(t *testing.T, l engine.Limits, c Config, groups ...engine.GroupLimits) *fixture {
	t.Helper()
	l.Groups = groups
	var f *fixture
	f = start(t, l, c, func(in *enginetest.Instance) { in.Refuse = func(int) error { return f.check() } })
	return f
}

// most is how many pages of the window a sequence of the whole context holds.
func most(l engine.Limits, c Config) int {
	return enginetest.Windowed(window, 0).PagesFor(l.MaxContext, c.StepTokens)
}

// A sequence as long as the context lives on the pages of a window, be it prompt or answer.
func TestWindowKeepsAWindow(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		few := most(l, config)
		if few >= l.MaxContext/engine.PageTokens/2 {
			t.Fatalf("%d pages prove nothing", few)
		}
		for _, n := range []int{10, 400, 500} {
			f := startGroups(t, l, config, enginetest.Full(32), enginetest.Windowed(window, few))
			f.expect(t, greedy(prompt(1, n, 0), l.MaxContext-n))
			f.finish(t)
			if s := f.Snapshot(); s.Preemptions != 0 || s.PagesTotal != 32+few {
				t.Errorf("a prompt of %d: %+v", n, s)
			}
		}
	})
}

// Where the window's pool holds two sequences, two run at once: what a sequence has behind its window is no claim on pages,
// what its prompt is still to take is one.
func TestWindowAdmitsByWhatItHolds(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		few := most(l, config)
		f := startGroups(t, l, config, enginetest.Full(128), enginetest.Windowed(window, 2*few+1))
		var requests []Request
		for i := range 4 {
			requests = append(requests, greedy(prompt(i, 400, 0), 1))
		}
		f.expect(t, requests...)
		f.finish(t)
		together := 0
		for _, s := range f.instance.Steps() {
			together = max(together, len(s.Rows))
		}
		if s := f.Snapshot(); together < 2 || s.Preemptions != 0 {
			t.Errorf("%d at once, %+v", together, s)
		}
	})
}

// A prefix is what all groups have: all pages where a position sees all, those of the window elsewhere.
func TestPrefixNeedsItsWindow(t *testing.T) {
	long := prompt(1, 400, 0)
	for name, c := range map[string]struct {
		pages  int // of the window's pool
		prompt []int32
		cached int
	}{
		"the whole prompt, of which the window is left": {0, long, 399},
		"what follows it":                     {0, slices.Concat(long, prompt(2, 50, 0)), 400},
		"a part, whose window was given away": {0, slices.Concat(long[:200], prompt(2, 50, 0)), 0},
		"a part, whose window is still there": {40, slices.Concat(long[:200], prompt(2, 50, 0)), 200},
		"nothing of it":                       {40, prompt(3, 100, 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			atEachDepth(t, func(t *testing.T, l engine.Limits) {
				f := startGroups(t, l, config, enginetest.Full(128), enginetest.Windowed(window, max(c.pages, most(l, config))))
				f.expect(t, greedy(long, 2))
				f.eventually(t, "the first has ended", func(s Snapshot) bool { return s.PagesUsed == 0 })
				r := greedy(c.prompt, 10)
				seq := f.submit(t, r)
				if got, _, _ := collect(t, seq); !slices.Equal(got, answerOn(f.limits, r)) || seq.Cached() != c.cached {
					t.Errorf("%d tokens from the cache, want %d; %v", seq.Cached(), c.cached, got)
				}
				f.finish(t)
			})
		})
	}
}

// Choices of one prompt compute it once, though the first gives away its pages as it goes, in programs with a window
// beside other groups and in those that have nothing else.
func TestFollowersOfAWindow(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, groups := range [][]engine.GroupLimits{
			{enginetest.Full(128), enginetest.Windowed(window, 40)}, {enginetest.Windowed(window, 40)},
		} {
			f := startGroups(t, l, config, groups...)
			var choices []Request
			for i := range 4 {
				q := greedy(prompt(9, 338, 0), 6)
				q.Sampling.Temperature, q.Choice = 1, i
				choices = append(choices, q)
			}
			f.expect(t, choices...)
			f.finish(t)
			if s := f.Snapshot(); s.PrefillTokens != 338+3 {
				t.Errorf("%d groups: %d prompt tokens computed, want %d", len(groups), s.PrefillTokens, 338+3)
			}
		}
	})
}

// When pages that one lets go are others' still, prompts get on with what there is.
func TestSharedPagesOfAWindow(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		few := most(l, config)
		gate := make(chan struct{})
		l.Groups = []engine.GroupLimits{enginetest.Full(128), enginetest.Windowed(window, 2*few)}
		var f *fixture
		f = start(t, l, config, func(in *enginetest.Instance) {
			in.Gate, in.Refuse = gate, func(int) error { return f.check() }
		})
		var requests []Request
		var all []*Sequence
		for i := range 6 {
			requests = append(requests, greedy(slices.Concat(prompt(0, 64, 0), prompt(i, 100+40*i, 0)), 60))
			all = append(all, f.submit(t, requests[i]))
		}
		close(gate)
		for i, seq := range all {
			if got, _, last := collect(t, seq); !slices.Equal(got, answerOn(l, requests[i])) {
				t.Errorf("request %d: %v, %v", i, got, last.Err)
			}
		}
		f.finish(t)
	})
}

// What a recurrent layer remembers is in two slots a sequence, and at no page's end: nothing is shared.
func TestSlots(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := startGroups(t, l, config, enginetest.Full(128), enginetest.Recurrent(7))
		var requests []Request
		for range 6 {
			requests = append(requests, greedy(prompt(1, 100, 0), 30))
		}
		f.expect(t, requests...)
		f.finish(t)
		together := 0
		for _, s := range f.instance.Steps() {
			together = max(together, len(s.Rows))
		}
		if s := f.Snapshot(); together != 3 || s.PrefixTokens != 0 || s.PagesCached != 0 {
			t.Errorf("%d at once in seven slots, %+v", together, s)
		}
	})
}

// What could never run is refused at once.
func TestGroupsThatCannotBeScheduled(t *testing.T) {
	l := testLimits(1)
	for name, g := range map[string]engine.GroupLimits{
		"one slot": enginetest.Recurrent(1), "an encoder": {Name: "encoder", Pages: 64, Mask: engine.Bidirectional},
		"cross attention": {Name: "cross", Pages: 64, Mask: engine.Cross},
	} {
		l.Groups = []engine.GroupLimits{enginetest.Full(128), g}
		if _, err := NewLoop(LoopConfig{}).Add(enginetest.New(l), config); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	l.Groups = []engine.GroupLimits{enginetest.Full(128), enginetest.Windowed(400, 20)} // less than a window
	f := start(t, l, config, nil)
	if _, err := f.Submit(t.Context(), greedy(prompt(1, 300, 0), 21)); err == nil {
		t.Error("a request was taken that the window's pages cannot hold")
	}
	f.expect(t, greedy(prompt(1, 300, 0), 20))
	f.finish(t)
}
