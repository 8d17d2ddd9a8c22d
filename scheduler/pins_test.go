package scheduler

import (
	"errors"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of pins, and of what the cache tells of itself.

// pinned waits until the pin is computed.
func (f *fixture) pinned(t *testing.T, name string) {
	t.Helper()
	f.eventually(t, "the pin is computed", func(Snapshot) bool {
		for _, p := range f.Cache().Pins {
			if p.Name == name && p.Ready {
				return true
			}
		}
		return false
	})
}

// asks asks for a prompt, and returns how much of it was there.
func (f *fixture) asks(t *testing.T, prompt []int32, salt string) int {
	t.Helper()
	r := greedy(prompt, 1)
	r.Salt = salt
	seq := f.submit(t, r)
	collect(t, seq)
	return seq.Cached()
}

// pressure asks for much that is asked for again and again, so that all that is not pinned is given away.
func (f *fixture) pressure(t *testing.T) {
	t.Helper()
	for i := range 12 {
		f.asks(t, prompt(50+i%6, 160, 0), "")
	}
}

// pressed waits until nothing of a prompt is there any more. How hot it is depends on what steps took, which a busy machine tells anyhow;
// each time it is asked for once, what presses on it many times.
func (f *fixture) pressed(t *testing.T, prompt []int32, salt string) {
	t.Helper()
	got := 0
	for range 20 {
		f.pressure(t)
		f.pressure(t)
		if got = f.asks(t, prompt, salt); got == 0 {
			return
		}
	}
	t.Errorf("%d tokens are there that nobody pins", got)
}

// What is pinned stays whatever is asked for, for whoever has its salt, until it is unpinned.
func TestPins(t *testing.T) {
	system := prompt(1, 100, 0)
	for name, groups := range map[string][]engine.GroupLimits{
		"full": {enginetest.Full(40)}, "windows": {enginetest.Full(40), enginetest.Windowed(window, 40)}, "windows alone": {enginetest.Windowed(window, 40)},
	} {
		t.Run(name, func(t *testing.T) {
			atEachDepth(t, func(t *testing.T, l engine.Limits) {
				l.MaxContext = 256
				f := startGroups(t, l, config, groups...)
				if err := f.Pin("system", system, "tenant"); err != nil {
					t.Fatal(err)
				}
				f.pinned(t, "system")
				f.pressure(t)
				if got := f.asks(t, append(system[:96:96], prompt(2, 30, 0)...), "tenant"); got != 96 {
					t.Errorf("%d tokens of 96 that are pinned were there", got)
				}
				if got := f.asks(t, system, ""); got != 0 {
					t.Errorf("%d tokens were there for another salt", got)
				}
				if err := f.Pin("system", system, "tenant"); err != nil {
					t.Errorf("pinned once more: %v", err)
				}
				if err := f.Unpin("system"); err != nil {
					t.Fatal(err)
				}
				if c := f.Cache(); len(c.Pins) != 0 || c.Groups[0].Pinned != 0 {
					t.Errorf("unpinned, and %+v", c)
				}
				if name == "full" {
					f.pressed(t, append(system[:96:96], prompt(2, 30, 0)...), "tenant")
				}
				f.finish(t)
			})
		})
	}
}

// With other weights a pin is computed again, by them.
func TestPinsOfNewWeights(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := startGroups(t, l, config, enginetest.Full(128))
		if err := f.Pin("system", prompt(1, 100, 0), ""); err != nil {
			t.Fatal(err)
		}
		f.pinned(t, "system")
		f.replace(t)
		r := greedy(prompt(2, 10, 0), 3)
		collect(t, f.submit(t, r))
		f.eventually(t, "the old weights are gone", func(Snapshot) bool { return len(f.instance.Retired()) == 1 })
		f.pinned(t, "system")
		if got := f.asks(t, prompt(1, 100, 0), ""); got != 99 {
			t.Errorf("%d tokens of the new weights' pin were there", got)
		}
		if c := f.Cache(); c.Groups[0].Pinned != 6 || c.Groups[0].InUse != 6 {
			t.Errorf("after the weights were replaced: %+v", c.Groups)
		}
		if err := f.Unpin("system"); err != nil {
			t.Error(err)
		}
		f.finish(t)
	})
}

