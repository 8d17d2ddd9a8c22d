package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/scheduler"
)

// This file owns tests of how models end: by a fault, by hand, and with the process. Time is the bubble's.

// A model that fails to load fails alone: those who wait are told why, and it is left alone for longer each time.
func TestFailedLoad(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		d, broken := newFakeDevice(), true
		d.load = func(name string) error {
			if name == "b" && broken {
				return errors.New("the file is cut short")
			}
			return nil
		}
		all := serveFake(t, d, c)
		all.used(t, "a")
		loads := func() int { return strings.Count(d.loadings(), "b") }
		for i, rest := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			for range 5 { // the first loads, the others come too soon
				_, err := all.Hold(t.Context(), "b", patient)
				if h := httpOf(err); h.Status != 500 || h.Code != "model_failed" || !strings.Contains(h.Message, "cut short") {
					t.Errorf("%v", err)
				}
			}
			if loads() != i+1 || all.state("b").State != api.StateFailed || !strings.Contains(all.state("b").Problem, "cut short") {
				t.Errorf("%d loads, %+v", loads(), all.state("b"))
			}
			time.Sleep(rest*time.Second - 1)
			if _, err := all.Hold(t.Context(), "b", patient); err == nil || loads() != i+1 {
				t.Errorf("too soon: %v, %d loads", err, loads())
			}
			time.Sleep(time.Nanosecond)
		}
		broken = false
		if all.used(t, "b"); all.state("b").Problem != "" || all.state("b").State != api.StateReady {
			t.Errorf("%+v", all.state("b"))
		}
		broken = true
		if err := errors.Join(all.Unload(t.Context(), "b"), all.Load(t.Context(), "b")); err == nil {
			t.Error("it is loaded")
		}
		if err := all.Load(t.Context(), "b"); err == nil || loads() != 11 { // by hand at once
			t.Errorf("%v, %d loads", err, loads())
		}
		if time.Sleep(time.Second); all.Unload(t.Context(), "b") != nil || all.state("b").State != api.StateConfigured {
			t.Errorf("%+v", all.state("b"))
		}
	})
}

// A lane that breaks ends its own requests, gives back its memory, and is loaded anew later; the others notice nothing.
func TestPoisonedModelFailsAlone(t *testing.T) {
	c := fakeConfig(t, "a", "b start")
	inBubble(t, func(t *testing.T) {
		d, sick := newFakeDevice(), false
		d.tune = func(in *enginetest.Instance) {
			if d.loaded() == "a" { // it is b's
				in.Fail = func(step int) error {
					if sick {
						return errors.New("a worker died")
					}
					return nil
				}
			}
		}
		all := serveFake(t, d, c)
		if err := all.loadAtStart(); err != nil || all.ready(t.Context()) != nil || all.State() != nil {
			t.Fatal(err, all.State())
		}
		a, b := all.held(t, "a"), all.held(t, "b")
		sick = true
		if err := answer(b.Context, b, 3); !errors.Is(err, engine.ErrPoisoned) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if _, err := all.Hold(t.Context(), "b", patient); httpOf(err).Status != 500 || !strings.Contains(httpOf(err).Message, "a worker died") {
			t.Errorf("%v", err)
		}
		if err := answer(a.Context, a, 3); err != nil {
			t.Errorf("the other: %v", err)
		}
		if err := all.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "model b: ") || !strings.Contains(err.Error(), "a worker died") || all.State() != nil {
			t.Errorf("ready: %v, %v", err, all.State())
		}
		if d.loaded() != "a b" {
			t.Errorf("%q", d.loaded())
		}
		b.Release()
		if synctest.Wait(); d.loaded() != "a" {
			t.Errorf("%q are left", d.loaded())
		}
		sick = false
		time.Sleep(firstBackOff)
		if all.used(t, "b"); d.loaded() != "a b" || all.ready(t.Context()) != nil {
			t.Errorf("%q, %v", d.loaded(), all.ready(t.Context()))
		}
		if n := all.Lanes()[1].Steps; n != 4 { // of each lane its own proof, and that of readiness
			t.Errorf("%d steps are counted", n)
		}
		a.Release()
	})
}

