package daemon

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/loader"
	"chimera/store"
)

// This file owns tests of tiers that do not fit beside the one that serves.

// tight is a daemon whose model fits once, but not twice, and its device.
func tight(t *testing.T) (*remembering, *fakeDevice) {
	d := newFakeDevice()
	d.bytes["m"], d.memory = 6, 11
	r := newRememberingOn(t, func(config.Config) loader.Backend { return d }, nil)
	r.models.promised = func() int64 { return 0 }
	return r, d
}

// asks has clients ask until what it returns is called, which gives how many were answered, by tier, and how many failed.
func (r *remembering) asks(clients int) (stop func() (byTier map[string]int, failed int64)) {
	var over atomic.Bool
	var failed atomic.Int64
	var mu sync.Mutex
	var group sync.WaitGroup
	byTier := map[string]int{}
	for range clients {
		group.Go(func() {
			for !over.Load() {
				status, header, text := r.do("POST", "/v1/completions", "", request())
				if status != 200 && failed.Add(1) == 1 {
					r.t.Errorf("%d %s", status, text)
				}
				mu.Lock()
				byTier[header.Get("X-Chimera-Tier")]++
				mu.Unlock()
			}
		})
	}
	return func() (map[string]int, int64) {
		over.Store(true)
		group.Wait()
		return byTier, failed.Load()
	}
}

