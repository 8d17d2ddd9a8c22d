package daemon

import (
	"errors"
	"testing"
	"time"

	"chimera/config"
	"chimera/quality/report"
	"chimera/scheduler"
)

// This file owns tests of settings that are read again, and of what follows from them.

func TestReloadTellsWhoIsToKnow(t *testing.T) {
	s := &server{config: config.Default()}
	var told []config.Config
	s.whenReloaded(func(c config.Config) { told = append(told, c) })
	s.reload = func() (config.Config, error) {
		c := config.Default()
		c.Scheduler.Deadline, c.Threads = 30, 5
		return c, nil
	}
	s.reloadConfig()
	if len(told) != 1 || told[0].Scheduler.Deadline != 30 || told[0].Threads != 0 || s.config.Scheduler.Deadline != 30 {
		t.Errorf("%+v", told)
	}
	s.reload = func() (config.Config, error) { return config.Config{}, errors.New("bad") }
	if s.reloadConfig(); len(told) != 1 || s.config.Scheduler.Deadline != 30 {
		t.Error("a bad file is applied")
	}
}

// How long a step may take changes with a reload, for the lanes to come too.
func TestReloadChangesITL(t *testing.T) {
	c := config.Default()
	s := &server{config: c, models: newRuntimes(c, nil)}
	s.reload = func() (config.Config, error) {
		c.Scheduler.ITL = 40
		return c, nil
	}
	s.gpus, _ = obedient(func() {})
	s.serveOn(&counted{})
	defer s.stop()
	if s.reloadConfig(); s.models.itl != 40*time.Millisecond || s.config.Scheduler.ITL != 40 {
		t.Errorf("a step may take %v, as set %d ms", s.models.itl, s.config.Scheduler.ITL)
	}
}

func TestDeadlinesOfClasses(t *testing.T) {
	c := config.Config{Scheduler: config.Scheduler{Deadline: 1500, BatchDeadline: 60000}}
	for class, want := range map[scheduler.Class]time.Duration{scheduler.Interactive: 1500 * time.Millisecond, scheduler.Batch: time.Minute, scheduler.Background: 0} {
		if got := inForceOf(&c).deadlines[class]; got != want {
			t.Errorf("class %d: %v", class, got)
		}
	}
}

func TestObjectivesInForce(t *testing.T) {
	o := config.Objectives{QPS: 0.5, TTFT: 200, TTFTP95: 900, BLEU: 28.5, Agreement: 0.95, Accuracy: 0.25}
	got := inForceOf(&config.Config{Objectives: o})
	if o := got.objectives; o.QPS != 0.5 || o.TTFT != 200*time.Millisecond || o.TTFTP95 != 900*time.Millisecond {
		t.Errorf("%+v", o)
	}
	if got.wanted != (report.Objectives{QPS: 0.5, TTFT: 200, TTFTP95: 900, BLEU: 28.5, Agreement: 0.95, Accuracy: 0.25}) {
		t.Errorf("%+v", got.wanted)
	}
}