// Unloading lets requests end, cuts them off when their time is up, and does nothing twice. Who asks meanwhile has it loaded again.
func TestUnload(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		all := serveFake(t, d, c)
		h := all.held(t, "a")
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if err := all.Unload(t.Context(), "a"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if s := all.state("a"); s.State != api.StateDraining || d.loaded() != "a" || answer(h.Context, h, 5) != nil {
			t.Errorf("%+v, %q", s, d.loaded())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := all.Unload(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who does not wait: %v", err)
		}
		cancel()
		again := make(chan error, 1)
		go func() {
			h, err := all.Hold(t.Context(), "a", patient)
			if err == nil {
				h.Release()
			}
			again <- err
		}()
		time.Sleep(time.Second)
		h.Release()
		group.Wait()
		if err := <-again; err != nil || d.loadings() != "a a" {
			t.Errorf("%v, %q", err, d.loadings())
		}
		h = all.held(t, "a")
		began := time.Now()
		go func() {
			<-h.Context.Done()
			if c := context.Cause(h.Context); httpOf(c).Code != "model_unloaded" || time.Since(began) != drainTime {
				t.Errorf("%v after %v", c, time.Since(began))
			}
			h.Release()
		}()
		if err := errors.Join(all.Unload(t.Context(), "a"), all.Unload(t.Context(), "a"), all.Unload(t.Context(), "b")); err != nil || d.loaded() != "" {
			t.Errorf("%v, %q", err, d.loaded())
		}
		if err := errors.Join(all.Load(t.Context(), "b"), all.Load(t.Context(), "b")); err != nil || d.loaded() != "b" {
			t.Errorf("%v, %q", err, d.loaded())
		}
		for _, err := range []error{all.Load(t.Context(), "z"), all.Unload(t.Context(), "z")} {
			if err != api.ErrNoModel {
				t.Error(err)
			}
		}
	})
}

// A load that is no longer wanted ends with the piece that it reads, and one that waits behind it does not begin.
func TestUnloadEndsALoad(t *testing.T) {
	c := fakeConfig(t, "a", "b")
	inBubble(t, func(t *testing.T) {
		d, gate := newFakeDevice(), make(chan struct{})
		d.load = func(string) error { <-gate; return nil }
		all := serveFake(t, d, c)
		var group sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			group.Go(func() {
				if _, err := all.Hold(t.Context(), name, patient); httpOf(err).Code != "model_unloaded" {
					t.Errorf("%s: %v", name, err)
				}
			})
			synctest.Wait()
		}
		if all.state("b").State != api.StateLoading || all.Unload(t.Context(), "b") != nil || all.state("b").State != api.StateConfigured {
			t.Errorf("%+v", all.state("b"))
		}
		go close(gate)
		if err := all.Unload(t.Context(), "a"); err != nil || all.state("a").State != api.StateConfigured {
			t.Errorf("%v, %+v", err, all.state("a"))
		}
		group.Wait()
		if d.made != 0 || d.loadings() != "a" {
			t.Errorf("%d loads of %q came to their end", d.made, d.loadings())
		}
		if all.used(t, "b"); d.loaded() != "b" {
			t.Errorf("%q", d.loaded())
		}
	})
}

// The end lets requests go on until it takes the models down; who waits is told at once, a load ends, and one that hangs is left.
func TestEndOfAllModels(t *testing.T) {
	c := fakeConfig(t, "a", "b", "c")
	inBubble(t, func(t *testing.T) {
		d, gate := newFakeDevice(), make(chan struct{})
		d.load = func(name string) error {
			if name == "b" {
				<-gate
			}
			return nil
		}
		all := serveFake(t, d, c)
		h := all.held(t, "a")
		var group sync.WaitGroup
		for _, name := range []string{"b", "c"} {
			group.Go(func() {
				if _, err := all.Hold(t.Context(), name, patient); !errors.Is(err, scheduler.ErrDraining) {
					t.Errorf("%s: %v", name, err)
				}
			})
			synctest.Wait()
		}
		all.refuseAll()
		group.Wait()
		if _, err := all.Hold(t.Context(), "a", patient); !errors.Is(err, scheduler.ErrDraining) || all.Load(t.Context(), "c") == nil {
			t.Errorf("%v", err)
		}
		if err := answer(h.Context, h, 5); err != nil || !errors.Is(all.State(), scheduler.ErrDraining) || !errors.Is(all.ready(t.Context()), scheduler.ErrDraining) || all.state("a").State != api.StateDraining {
			t.Errorf("%v, %v, %+v", err, all.State(), all.States())
		}
		close(gate)
		all.end() // though somebody holds it
		synctest.Wait()
		if !errors.Is(context.Cause(h.Context), scheduler.ErrDraining) || d.loaded() != "" || !d.closed {
			t.Errorf("%v, %q, closed %t", h.Context.Err(), d.loaded(), d.closed)
		}
		h.Release()
	})
	inBubble(t, func(t *testing.T) {
		d, hangs := newFakeDevice(), make(chan struct{})
		d.load = func(string) error { <-hangs; return nil }
		all := newFakeModels(t, c)
		all.begin(holdDevice(d))
		synctest.Wait()
		began := time.Now()
		if all.end(); time.Since(began) != leaveTime || d.closed {
			t.Errorf("after %v, closed %t", time.Since(began), d.closed)
		}
		close(hangs)
		synctest.Wait()
		all.device.stop()
	})
}

