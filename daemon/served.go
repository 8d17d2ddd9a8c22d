package daemon

import (
	"context"
	"log/slog"
	"time"

	"chimera/api"
	"chimera/scheduler"
	"chimera/systemd"
)

// This file owns what the endpoints see of the model before and after it is loaded: they are up before it.

// served is a model that answers.
type served struct {
	model *api.Model
	loop  *scheduler.Lane
}

// serveModel shows the model to the endpoints, when it has shown that it decodes.
func (s *server) serveModel() error {
	if err := pinPrefixes(s.api.Cache, s.api.PrefixIDs, s.pins); err != nil {
		return err
	}
	s.served.Store(&served{s.api, s.scheduler})
	s.loading.End(nil)
	return nil
}

// snapshot is that of the model's loop. While there is none, requests wait for the model.
func (s *server) snapshot() scheduler.Snapshot {
	if now := s.served.Load(); now != nil {
		return now.loop.Snapshot()
	}
	return scheduler.Snapshot{Waiting: s.loading.Waiting()}
}

// ready is asked when the model is loaded.
func (s *server) ready(ctx context.Context) error { return s.served.Load().probe().ready(ctx) }

func (s *served) probe() probe {
	return probe{s.loop, []int32{max(s.model.Tokenizer.BOS(), 0)}, readyTime}
}

// loadingEvery is how often the log says how far a load is: a small model is loaded before the first time.
const loadingEvery = 5 * time.Second

// tellLoading tells log and service manager how far the load is, until it has ended.
func tellLoading(name string, l *api.Loading, every time.Duration, ended <-chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			slog.Info("loading", "model", name, "percent", l.Percent())
			systemd.Status("loading %s: %d %%", name, l.Percent())
		}
	}
}
