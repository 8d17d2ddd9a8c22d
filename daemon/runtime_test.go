package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tests of several models: which is loaded when, and which goes. Time is the bubble's.

// inBubble runs a test whose clock moves when all wait.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	synctest.Test(t, f)
}

// Models are loaded at the start or when they are first asked for, once however many ask, and stay.
func TestModelsAreLoadedOnDemand(t *testing.T) {
	c := fakeConfig(t, "a", "b", "c", "d start")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		all := serveFake(t, d, c)
		if err := all.loadAtStart(); err != nil || d.loaded() != "a d" {
			t.Fatalf("%v: %q at the start", err, d.loaded())
		}
		var group sync.WaitGroup
		for i := range 30 {
			group.Go(func() {
				h, err := all.Hold(t.Context(), string('a'+rune(i%3)), patient)
				if err != nil {
					t.Error(err)
					return
				}
				defer h.Release()
				if name := string('a' + rune(i%3)); h.Model.Name != name || answer(h.Context, h, 3) != nil {
					t.Errorf("%q instead of %q", h.Model.Name, name)
				}
			})
		}
		group.Wait()
		if got := d.loadings(); got != "a d b c" && got != "a d c b" {
			t.Errorf("loads: %q", got)
		}
		if h := all.held(t, ""); h.Model.Name != "a" {
			t.Errorf("the default is %q", h.Model.Name)
		} else {
			h.Release()
			h.Release() // which does nothing
		}
		if _, err := all.Hold(t.Context(), "e", patient); err != api.ErrNoModel {
			t.Errorf("%v", err)
		}
		const month = 30 * 24 * time.Hour
		time.Sleep(month)
		if d.loaded() != d.loadings() || all.state("a").State != api.StateReady || *all.state("a").Idle != month.Seconds() {
			t.Errorf("%q are left, %+v", d.loaded(), all.state("a"))
		}
	})
}

// What is used least goes first when there is no room, never what is pinned or held, and nothing where that would be in vain.
func TestLeastRecentlyUsedGoes(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "c", "p pin", "huge", "large")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 30, "b": 30, "c": 30, "p": 30, "huge": 71, "large": 60}
		all := serveFake(t, d, c)
		use := func(name string) { time.Sleep(time.Second); all.used(t, name) }
		for _, step := range []struct{ use, left string }{
			{"p", "p"}, {"a", "p a"}, {"b", "p a b"}, {"a", "p a b"}, {"c", "p a c"}, {"b", "p c b"}, {"p", "p c b"}, {"large", "p large"}, {"a", "p a"},
		} {
			if use(step.use); d.loaded() != step.left {
				t.Fatalf("%s: %q are left, not %q", step.use, d.loaded(), step.left)
			}
		}
		before := d.loadings()
		_, err := all.Hold(t.Context(), "huge", patient)
		if h := httpOf(err); h.Status != 503 || h.Code != "no_room" || !strings.Contains(h.Message, "the test leaves 0 MiB") || h.RetryAfter <= 0 {
			t.Errorf("what can't fit: %+v", h)
		}
		if synctest.Wait(); d.loaded() != "p a" || d.loadings() != before || all.state("huge").State != api.StateFailed || all.state("huge").Problem == "" {
			t.Errorf("for nothing %q are left, %+v", d.loaded(), all.state("huge"))
		}
		if all.state("a").Memory != 30 || all.state("c").Memory != 0 {
			t.Errorf("%+v", all.States())
		}
		if err := all.Unload(t.Context(), "p"); err != nil { // by hand also what is pinned goes
			t.Error(err)
		}
		time.Sleep(longestBackOff)
		if use("huge"); d.loaded() != "huge" {
			t.Errorf("%q", d.loaded())
		}
	})
}

// Memory that is planned and not taken yet is not given away again.
func TestWhatIsPromisedIsNotGivenAway(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 40, "b": 40}
		all := serveFake(t, d, c)
		all.promised = func() int64 { return 25 }
		all.used(t, "a")
		if all.used(t, "b"); d.loaded() != "b" {
			t.Errorf("%q", d.loaded())
		}
	})
	heap := int64(1 << 40)
	if got := loader.MemoryPromised(heap); got <= heap/2 || got > heap+1<<38 {
		t.Errorf("%d promised of a heap of %d", got, heap)
	}
	if loader.MemoryPromised(0) != max(0, loader.MemoryPromised(1<<40)-1<<40) && loader.MemoryPromised(0) > 1<<30 {
		t.Error("what is taken is promised")
	}
}

