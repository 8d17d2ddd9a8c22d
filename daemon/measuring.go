package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"chimera/api"
	"chimera/cores"
	"chimera/measure"
	"chimera/store"
)

// This file owns measuring: each minute what was served, what the machine was like, and what it has cost, become rows of the history.

// measureEvery is a window: long enough that a p99 is one of more than a few requests, short enough that a person who looks sees what he has
// just changed.
const measureEvery = time.Minute

// measuring is the minute under way.
type measuring struct {
	windows *measure.Windows
	loads   *measure.Loads
	costs   *measure.Costs
	energy  *energyMeter
	last    atomic.Pointer[minute] // nil: none is over
}

// minute is what one was like that is over.
type minute struct {
	load   measure.Load
	energy measure.Energy
	used   map[measure.Line]measure.Energy // since the start
	// problem is why some energy of the minute is not known; "" where all is.
	problem string
}

// newMeasuring begins the first minute.
func newMeasuring(now time.Time, worked measure.Worked, e *energyMeter) *measuring {
	return &measuring{windows: measure.NewWindows(now), loads: measure.NewLoads(now, worked), costs: measure.NewCosts(now), energy: e}
}

// startMeasuring begins the first window, and writes the last one when the models have gone.
func (s *server) startMeasuring() error {
	now := time.Now()
	worked := s.models.worked(s.models.spent())
	s.measuring = newMeasuring(now, worked, newEnergyMeter(os.DirFS("/"), s.gpus.computing, now, worked.CPU))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.measureUntil(ctx)
	}()
	s.onStop(func() {
		cancel()
		<-ended
		s.closeWindow(time.Now())
	})
	return nil
}

func (s *server) measureUntil(ctx context.Context) {
	for {
		next := time.Now().Truncate(measureEvery).Add(measureEvery)
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			s.closeWindow(time.Now())
		}
	}
}

// closeWindow writes what a minute was like. What is counted goes on being counted where there is no history: the next minute is none
// that has two minutes' figures.
func (s *server) closeWindow(now time.Time) {
	h, m := s.history, s.measuring
	tenant := func(name string) store.Tenant {
		if h.store == nil {
			return store.Tenant{}
		}
		return h.store.Tenant(name)
	}
	spent := s.models.spent()
	worked := s.models.worked(spent)
	load := m.loads.Close(now, worked, cores.Usable())
	energy, problem := m.energy.lap(now, worked.CPU)
	windows, used := m.windows.Close(now, s.inForce.Load().objectives, load, s.models.waitingFor, tenant)
	s.models.guardian.windows(windows)
	costs := m.costs.Close(now, spent, used, energy, s.models.onGPU(), tenant)
	m.last.Store(&minute{load, energy, m.costs.Used(), problem})
	if h.store == nil {
		return
	}
	var failed error
	for _, w := range windows {
		if err := h.store.AddWindow(w); err != nil {
			failed = err
		}
	}
	for _, c := range costs {
		if err := h.store.AddCost(c); err != nil {
			failed = err
		}
	}
	if failed != nil {
		slog.Warn("measurements of this minute are not kept", "cause", failed)
	}
}

// answered takes note of a request that has ended. It does not wait.
func (s *server) answered(a api.Answered) {
	if s.kept != nil {
		s.kept.answered(a)
	} else {
		s.models.live.answered(a) // before there is a receipt, by which it may be rated
	}
	s.history.addReceipt(a, s.models.onGPU())
	tier := ""
	if a.Work != nil {
		tier = a.Work.Tier
	}
	s.measuring.windows.Add(measure.Answer{
		Line:  measure.Line{Key: measure.Key{Model: a.Model, Tenant: a.Tenant, Class: a.Class.String()}, Tier: tier},
		Ended: a.Ended, End: endOf(a),
		PromptTokens: int64(a.PromptTokens), AnswerTokens: int64(a.Tokens), Placed: a.Queued > 0, Queue: a.Queued, TTFT: a.TTFT, ITL: a.ITL,
	})
}

// endOf tells how a request ended: one that is sent away before its first token was refused, one that had tokens has failed.
func endOf(a api.Answered) measure.End {
	switch {
	case a.Status < http.StatusBadRequest:
		return measure.Completed
	case a.Status == api.StatusClientGone:
		return measure.Cancelled
	case a.Tokens == 0 && (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable):
		return measure.Refused
	}
	return measure.Failed
}

// waitingFor is how many requests wait for a model, or in its queue.
func (all *runtimes) waitingFor(name string) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	if r := all.find(name); r != nil && name != "" {
		return r.counts().Waiting
	}
	return 0
}