// A client that does not take the error of a model which has failed keeps neither others from being loaded nor the model from coming
// back and going again.
func TestWhoStaysBehindHoldsUpNobody(t *testing.T) {
	for _, unloaded := range []bool{false, true} {
		t.Run(fmt.Sprintf("unloaded by hand: %t", unloaded), func(t *testing.T) { stayBehind(t, unloaded) })
	}
}

func stayBehind(t *testing.T, unloaded bool) {
	c := fakeConfig(t, "a demand", "b demand")
	c.Model[0].KeepAlive = config.Duration{Duration: time.Hour}
	inBubble(t, func(t *testing.T) {
		d, sick := newFakeDevice(), true
		d.tune = func(in *enginetest.Instance) {
			in.Fail = func(step int) error {
				if sick && step > 1 {
					return errors.New("a worker died")
				}
				return nil
			}
		}
		all := serveFake(t, d, c)
		behind := all.held(t, "a")
		if err := answer(behind.Context, behind, 3); !errors.Is(err, engine.ErrPoisoned) {
			t.Fatal(err)
		}
		sick = false
		ctx, cancel := context.WithTimeout(t.Context(), firstBackOff)
		if unloaded {
			if err := all.Unload(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || all.state("a").State != api.StateDraining {
				t.Errorf("it is unloaded by hand: %v, %+v", err, all.state("a"))
			}
		}
		<-ctx.Done()
		cancel()
		began, again := time.Now(), make(chan error, 1)
		go func() {
			h, err := all.Hold(t.Context(), "a", patient)
			if err == nil {
				err = answer(h.Context, h, 3)
				h.Release()
			}
			again <- err
		}()
		synctest.Wait()
		if all.used(t, "b"); time.Since(began) > time.Second {
			t.Errorf("b was there after %v", time.Since(began))
		}
		if err := <-again; err != nil || time.Since(began) > drainTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		behind.Release() // it was cut off long ago
		if time.Sleep(time.Hour + time.Second); d.loaded() != "b" {
			t.Errorf("%q are left though nobody has used a for an hour", d.loaded())
		}
	})
}

// A device that a load has poisoned ends the daemon, whichever model it was.
func TestLoadPoisonsTheDevice(t *testing.T) {
	c := fakeConfig(t, "a", "b", "c start")
	lost := fmt.Errorf("it fell off the bus: %w", engine.ErrDevicePoisoned)
	for name, poisons := range map[string]string{"at the start": "c", "on demand": "b"} {
		inBubble(t, func(t *testing.T) {
			d := newFakeDevice()
			d.load = func(name string) error {
				if name == poisons {
					return lost
				}
				return nil
			}
			all := serveFake(t, d, c)
			err := all.loadAtStart()
			if poisons == "b" {
				_, err = all.Hold(t.Context(), "b", patient)
			}
			if !errors.Is(err, engine.ErrDevicePoisoned) {
				t.Errorf("%s: %v", name, err)
			}
			<-all.device.ended
			if err := all.device.why(); !errors.Is(err, engine.ErrDevicePoisoned) || ExitCode(err) != ExitRestart {
				t.Errorf("%s: the device: %v", name, err)
			}
		})
	}
}
