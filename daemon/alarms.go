package daemon

import (
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"chimera/api"
	"chimera/store"
)

// This file owns alarms: what is done when something that must not change has changed.

// alarm is a change that somebody should know of. No text of a user is in it.
type alarm struct {
	model    string
	series   string // what was watched, such as "canaries, tier q4_k"
	detector string // by which rule
	evidence any    // as JSON
}

// alarms counts those that were raised, since the start. It has a lock of its own.
type alarms struct {
	mu     sync.Mutex
	counts map[api.AlarmKind]int64
}

// raise tells of an alarm: in the log, in the metrics and in the history.
func (all *runtimes) raise(a alarm) {
	evidence, err := json.Marshal(a.evidence)
	if err != nil { // a figure that is no number
		evidence = nil
	}
	slog.Error("alarm", "model", a.model, "series", a.series, "detector", a.detector, "evidence", string(evidence))
	all.alarms.mu.Lock()
	if all.alarms.counts == nil {
		all.alarms.counts = map[api.AlarmKind]int64{}
	}
	all.alarms.counts[api.AlarmKind{Model: a.model, Detector: a.detector}]++
	all.alarms.mu.Unlock()
	if all.history.keepsNothing() {
		return
	}
	if err := all.history.store.AddAlarm(store.Alarm{Time: time.Now(), Model: a.model, Series: a.series, Detector: a.detector, Evidence: evidence}); err != nil {
		slog.Warn("an alarm is not kept", "model", a.model, "series", a.series, "cause", err)
	}
}

// raised are how many there were.
func (a *alarms) raised() map[api.AlarmKind]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.counts)
}