// What does not fit twice is drained, swapped, and said so; requests that come meanwhile wait, and none fails.
func TestTierDrains(t *testing.T) {
	r, d := tight(t)
	stop := r.asks(4)
	tiers := []string{"q4_k", "q8_0", "source", "q2_k"}
	for _, tier := range tiers {
		if status, text := r.set(tier); status != 200 || !strings.Contains(text, `"tier":"`+tier+`"`) {
			t.Errorf("to %s: %d %s", tier, status, text)
		}
		if _, header, text := r.do("POST", "/v1/completions", "", request()); header.Get("X-Chimera-Tier") != tier {
			t.Errorf("asked for %s: %s %s", tier, header.Get("X-Chimera-Tier"), text)
		}
	}
	if byTier, failed := stop(); failed != 0 || byTier["q2_k"] == 0 {
		t.Errorf("%d failed, answered were %v", failed, byTier)
	}
	events, all := r.tiersOf().Events, r.decisions()
	if len(events) != len(tiers) || len(all) != len(tiers) || d.loadings() != "m m m m m" {
		t.Fatalf("%d events, %d decisions, loads %s", len(events), len(all), d.loadings())
	}
	for i, e := range events {
		if e.To != tiers[i] || e.State != "applied" || all[i].State != store.Applied || !strings.Contains(e.Reason, "both did not fit, so requests waited for 0.") {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}

// Where those that are answered do not end in time the swap is put off: they are not cut off, and who waited is answered at the tier before.
func TestTierIsPutOff(t *testing.T) {
	r, d := tight(t)
	r.models.drain = 50 * time.Millisecond
	held := r.models.held(t, "m")
	outcome := make(chan string, 1)
	go func() {
		status, text := r.set("q4_k")
		outcome <- fmt.Sprint(status, " ", text)
	}()
	for r.models.state("m").State != api.StateDraining {
		time.Sleep(time.Millisecond)
	}
	_, header, text := r.do("POST", "/v1/completions", "", request()) // it waits
	if got := <-outcome; !strings.HasPrefix(got, "503") || !strings.Contains(got, "tier_put_off") || !strings.Contains(got, "within 50ms") {
		t.Errorf("%s", got)
	}
	if header.Get("X-Chimera-Tier") != "source" || held.Context.Err() != nil || d.loadings() != "m" {
		t.Errorf("who waited: %s %s; who was answered: %v; loads %s", header.Get("X-Chimera-Tier"), text, held.Context.Err(), d.loadings())
	}
	held.Release()
	if e := r.tiersOf().Events; len(e) != 1 || e[0].State != "reverted" || !strings.Contains(e[0].Problem, "put off") && !strings.Contains(e[0].Problem, "have not ended") {
		t.Errorf("%+v", e)
	}
	if status, text := r.set("q4_k"); status != 200 {
		t.Errorf("when it is used less: %d %s", status, text)
	}
}

// A tier that can't be loaded leaves the one before, which is loaded again for those that wait; where that fails too they are told.
func TestTierDrainsInVain(t *testing.T) {
	r, d := tight(t)
	loads := 1
	broken := map[int]bool{2: true}
	d.load = func(string) error {
		if loads++; broken[loads] {
			return fmt.Errorf("load %d: tensor x is damaged", loads)
		}
		return nil
	}
	stop := r.asks(3)
	if status, text := r.set("q4_k"); status != 500 || !strings.Contains(text, "tier_failed") || !strings.Contains(text, "load 2: tensor x is damaged") {
		t.Errorf("%d %s", status, text)
	}
	if now := r.tiersOf(); now.Tier != "source" || now.Events[0].State != "reverted" || r.models.state("m").State != api.StateReady {
		t.Errorf("%+v", now)
	}
	if byTier, failed := stop(); failed != 0 || byTier["q4_k"] != 0 || byTier["source"] == 0 {
		t.Errorf("%d failed, answered were %v", failed, byTier)
	}
	broken[4], broken[5] = true, true
	if status, text := r.set("q4_k"); status != 500 || !strings.Contains(text, "load 4") || !strings.Contains(text, "load 5") {
		t.Errorf("both broken: %d %s", status, text)
	}
	if now := r.models.state("m"); now.State != api.StateFailed {
		t.Errorf("both broken: %+v", now)
	}
	r.must("POST", "/v1/models/m/load", administrator, nil, nil)
	if now := r.tiersOf(); now.Tier != "source" {
		t.Errorf("loaded again it is at %s", now.Tier)
	}
}

// Who unloads a model that drains, or ends the daemon, is not held up by the swap.
func TestTierDrainIsEnded(t *testing.T) {
	for _, end := range []string{"unload", "stop"} {
		r, d := tight(t)
		held := r.models.held(t, "m")
		outcome := make(chan error, 1)
		go func() { outcome <- r.models.SetTier(t.Context(), "m", "q4_k", 0) }()
		for r.models.state("m").State != api.StateDraining {
			time.Sleep(time.Millisecond)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if end == "stop" {
				r.models.refuseAll()
				<-outcome
				r.models.end()
				return
			}
			if err := r.models.Unload(t.Context(), "m"); err != nil {
				t.Error(err)
			}
			if err := <-outcome; err == nil || !strings.Contains(err.Error(), "unloaded") {
				t.Errorf("the swap: %v", err)
			}
		}()
		if end == "unload" {
			for given := false; !given; time.Sleep(time.Millisecond) {
				r.models.mu.Lock()
				given = r.models.list[0].swap == nil || !r.models.list[0].swap.drains
				r.models.mu.Unlock()
			}
			held.Release()
		}
		<-ended
		held.Release()
		if d.loaded() != "" || d.loadings() != "m" {
			t.Errorf("%s: loaded is %q, loads were %q", end, d.loaded(), d.loadings())
		}
		if all := r.decisions(); len(all) != 1 || all[0].State != store.Reverted {
			t.Errorf("%s: %+v", end, all)
		}
	}
}

// On a model that computes, whose two tiers do not fit into the memory of the settings: each answer is that of its tier.
func TestTierDrainsUnderLoad(t *testing.T) {
	r := guarded(t, 40, func(c *config.Config) { c.Tiers.Start = "source" })
	taken := r.models.state("mt").Memory
	r = guarded(t, 40, func(c *config.Config) { c.Tiers.Start, c.Memory = "source", int(taken>>20)+3 })
	stop := r.asksLines(6)
	for _, tier := range []string{"q8_0", "source", "q4_k", "source"} {
		if status, text := r.set(tier); status != 200 {
			t.Errorf("to %s: %d %s", tier, status, text)
		}
		time.Sleep(200 * time.Millisecond)
	}
	answered, failed := stop()
	drained := 0
	for _, e := range r.tiersOf().Events {
		if strings.Contains(e.Reason, "both did not fit") {
			drained++
		}
	}
	if t.Logf("%d answers, %d of 4 swaps drained", answered, drained); failed != 0 || answered < 20 || drained < 2 {
		t.Error(errors.New("requests failed, or nothing was drained"))
	}
}
