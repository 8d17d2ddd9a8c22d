package daemon

import (
	"log/slog"
	"time"

	"chimera/config"
	"chimera/measure"
	"chimera/quality/report"
	"chimera/scheduler"
	"chimera/systemd"
)

// This file owns what becomes of settings that are read again while the daemon runs.

// inForce are the live settings as requests are held against them.
type inForce struct {
	tenants    *tenants
	weights    map[string]float64 // of the tenants, by name
	deadlines  map[scheduler.Class]time.Duration
	objectives measure.Objectives
	wanted     report.Objectives // the same as reports hold them against figures, and those of quality
}

func inForceOf(c *config.Config) *inForce {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return &inForce{
		tenants: newTenants(c.Tenant), weights: c.Weights(),
		deadlines:  map[scheduler.Class]time.Duration{scheduler.Interactive: ms(c.Scheduler.Deadline), scheduler.Batch: ms(c.Scheduler.BatchDeadline)},
		objectives: measure.Objectives{QPS: c.Objectives.QPS, TTFT: ms(c.Objectives.TTFT), TTFTP95: ms(c.Objectives.TTFTP95)},
		wanted: report.Objectives{
			QPS: c.Objectives.QPS, TTFT: float64(c.Objectives.TTFT), TTFTP95: float64(c.Objectives.TTFTP95),
			BLEU: c.Objectives.BLEU, Agreement: c.Objectives.Agreement, Accuracy: c.Objectives.Accuracy,
		},
	}
}

// whenReloaded has f called with the settings that are in force after a reload: the live ones are new, the others as before.
func (s *server) whenReloaded(f func(config.Config)) { s.reloaded = append(s.reloaded, f) }

// reloadConfig reads the settings again. A bad file leaves the old ones; what cannot change while
// running is named in the log.
func (s *server) reloadConfig() {
	systemd.Reloading()
	defer systemd.Ready()
	c, err := s.reload()
	if err != nil {
		slog.Error("reload refused, the old settings stay", "cause", err)
		return
	}
	changed := s.config
	s.config.Adopt(c)
	level, _ := s.config.Level()
	logLevel.Set(level)
	for _, apply := range s.reloaded {
		apply(s.config)
	}
	slog.Info("reloaded", "log_level", c.LogLevel, "changed", changed.Differences(s.config))
	if waiting := s.config.Differences(c); len(waiting) > 0 {
		slog.Warn("some changed settings need a restart", "settings", waiting)
	}
}
