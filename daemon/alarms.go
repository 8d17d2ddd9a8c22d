package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/store"
	"chimera/webhook"
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

// alarmEvent is an alarm as the webhook has it.
type alarmEvent struct {
	Time     time.Time       `json:"time"`
	Model    string          `json:"model"`
	Series   string          `json:"series"`
	Detector string          `json:"detector"`
	Evidence json.RawMessage `json:"evidence"`
}

// raise tells of an alarm: in the log, in the metrics, in the history and to the webhook.
func (all *runtimes) raise(a alarm) {
	evidence, err := json.Marshal(a.evidence)
	if err != nil { // a figure that is no number
		evidence = nil
	}
	level := slog.LevelError
	if a.detector == coverageDetector { // nothing is broken
		level = slog.LevelWarn
	}
	slog.Log(context.Background(), level, "alarm", "model", a.model, "series", a.series, "detector", a.detector, "evidence", string(evidence))
	all.alarms.mu.Lock()
	if all.alarms.counts == nil {
		all.alarms.counts = map[api.AlarmKind]int64{}
	}
	all.alarms.counts[api.AlarmKind{Model: a.model, Detector: a.detector}]++
	all.alarms.mu.Unlock()
	now := time.Now()
	if all.webhook != nil {
		all.webhook.Tell(alarmEvent{Time: now.UTC(), Model: a.model, Series: a.series, Detector: a.detector, Evidence: evidence})
	}
	if all.history.keepsNothing() {
		return
	}
	if err := all.history.store.AddAlarm(store.Alarm{Time: now, Model: a.model, Series: a.series, Detector: a.detector, Evidence: evidence}); err != nil {
		slog.Warn("an alarm is not kept", "model", a.model, "series", a.series, "cause", err)
	}
}

// raised are how many there were.
func (a *alarms) raised() map[api.AlarmKind]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.counts)
}

// startWebhook has alarms sent to where the settings say.
func (s *server) startWebhook() error {
	q := &s.config.Quality
	if q.Webhook == "" {
		return nil
	}
	to, err := webhook.ParseURL(q.Webhook)
	if err != nil {
		return &config.Error{Err: &config.KeyError{Key: "quality.webhook", Err: err}}
	}
	key, err := webhook.ReadKey(q.WebhookKey)
	if err != nil {
		return &config.Error{Err: &config.KeyError{Key: "quality.webhook_key", Err: err}}
	}
	s.models.webhook = webhook.New(to, key)
	s.onStop(s.models.webhook.Close)
	return nil
}

// webhookCounts are what became of what it was told; all 0 without one.
func (all *runtimes) webhookCounts() map[string]int64 {
	if all.webhook == nil {
		return nil
	}
	c := all.webhook.Counts()
	return map[string]int64{"delivered": c.Delivered, "failed": c.Failed, "dropped": c.Dropped}
}
