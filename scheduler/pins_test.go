package scheduler

import (
	"errors"
	"slices"
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

// asked is a request of a tenant, kept apart by a salt.
func asked(tenant, salt string, prompt []int32) Request {
	r := greedy(prompt, 1)
	r.Tenant, r.Salt = tenant, salt
	return r
}

// cachedFor asks, checks the answer, and returns how much of the prompt was there.
func (f *fixture) cachedFor(t *testing.T, r Request) int {
	t.Helper()
	seq := f.submit(t, r)
	if got, _, _ := collect(t, seq); !slices.Equal(got, answerOn(f.Limits(), r)) {
		t.Errorf("%v, want %v", got, answerOn(f.Limits(), r))
	}
	return seq.Cached()
}

// What is pinned for all is found by each salt that asks for the whole of it, and by none that asks for a part; what a salt adds is its own.
func TestPinsServeEverySalt(t *testing.T) {
	system := prompt(1, 100, 0)
	with := func(id int) []int32 { return append(system[:96:96], prompt(id, 40, 0)...) }
	for name, groups := range map[string][]engine.GroupLimits{"full": {enginetest.Full(80)}, "windows": {enginetest.Full(80), enginetest.Windowed(window, 80)}} {
		t.Run(name, func(t *testing.T) {
			atEachDepth(t, func(t *testing.T, l engine.Limits) {
				l.MaxContext = 256
				f := startGroups(t, l, config, groups...)
				if got := f.cachedFor(t, asked("", "alice", with(2))); got != 0 {
					t.Errorf("%d tokens were there before the first", got)
				}
				if err := f.Pin("system", system, ""); err != nil {
					t.Fatal(err)
				}
				f.pinned(t, "system")
				for _, c := range []struct {
					salt   string
					prompt []int32
					want   int
					what   string
				}{
					{"alice", with(2), 96, "all of the pin"}, {"alice", with(2), 135, "what she has asked before, behind the pin"},
					{"bob", with(2), 96, "what another has asked"}, {"bob", with(3), 96, "something else"}, {"bob", system[:97], 96, "the pin and a token"},
					{"", with(3), 96, "no salt"}, {"carol", append(system[:80:80], prompt(4, 40, 0)...), 0, "five pages of six"},
					{"bob", append([]int32{9}, system...), 0, "another beginning"},
				} {
					if got := f.cachedFor(t, asked("", c.salt, c.prompt)); got != c.want {
						t.Errorf("%s asks for %s: %d tokens were there, want %d", c.salt, c.what, got, c.want)
					}
				}
				if err := f.Unpin("system"); err != nil {
					t.Fatal(err)
				}
				if got := f.cachedFor(t, asked("", "bob", with(5))); got != 0 {
					t.Errorf("%d tokens were there when it was unpinned", got)
				}
				f.finish(t)
			})
		})
	}
}

// What is pinned for a tenant is for its requests, by whatever key they come, and for nobody else's; the longer of two pins counts.
func TestPinsForATenant(t *testing.T) {
	l := testLimits(1)
	l.MaxContext = 256
	f := startGroups(t, l, config, enginetest.Full(120))
	system := prompt(1, 100, 0)
	for _, p := range []struct {
		name, tenant string
		tokens       int
	}{{"alls", "", 48}, {"theirs", "staff", 96}} { // the shorter first
		if err := f.Pin(p.name, system[:p.tokens], p.tenant); err != nil {
			t.Fatal(err)
		}
		f.pinned(t, p.name)
	}
	for _, c := range []struct {
		tenant, salt string
		want         int
	}{{"staff", "alice", 96}, {"staff", "bob", 96}, {"guests", "alice", 48}, {"", "bob", 48}, {"", "", 48}} {
		if got := f.cachedFor(t, asked(c.tenant, c.salt, system)); got != c.want {
			t.Errorf("%q of %q: %d tokens were there, want %d", c.salt, c.tenant, got, c.want)
		}
	}
	if err := f.Pin("theirs", system[:96], "guests"); err == nil || !strings.Contains(err.Error(), "unpin it first") {
		t.Errorf("pinned for others by the same name: %v", err)
	}
	if c := f.Cache(); len(c.Pins) != 2 || c.Pins[0].Tenant+c.Pins[1].Tenant != "staff" {
		t.Errorf("%+v", c.Pins)
	}
	for _, name := range []string{"theirs", "alls"} {
		if err := f.Unpin(name); err != nil {
			t.Error(err)
		}
	}
	f.finish(t)
}

// Who waits when a pin is there goes on from it, though his keys were computed before.
func TestPinsServeWhoWaits(t *testing.T) {
	in := enginetest.New(testLimits(1))
	loop, lane := still(t, in, config)
	system := prompt(1, 100, 0)
	seq, err := lane.Submit(t.Context(), asked("", "alice", system))
	if err != nil {
		t.Fatal(err)
	}
	lane.arrivals()
	own := seq.key(0)
	p := &pin{name: "system", request: Request{Prompt: system}, pages: make([][]int32, len(lane.groups))}
	lane.cache.pins = []*pin{p}
	lane.offer()
	lane.join(seq)
	if want := (trunk{pages: 6}); seq.trunk != want || seq.key(0) == own || seq.keyBefore(6) == seq.key(5) {
		t.Errorf("%+v", seq.trunk)
	}
	lane.cache.pins = nil
	lane.offer()
	if lane.join(seq); seq.trunk != (trunk{}) || seq.key(0) != own {
		t.Errorf("when it is unpinned: %+v", seq.trunk)
	}
	for range 40 {
		turn(t, loop)
	}
	if _, _, last := collect(t, seq); last.Finish != Length {
		t.Errorf("%+v", last)
	}
}

// What is pinned stays whatever is asked for, until it is unpinned.
func TestPins(t *testing.T) {
	system := prompt(1, 100, 0)
	for name, groups := range map[string][]engine.GroupLimits{
		"full": {enginetest.Full(40)}, "windows": {enginetest.Full(40), enginetest.Windowed(window, 40)}, "windows alone": {enginetest.Windowed(window, 40)},
	} {
		t.Run(name, func(t *testing.T) {
			atEachDepth(t, func(t *testing.T, l engine.Limits) {
				l.MaxContext = 256
				f := startGroups(t, l, config, groups...)
				if err := f.Pin("system", system, ""); err != nil {
					t.Fatal(err)
				}
				f.pinned(t, "system")
				f.pressure(t)
				if got := f.asks(t, append(system[:96:96], prompt(2, 30, 0)...), "alice"); got != 96 {
					t.Errorf("%d tokens of 96 that are pinned were there", got)
				}
				if err := f.Pin("system", system, ""); err != nil {
					t.Errorf("pinned once more: %v", err)
				}
				if err := f.Unpin("system"); err != nil {
					t.Fatal(err)
				}
				if c := f.Cache(); len(c.Pins) != 0 || c.Groups[0].Pinned != 0 {
					t.Errorf("unpinned, and %+v", c)
				}
				if name == "full" {
					f.pressed(t, append(system[:96:96], prompt(2, 30, 0)...), "alice")
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
		{"a", "less than a page", prompt(2, 15, 0), "15 tokens, it must have 16 at least"},
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
	if c = f.Cache(); c.Lookups != 5 || c.Hits != 3 || c.HitTokens != 64+80+63 || c.Evictions != 0 || len(c.Pins) != 1 || c.Pins[0] != (PinState{"system", "", 64, true}) {
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
