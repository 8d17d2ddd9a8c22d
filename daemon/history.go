package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"chimera/api"
	"chimera/store"
)

// This file owns the daemon's history: opening it, closing it last, and what is said of it when it takes no rows. Serving never depends on
// it: a daemon whose folder can't be written serves on without one.

// measurementsKept is how long windows and costs are kept: a year, and a month to compare it with the year before. There is nothing personal in
// them but which tenant asked how much; a minute's rows take some hundred bytes each.
const measurementsKept = 400 * 24 * time.Hour

// history is what is remembered, as the endpoints see it.
type history struct {
	store      *store.Store    // nil: there is none
	problem    string          // then: why, if somebody wants one
	tenants    func() []string // names of those of the settings
	rating     sync.Mutex      // held by who finds out whether an answer has been rated
	privacy    store.Privacy
	keepsTexts bool
	watched    *runtimes // whose quality is shown; nil: nobody's, in tests

	correlated correlating
}

// openHistory opens the file that the settings name, and closes it when all that writes to it has ended.
func (s *server) openHistory() error {
	privacy := store.Privacy(s.config.Privacy.Store)
	s.history = &history{tenants: s.tenantNames, privacy: privacy, keepsTexts: privacy == store.All}
	file := s.config.History.File
	if file == "" {
		return nil
	}
	kept := s.config.Privacy.Retention.Duration
	opened, err := store.OpenAnew(file, store.Options{
		Privacy: privacy,
		Retention: map[store.Table]time.Duration{
			store.Receipts: kept, store.Ratings: kept, store.Judgements: kept, store.Windows: measurementsKept, store.Costs: measurementsKept,
			store.Experiments: measurementsKept,
		},
	})
	if err != nil {
		s.history.problem = err.Error()
		slog.Warn("there is no history: nothing is kept of answers and measurements", "file", file, "cause", err)
		return nil
	}
	s.history.store, s.models.history, s.history.watched = opened, s.history, s.models
	slog.Info("the history is open", "file", file, "texts", string(privacy))
	s.onStop(func() {
		if err := opened.Close(); err != nil {
			slog.Error("the history is not whole: rows may be lost", "cause", err)
		}
	})
	if err := s.history.recallDecisions(s.models); err != nil {
		slog.Warn("tier: earlier decisions can't be read", "cause", err)
	}
	return nil
}

// tenantNames are those of the settings in force.
func (s *server) tenantNames() (names []string) {
	for name := range s.inForce.Load().weights {
		names = append(names, name)
	}
	return names
}

// State implements api.History.
func (h *history) State() api.HistoryState {
	if h.store == nil {
		return api.HistoryState{State: api.HistoryOff, Problem: h.problem}
	}
	now := h.store.State()
	s := api.HistoryState{State: api.HistoryOn, Queued: now.Queued, Written: now.Written, Dropped: now.Dropped, Refused: now.Refused, Damaged: now.Damaged}
	if now.Err != nil {
		s.State, s.Problem, s.Since = api.HistoryFailing, now.Err.Error(), &now.Since
	}
	return s
}

// errNoHistory is the answer of a daemon that has none.
var errNoHistory = errors.New("there is no history")

// askTime bounds a question to the history, which may be behind others or on a disk that hangs.
const askTime = 5 * time.Second

// written waits until all that is known is in the file, where questions find it.
func (h *history) written(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	if h.store == nil {
		return ctx, cancel, errNoHistory
	}
	return ctx, cancel, h.store.Flush(ctx)
}

// named is the name of a tenant of the settings; of another, which there may have been, the beginning of what stands for it.
func (h *history) named(t store.Tenant) string {
	if t == (store.Tenant{}) {
		return ""
	}
	for _, name := range h.tenants() {
		if h.store.Tenant(name) == t {
			return name
		}
	}
	return formerTenant(t)
}
