package daemon

import (
	"errors"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/scheduler"
)

// This file owns tests of controls that had no room: when they are tried again, and that they come back.

func TestAbsence(t *testing.T) {
	var a absence
	now := time.Now()
	if !a.isOver(now, 0) {
		t.Error("a control that never failed is not tried")
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		a.begin(now, 0, 7)
		if pause := want * time.Second; a.pause != pause || a.isOver(now.Add(pause-1), 7) || !a.isOver(now.Add(pause), 7) {
			t.Errorf("after %d failures in a row it pauses for %v, want %v", i+1, a.pause, pause)
		}
	}
	if a.isOver(now.Add(leastAbsence-1), 8) || !a.isOver(now.Add(leastAbsence), 8) || a.isOver(now.Add(leastAbsence), 7) {
		t.Error("memory that was given back is no reason, or is one at once")
	}
	if a.begin(now, time.Minute, 7); a.pause != mostAbsence {
		t.Errorf("one that stayed for less than its pause pauses for %v", a.pause)
	}
	if a.begin(now, mostAbsence, 7); a.pause != leastAbsence {
		t.Errorf("one that stayed pauses for %v", a.pause)
	}
}

// A control that had no room is not tried again at once, and comes back when memory is given back, long before its pause is over.
func TestControlComesBack(t *testing.T) {
	const memory = 4 << 10 // MiB
	r := small(t, "q8_0", 20, func(c *config.Config) { c.Memory = memory })
	all, model := r.models, r.models.list[0]
	taken := func(by int64) {
		all.mu.Lock()
		defer all.mu.Unlock()
		all.shadows += by
	}
	ask := func() error {
		held, err := all.controlNow(t.Context(), model, scheduler.Interactive)
		if err == nil {
			held.Release()
		}
		return err
	}
	taken(memory << 20)
	if err := ask(); !errors.Is(err, errControlLoads) {
		t.Fatal(err)
	}
	until(t, func() bool {
		all.mu.Lock()
		defer all.mu.Unlock()
		return model.beside == nil && model.controlProblem != nil
	})
	all.mu.Lock()
	paused := model.absent.pause
	model.absent.pause = mostAbsence
	all.mu.Unlock()
	if err := ask(); !errors.Is(err, errControlLoads) || paused != leastAbsence || r.beside() != memory<<20 {
		t.Errorf("%v, paused for %v", err, paused)
	}
	if _, err := all.controlInTime(t.Context(), model); !errors.Is(err, errControlAbsent) {
		t.Errorf("a sample finds %v", err)
	}
	all.mu.Lock()
	if model.beside != nil {
		t.Error("it is tried again at once")
	}
	all.mu.Unlock()
	taken(-memory << 20)
	all.mu.Lock()
	all.memoryGivenBack()
	all.mu.Unlock()
	until(t, func() bool { return ask() == nil })
	all.mu.Lock()
	problem, events := model.controlProblem, model.events
	all.mu.Unlock()
	if problem != nil || len(events) != 0 {
		t.Errorf("%v, %+v", problem, events)
	}
}

// Whatever gives memory back is told: a model that goes, a tier that changes, a shadow that closes.
func TestMemoryGivenBack(t *testing.T) {
	r := small(t, "q8_0", 20, nil)
	all := r.models
	freed := func() int64 {
		all.mu.Lock()
		defer all.mu.Unlock()
		return all.freed
	}
	s, err := all.shadowBeside(t.Context(), all.list[0].up, "q4_k", false)
	if err != nil {
		t.Fatal(err)
	}
	before := freed()
	if s.close(); freed() != before+1 {
		t.Error("a shadow was closed")
	}
	if status, text := r.set("q4_k"); status != 200 || freed() != before+2 {
		t.Errorf("%d %s: a tier was changed", status, text)
	}
	r.must("POST", "/v1/models/m/unload", administrator, nil, nil)
	until(t, func() bool { return all.state("m").State == api.StateConfigured })
	if freed() != before+3 {
		t.Error("a model has gone")
	}
}
