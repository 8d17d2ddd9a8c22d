package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"chimera/api"
	"chimera/scheduler"
	"chimera/systemd"
)

// This file owns what is told of the models: whether they answer, whether they move, how far they are loaded.

func (up *serving) probe() probe {
	return probe{up.lane, []int32{max(up.model.Tokenizer.BOS(), 0)}, readyTime}
}

// ready tells why the daemon is not ready. It speaks for the models that are to be there from the start: one of them that has been
// unloaded meanwhile needs no proof, as it is loaded when it is asked for.
func (all *runtimes) ready(ctx context.Context) error {
	probes, err := all.probes()
	if err != nil {
		return err
	}
	for up, name := range probes {
		if err := up.probe().ready(ctx); err != nil && !errors.Is(err, scheduler.ErrDraining) {
			return fmt.Errorf("model %s: %w", name, err)
		}
	}
	return nil
}

// probes are the models to be asked, or why the daemon is not ready whatever they say.
func (all *runtimes) probes() (map[*serving]string, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	list := map[*serving]string{}
	if all.closed {
		return nil, scheduler.ErrDraining
	}
	for _, r := range all.list {
		switch {
		case !r.atStart():
		case r.state == api.StateLoading:
			return nil, r.stillLoading()
		case r.state == api.StateFailed:
			return nil, fmt.Errorf("model %s: %w", r.name, r.failure.err)
		case r.state == api.StateReady:
			list[r.up] = r.name
		}
	}
	return list, nil
}

// patientAsks is how often in a row a lane may be seen not to move while others do: what it has to do may be of class background, and
// wait for them.
const patientAsks = 10

// lanes are those of the models that are loaded.
func (all *runtimes) lanes() (list []*scheduler.Lane) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		if r.up != nil {
			list = append(list, r.up.lane)
		}
	}
	return list
}

// moving tells, each time it is asked, whether each lane has computed a step since, or has nothing to compute. A backend that hangs
// does neither, and the service manager's watchdog then ends the daemon.
func moving(lanes func() []*scheduler.Lane) func() bool {
	type seen struct {
		steps uint64
		still int // asks in a row
	}
	last := map[*scheduler.Lane]seen{}
	return func() bool {
		before, moved, still := last, false, 0
		last = map[*scheduler.Lane]seen{}
		for _, lane := range lanes() {
			s, was := lane.Snapshot(), before[lane]
			now := seen{steps: s.Steps + s.Aborts}
			if now.steps != was.steps {
				moved = true
			} else if s.Occupied() {
				now.still = was.still + 1
			}
			still = max(still, now.still)
			last[lane] = now
		}
		return still == 0 || moved && still < patientAsks
	}
}

// announce has the service manager told from here on which models are there.
func (all *runtimes) announce() {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.announced = true
	all.tellServing()
}

// loadingEvery is how often the log says how far a load is: a small model is loaded before the first time.
const loadingEvery = 5 * time.Second

// tellLoading tells log and service manager how far a load is, until it has ended.
func tellLoading(name string, percent func() int, every time.Duration, ended <-chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			slog.Info("loading", "model", name, "percent", percent())
			systemd.Status("loading %s: %d %%", name, percent())
		}
	}
}