// A model is unloaded when nobody has used it for its time, and no sooner.
func TestKeepAlive(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	c.Model[1].KeepAlive = config.Duration{Duration: time.Minute}
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		all := serveFake(t, d, c)
		all.used(t, "a")
		for range 3 {
			all.used(t, "b")
			time.Sleep(59 * time.Second)
		}
		h := all.held(t, "b")
		time.Sleep(time.Hour)
		if d.loaded() != "a b" {
			t.Errorf("while it is held %q are left", d.loaded())
		}
		h.Release()
		if time.Sleep(59 * time.Second); d.loaded() != "a b" {
			t.Errorf("too soon: %q", d.loaded())
		}
		if time.Sleep(2 * time.Second); d.loaded() != "a" || all.state("b").State != api.StateConfigured {
			t.Errorf("too late: %q", d.loaded())
		}
		if err := all.Load(t.Context(), "b"); err != nil || d.loaded() != "a b" {
			t.Errorf("again: %v %q", err, d.loaded())
		}
		if time.Sleep(61 * time.Second); d.loaded() != "a" { // nobody has used it at all
			t.Errorf("never used: %q", d.loaded())
		}
	})
}

// Two models of which one fits take turns: each has answered a request at least, and where it is asked all the time it stays for
// its residence, not longer.
func TestNoThrash(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 60, "b": 60}
		all := serveFake(t, d, c)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		answers := map[string]int{}
		var mu sync.Mutex
		for i := range 8 { // four clients of each, who ask again at once
			name := string('a' + rune(i%2))
			group.Go(func() {
				for ctx.Err() == nil {
					h, err := all.Hold(ctx, name, patient)
					if err != nil {
						continue
					}
					time.Sleep(300 * time.Millisecond) // of the computing
					h.Release()
					mu.Lock()
					answers[name]++
					mu.Unlock()
				}
			})
		}
		const turns = 20
		time.Sleep(turns * leastResidence)
		cancel()
		group.Wait()
		if n := len(strings.Fields(d.loadings())); n > turns+2 || n < turns/2 {
			t.Errorf("%d loads in %d residences", n, turns)
		}
		most := 4 * turns * int(leastResidence/(300*time.Millisecond)) / 2
		for name, n := range answers {
			if n < most*8/10 {
				t.Errorf("%s gave %d of %d answers", name, n, most)
			}
		}
	})
	inBubble(t, func(t *testing.T) { // nobody holds the first any more: it goes as soon as it has answered
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 60, "b": 60}
		all := serveFake(t, d, c)
		began := time.Now()
		for range 5 {
			all.used(t, "a")
			all.used(t, "b")
		}
		if time.Since(began) > time.Second || d.loadings() != "a b a b a b a b a b" {
			t.Errorf("%q in %v", d.loadings(), time.Since(began))
		}
		if err := errors.Join(all.Load(t.Context(), "a"), all.Unload(t.Context(), "a")); err != nil {
			t.Error(err)
		}
	})
}

// A long load gives its model a long residence.
func TestResidenceIsAsLongAsTheLoad(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 60, "b": 60}
		d.load = func(string) error { time.Sleep(time.Minute); return nil }
		all := serveFake(t, d, c)
		h := all.held(t, "a")
		var group sync.WaitGroup
		group.Go(func() { all.used(t, "b") })
		if time.Sleep(59 * time.Second); all.state("a").State != api.StateReady {
			t.Errorf("too soon it is %s", all.state("a").State)
		}
		if time.Sleep(2 * time.Second); all.state("a").State != api.StateDraining || d.loaded() != "a" {
			t.Errorf("too late it is %s, %q", all.state("a").State, d.loaded())
		}
		h.Release()
		if group.Wait(); d.loaded() != "b" {
			t.Errorf("%q", d.loaded())
		}
	})
}

