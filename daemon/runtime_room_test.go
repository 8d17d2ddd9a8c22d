package daemon

import (
	"cmp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tests of room: who waits for it behind whom, and who goes for whom. Time is the bubble's.

// ask has a request of a class use a model, as soon as it is there; the answer is why it was not.
func (all *runtimes) ask(t *testing.T, name string, class scheduler.Class, patience time.Duration) chan error {
	asked := make(chan error, 1)
	go func() {
		h, err := all.Hold(t.Context(), name, api.Wait{Class: class, Patience: patience})
		if err == nil {
			h.Release()
		}
		asked <- err
	}()
	synctest.Wait()
	return asked
}

// pair is a device on which one of two models fits, the first of which has been used by a request of a class.
func pair(t *testing.T, c config.Config, class scheduler.Class) (d *fakeDevice, all *runtimes) {
	t.Helper()
	d = newFakeDevice()
	d.memory, d.bytes = 100, map[string]int64{"a": 60, "b": 60, "c": 50}
	all = serveFake(t, d, c)
	if err := <-all.ask(t, "a", class, 0); err != nil {
		t.Fatal(err)
	}
	return d, all
}

// Background work has no model unloaded to which somebody may yet come back who does not want to wait: it waits itself.
func TestBackgroundWaitsForRoom(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "c")
	inBubble(t, func(t *testing.T) {
		d, all := pair(t, c, scheduler.Interactive)
		if h := httpOf(<-all.ask(t, "b", scheduler.Background, 30*time.Second)); h.Code != "loading" || h.Status != 503 {
			t.Errorf("%+v", h)
		}
		if time.Sleep(longestPause - 31*time.Second); d.loaded() != "a" {
			t.Errorf("too soon: %q", d.loaded())
		}
		if time.Sleep(2 * time.Second); d.loaded() != "b" {
			t.Errorf("too late: %q", d.loaded())
		}
		began := time.Now()
		if err := <-all.ask(t, "a", scheduler.Background, 0); err != nil || d.loaded() != "a" || time.Since(began) > leastResidence {
			t.Errorf("nobody else has used b: %v, %q after %v", err, d.loaded(), time.Since(began))
		}
	})
	for _, class := range []scheduler.Class{scheduler.Interactive, scheduler.Batch} {
		inBubble(t, func(t *testing.T) { // somebody else wants it, too
			d, all := pair(t, c, scheduler.Interactive)
			waits := all.ask(t, "b", scheduler.Background, 0)
			began := time.Now()
			if err := <-all.ask(t, "b", class, 0); err != nil || <-waits != nil || d.loaded() != "b" || time.Since(began) > time.Second {
				t.Errorf("%v: %v, %q after %v", class, err, d.loaded(), time.Since(began))
			}
		})
	}
	inBubble(t, func(t *testing.T) { // who does not want to wait comes first, and is not held up
		d, all := pair(t, c, scheduler.Interactive)
		waits := all.ask(t, "b", scheduler.Background, 0)
		if err := <-all.ask(t, "c", scheduler.Batch, time.Second); err != nil || d.loaded() != "c" {
			t.Errorf("%v, %q", err, d.loaded())
		}
		if err := <-waits; err != nil || d.loadings() != "a c b" {
			t.Errorf("%v, %q", err, d.loadings())
		}
	})
	inBubble(t, func(t *testing.T) { // a model is not unloaded for background work while somebody reads its answer
		d, all := pair(t, c, scheduler.Background)
		h := all.held(t, "a")
		waits := all.ask(t, "b", scheduler.Background, 0)
		if time.Sleep(2 * longestPause); d.loaded() != "a" || all.state("a").State != api.StateReady {
			t.Errorf("it is %s", all.state("a").State)
		}
		h.Release()
		if time.Sleep(longestPause - time.Second); d.loaded() != "a" {
			t.Errorf("too soon: %q", d.loaded())
		}
		if err := <-waits; err != nil || d.loaded() != "b" {
			t.Errorf("%v, %q", err, d.loaded())
		}
	})
	c.Model[0].KeepAlive = config.Duration{Duration: time.Hour}
	inBubble(t, func(t *testing.T) { // the setting knows better how long that may be
		d, all := pair(t, c, scheduler.Interactive)
		waits := all.ask(t, "b", scheduler.Background, 0)
		if time.Sleep(time.Hour - time.Second); d.loaded() != "a" {
			t.Errorf("too soon: %q", d.loaded())
		}
		if err := <-waits; err != nil || d.loaded() != "b" {
			t.Errorf("%v, %q", err, d.loaded())
		}
	})
}

// What background work alone has used goes before what others have.
func TestBackgroundModelsGoFirst(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "c")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 50, "b": 50, "c": 50}
		all := serveFake(t, d, c)
		all.used(t, "a")
		time.Sleep(time.Second)
		if err := <-all.ask(t, "b", scheduler.Background, 0); err != nil {
			t.Fatal(err)
		}
		if all.used(t, "c"); d.loaded() != "a c" {
			t.Errorf("%q", d.loaded())
		}
		time.Sleep(longestPause)
		if err := <-all.ask(t, "c", scheduler.Background, 0); err != nil {
			t.Fatal(err)
		}
		if all.used(t, "b"); d.loaded() != "c b" { // a's time is over: it was used the longest ago
			t.Errorf("%q", d.loaded())
		}
	})
}