// What can't be pinned is refused, and the error says what to do.
func TestPinsThatAreRefused(t *testing.T) {
	l := testLimits(1)
	l.MaxContext = 256
	f := startGroups(t, l, config, enginetest.Full(40))
	if err := f.Pin("first", prompt(1, 160, 0), ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, prompt string
		tokens       []int32
		says         string
	}{
		{"", "no name", prompt(2, 64, 0), "1 to 64 bytes"},
		{strings.Repeat("n", 65), "a long name", prompt(2, 64, 0), "1 to 64 bytes"},
		{"a", "less than a page", prompt(2, 15, 0), "full pages of 16"},
		{"a", "nothing", nil, "no tokens"},
		{"a", "more than the context", prompt(2, 300, 0), "256"},
		{"a", "no token of the model's", []int32{-1}, "vocabulary"},
		{"first", "another prompt", prompt(2, 64, 0), "unpin it first"},
		{"a", "more than half, together", prompt(2, 11*16, 0), "it needs 11 pages of 10 that may still be pinned"},
	} {
		if err := f.Pin(c.name, c.tokens, ""); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.prompt, err)
		}
	}
	if err := f.Pin("second", prompt(3, 10*16, 0), ""); err != nil {
		t.Errorf("half of the pages may be pinned: %v", err)
	}
	f.expect(t, greedy(prompt(4, 200, 0), 56)) // the longest has room beside them
	for _, name := range []string{"first", "second"} {
		if err := f.Unpin(name); err != nil {
			t.Error(err)
		}
	}
	if err := f.Unpin("first"); !errors.Is(err, ErrNoPin) || !strings.Contains(err.Error(), "first") {
		t.Errorf("unpinned twice: %v", err)
	}
	f.finish(t)
	if err := f.Pin("late", prompt(1, 64, 0), ""); !errors.Is(err, ErrDraining) {
		t.Errorf("pinned when the loop has ended: %v", err)
	}
	if c := f.Cache(); c.Groups[0].Total != 40 || c.Groups[0].InUse != 0 {
		t.Errorf("when the loop has ended: %+v", c)
	}
	tight := startGroups(t, l, config, enginetest.Full(16)) // room for one sequence
	if err := tight.Pin("a", prompt(1, 64, 0), ""); err == nil || !strings.Contains(err.Error(), "16 for the longest sequence") {
		t.Errorf("pinned where there is room for one sequence: %v", err)
	}
	states := startGroups(t, l, config, enginetest.Full(64), enginetest.Recurrent(4))
	if err := states.Pin("a", prompt(1, 64, 0), ""); err == nil || !strings.Contains(err.Error(), "recurrent") {
		t.Errorf("pinned where no prefix is kept: %v", err)
	}
}

// A pin that is let go while it is computed is not computed on.
func TestUnpinWhileComputing(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(1), config, func(in *enginetest.Instance) { in.Gate = gate })
	if err := f.Pin("system", prompt(1, 400, 0), ""); err != nil {
		t.Fatal(err)
	}
	go func() { gate <- struct{}{}; close(gate) }()
	if err := f.Unpin("system"); err != nil {
		t.Fatal(err)
	}
	f.finish(t)
	if c := f.Cache(); len(c.Pins) != 0 || c.Groups[0].Pinned != 0 {
		t.Errorf("it is still there: %+v", c)
	}
}

// The cache tells which pages are in which state, and of which prefixes: each once, up to where what was asked for parts.
func TestCacheState(t *testing.T) {
	l := testLimits(1)
	f := startGroups(t, l, config, enginetest.Full(64))
	system, other := prompt(1, 65, 0), prompt(9, 65, 0)
	f.asks(t, append(system[:64:64], prompt(2, 33, 0)...), "") // two that begin alike
	f.asks(t, append(system[:64:64], prompt(3, 17, 0)...), "")
	f.asks(t, append(system[:64:64], prompt(3, 17, 0)...), "")
	f.asks(t, other, "")
	if err := f.Pin("system", system[:64], ""); err != nil {
		t.Fatal(err)
	}
	f.pinned(t, "system")
	c := f.Cache()
	if g := c.Groups[0]; g.Group != "full" || g.Total != 64 || g.InUse != 4 || g.Pinned != 4 || g.Cached != 2+1+4+3 || g.Computing != 0 || g.Empty != 64-4-10 {
		t.Errorf("%+v", g)
	}
	f.asks(t, prompt(7, engine.PageTokens-1, 0), "") // too short to count
	if c = f.Cache(); c.Lookups != 5 || c.Hits != 3 || c.HitTokens != 64+80+63 || c.Evictions != 0 || len(c.Pins) != 1 || c.Pins[0] != (PinState{"system", 64, true}) {
		t.Errorf("%d of %d, %d tokens, %d evictions; %v", c.Hits, c.Lookups, c.HitTokens, c.Evictions, c.Pins)
	}
	type want struct {
		pin    string
		tokens int
		uses   uint64
	}
	wants, saved := []want{{"system", 64, 4}, {"", 81, 2}, {"", 97, 1}, {"", 65, 1}, {"", 15, 1}}, 0.0
	if len(c.Prefixes) != len(wants) {
		t.Fatalf("%+v", c.Prefixes)
	}
	for i, p := range c.Prefixes {
		if got := (want{p.Pin, p.Tokens, p.Uses}); got != wants[i] || len(p.Key) != 12 || p.Decayed <= 0 || p.Decayed > float64(p.Uses) {
			t.Errorf("prefix %d: %+v, want %+v", i, p, wants[i])
		}
		saved += p.SavedMillis
	}
	if !near(saved, c.SavedMillis) || c.Prefixes[3].SavedMillis != 0 || c.SavedMillis <= 0 {
		t.Errorf("%.4f ms were saved, by prefix %.4f", c.SavedMillis, saved)
	}
	if err := f.Unpin("system"); err != nil {
		t.Error(err)
	}
	f.finish(t)
}

// A window may be so short that a pin holds nothing of the group, and what the cache tells then is no worse.
func TestPinsInShortWindows(t *testing.T) {
	for _, window := range []int{1, 2, 17} {
		l := testLimits(1)
		l.Groups = []engine.GroupLimits{enginetest.Windowed(window, 64)}
		f := start(t, l, config, nil)
		if err := f.Pin("short", prompt(1, 64, 0), ""); err != nil {
			t.Fatal(err)
		}
		f.pinned(t, "short")
		if held, want := f.Cache().Groups[0].Pinned, pagesTo(window-1); held != want {
			t.Errorf("in a window of %d it holds %d pages, want %d", window, held, want)
		}
		if err := f.Unpin("short"); err != nil {
			t.Error(err)
		}
		f.finish(t)
	}
}