// Who waits for a model waits as long as it said, holds no place when it has gone, and is told when to come again.
func TestWaitingForAModel(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	c.QueueLength, c.MaxBody = 5, 1000
	inBubble(t, func(t *testing.T) {
		d, gate := newFakeDevice(), make(chan struct{})
		d.load = func(name string) error { <-gate; return nil }
		all := serveFake(t, d, c)
		began := time.Now()
		_, err := all.Hold(t.Context(), "a", api.Wait{Bytes: 10, Patience: 30 * time.Second})
		if h := httpOf(err); h.Status != 503 || h.Code != "loading" || time.Since(began) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, hangUp)
		if _, err := all.Hold(ctx, "a", patient); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if all.state("a").Waiting != 0 || all.waiting != 0 {
			t.Errorf("%+v, %d bytes", all.state("a"), all.waiting)
		}
		var group sync.WaitGroup
		waits := func(name string, bytes int) {
			group.Go(func() {
				h, err := all.Hold(t.Context(), name, api.Wait{Bytes: bytes})
				if err != nil {
					t.Error(err)
					return
				}
				h.Release()
			})
			synctest.Wait()
		}
		for range 5 {
			waits("a", 100)
		}
		if all.state("a").Waiting != 5 || all.Lanes()[0].Waiting != 5 {
			t.Errorf("%+v", all.state("a"))
		}
		for name, bytes := range map[string]int{"a": 1, "b": 1501} { // one request too many, one byte too many
			if _, err := all.Hold(t.Context(), name, api.Wait{Bytes: bytes}); httpOf(err).Status != 429 || httpOf(err).RetryAfter < 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		waits("b", 1500)
		close(gate)
		group.Wait()
		if all.waiting != 0 || d.loaded() != "a b" {
			t.Errorf("%d bytes wait, %q", all.waiting, d.loaded())
		}
	})
}

// The rest of a load is told from how far it is, else from the load before.
func TestRestOfALoad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		l, now := &loadUnderWay{memory: 8 * time.Second}, time.Now()
		want := func(rest time.Duration, percent int) {
			t.Helper()
			if l.rest() != rest || l.percent() != percent {
				t.Errorf("%v and %d %%, want %v and %d", l.rest(), l.percent(), rest, percent)
			}
		}
		want(8*time.Second, 0)
		l.began.Store(&now)
		time.Sleep(3 * time.Second)
		want(5*time.Second, 0)
		time.Sleep(7 * time.Second)
		want(0, 0)
		l.progress(0, 0)
		l.progress(1, 4)
		want(30*time.Second, 25)
		l.progress(1<<62, 1<<62)
		want(0, 100)
	})
}

// One of the models of the start that fails leaves the daemon up and not ready; all of them, or a wrong setting, end the start.
func TestStartOfSeveral(t *testing.T) {
	cut := fmt.Errorf("cut short: %w", engine.ErrModelFile)
	for name, c := range map[string]struct {
		models []string
		fails  string
		err    error
		ready  string
	}{
		"all":             {[]string{"a", "b start"}, "", nil, ""},
		"one fails":       {[]string{"a", "b start"}, "a", nil, "model a: "},
		"the other fails": {[]string{"a", "b start"}, "b", nil, "model b: "},
		"both":            {[]string{"a", "b start", "c"}, "ab", cut, ""},
		"the only one":    {[]string{"a", "b"}, "a", cut, ""},
		"a demanded one":  {[]string{"a", "b"}, "b", nil, ""},
		"none":            {[]string{"a demand", "b"}, "ab", nil, ""},
	} {
		settings := fakeConfig(t, c.models...)
		inBubble(t, func(t *testing.T) {
			d := newFakeDevice()
			d.load = func(name string) error {
				if strings.Contains(c.fails, name) {
					return cut
				}
				return nil
			}
			all := serveFake(t, d, settings)
			if err := all.loadAtStart(); !errors.Is(err, c.err) {
				t.Errorf("%s: %v", name, err)
			} else if err == nil {
				ready := all.ready(t.Context())
				if (ready == nil) != (c.ready == "") || ready != nil && (!strings.HasPrefix(ready.Error(), c.ready) || !strings.Contains(ready.Error(), "cut short")) || all.State() != nil {
					t.Errorf("%s: ready: %v, state %v", name, ready, all.State())
				}
			} else if !errors.Is(all.State(), c.err) {
				t.Errorf("%s: state %v", name, all.State())
			}
		})
	}
	settings := fakeConfig(t, "a", "b start")
	settings.ChatTemplate = "nonesuch"
	inBubble(t, func(t *testing.T) {
		if err := serveFake(t, newFakeDevice(), settings).loadAtStart(); !errors.As(err, new(*config.Error)) {
			t.Errorf("a wrong setting: %v", err)
		}
	})
}

// What a GPU's health asks is asked of all lanes, also of one that is loaded later.
func TestAllLanesAreGoverned(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		all := serveFake(t, newFakeDevice(), c)
		all.used(t, "a")
		all.Govern(scheduler.Governance{MaxRunning: 2, Reason: "hot"})
		all.used(t, "b")
		for _, lane := range all.Lanes() {
			if lane.Governance.MaxRunning != 2 {
				t.Errorf("%s: %+v", lane.Model, lane.Governance)
			}
		}
	})
}