// A load that waits for room lets others pass that leave it what it waits for, and no others, though they would fit.
func TestLoadsPassWhatWaitsForRoom(t *testing.T) {
	c := fakeConfig(t, "a demand", "big", "mid", "small")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 60, "big": 80, "mid": 25, "small": 20}
		all := serveFake(t, d, c)
		h := all.held(t, "a")
		time.Sleep(2 * leastResidence) // so that it is on its way out at once
		big := all.ask(t, "big", scheduler.Interactive, 0)
		mid := all.ask(t, "mid", scheduler.Interactive, 0)
		if err := <-all.ask(t, "small", scheduler.Interactive, time.Second); err != nil || d.loaded() != "a small" {
			t.Errorf("%v, %q", err, d.loaded())
		}
		if a, b := all.state("big"), all.state("mid"); a.State != api.StateLoading || b.State != api.StateLoading || all.state("a").State != api.StateDraining {
			t.Errorf("%+v", all.States())
		}
		h.Release()
		if <-big != nil || <-mid != nil || !strings.HasPrefix(d.loadings(), "a small big mid") || len(all.short) != 0 {
			t.Errorf("%q, %d wait", d.loadings(), len(all.short))
		}
	})
}

// A load that waits for room can be ended, and then holds up nobody.
func TestUnloadEndsWaitingForRoom(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "c")
	inBubble(t, func(t *testing.T) {
		_, all := pair(t, c, scheduler.Interactive)
		h := all.held(t, "a")
		waits, behind := all.ask(t, "b", scheduler.Interactive, 0), all.ask(t, "c", scheduler.Interactive, 0)
		if err := all.Unload(t.Context(), "b"); err != nil || httpOf(<-waits).Code != "model_unloaded" || all.state("b").State != api.StateConfigured {
			t.Errorf("%v, %+v", err, all.state("b"))
		}
		h.Release()
		if err := <-behind; err != nil || len(all.short) != 0 || all.busy != nil {
			t.Errorf("%v, %d wait", err, len(all.short))
		}
	})
}

// One load reads at a time, also of those that had to wait for room; nobody overtakes for ever; in the end all are served.
func TestRoomInTurns(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "c", "d", "e")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 100, map[string]int64{"a": 90, "b": 60, "c": 45, "d": 30, "e": 10}
		reads := make(chan bool, 1)
		d.load = func(name string) error {
			select {
			case reads <- true:
				time.Sleep(time.Second)
				<-reads
			default:
				t.Errorf("%s is read beside another", name)
			}
			return nil
		}
		all := serveFake(t, d, c)
		var group sync.WaitGroup
		longest := time.Duration(0)
		var mu sync.Mutex
		for i := range 15 {
			class := scheduler.Class(i % 2) // interactive and batch
			group.Go(func() {
				for range 20 {
					began := time.Now()
					h, err := all.Hold(t.Context(), string('a'+rune(i%5)), api.Wait{Class: class})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					longest = max(longest, time.Since(began))
					mu.Unlock()
					time.Sleep(700 * time.Millisecond)
					h.Release()
				}
			})
		}
		group.Wait()
		if most := 5 * (leastResidence + 5*time.Second); longest > most {
			t.Errorf("somebody waited for %v, more than %v", longest, most)
		}
		if len(all.short) != 0 || all.busy != nil || len(all.reading) != 0 {
			t.Errorf("%d wait, %d read", len(all.short), len(all.reading))
		}
	})
}

// The settings' bound holds whatever the device has.
func TestMemoryOfTheSettings(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "huge")
	c.Memory = 1
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		d.memory, d.bytes = 1<<40, map[string]int64{"a": 600 << 10, "b": 600 << 10, "huge": 1<<20 + 1}
		all := serveFake(t, d, c)
		all.used(t, "a")
		if all.used(t, "b"); d.loaded() != "b" {
			t.Errorf("%q", d.loaded())
		}
		if h := httpOf(<-all.ask(t, "huge", scheduler.Interactive, 0)); h.Code != "no_room" || !strings.Contains(h.Message, "memory_mib = 1 leaves 0") || d.loaded() != "b" {
			t.Errorf("%+v, %q", h, d.loaded())
		}
	})
}

// Where all models have room together with smaller pools they have those, the same for all; else they take turns with whole ones.
func TestModelsShareMemory(t *testing.T) {
	c := fakeConfig(t, "a demand", "b", "c")
	c.Ctx = 64 // four pages, and one for each of four sequences
	for most, want := range map[int64]struct {
		contexts int
		left     string
	}{
		0:                  {loader.PooledContexts, "a b c"}, // nobody knows
		3 * (10 + 4*4 + 4): {4, "a b c"}, 3 * (10 + 3*4 + 4): {3, "a b c"}, 3*(10+3*4+4) - 1: {2, "a b c"}, 3 * (10 + 4 + 4): {1, "a b c"},
		3*(10+4+4) - 1: {0, "c"},
	} {
		inBubble(t, func(t *testing.T) {
			d := newFakeDevice()
			d.memory, d.bytes, d.page = most, map[string]int64{"a": 10, "b": 10, "c": 10}, 1
			all := newFakeModels(t, c)
			all.share(d)
			all.begin(holdDevice(d))
			defer all.end()
			for _, name := range []string{"a", "b", "c"} {
				all.used(t, name)
			}
			if pages := all.state("c").Memory - 10; all.contexts != want.contexts || d.loaded() != want.left || pages != int64(cmp.Or(want.contexts, loader.PooledContexts)*4+4) {
				t.Errorf("of %d bytes: %d contexts, %q are left, %d pages", most, all.contexts, d.loaded(), pages)
			}
		})
	}
}
