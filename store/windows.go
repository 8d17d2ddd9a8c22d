package store

import (
	"context"
	"iter"
	"time"
)

// This file owns the table of windows: what was measured of serving in a stretch of time.

// Window is a stretch of serving: of one model, one tenant and one class. Rows of different tenants and classes add up to the whole.
type Window struct {
	Numbered
	From, Until  time.Time // kept to the microsecond; Until is when it was measured
	Model        string
	Tenant       Tenant
	Class        string // of scheduling: interactive, batch or background
	Requests     int64  // completed and not cancelled
	TTFT         Latency
	ITL          Latency
	QPSMean      float64 // requests completed a second
	QPSPeak      float64 // the same in the best ten seconds; NaN if the window is shorter
	PromptTokens int64
	AnswerTokens int64
	Refused      int64   // requests that were not taken, or sent away from the queue
	Failed       int64   // that ended by the server's fault
	Cancelled    int64   // whose client went
	Queue        Latency // of those that had a place
	Missed       string  // names of the objectives that the model missed in this stretch, over all its tenants, joined by commas
	// What the machine was like, the same in all rows of a stretch, or of a model in it; NaN if nobody counted.
	DeviceBusy  float64 // share of the time in which steps were under way, of all models
	DeviceShare float64 // in which steps of this model were
	Crowded     float64 // in which steps of this model were that left requests waiting for which there was no room
	CoresUsed   float64 // CPU seconds of the process a second
	CoresMost   float64 // CPUs that the process may use
	Tier        string  // that served all the while, escalated answers aside; empty: it changed, or nobody knows
	KVType      string  // likewise
}

// Latency is how a time was distributed.
type Latency struct{ Mean, P50, P95, P99 time.Duration }

func (*Window) table() Table { return Windows }
func (*Window) size() int    { return rowBytes }

func (r *Window) columns() []column {
	return []column{
		{"began", &r.From}, {"ended", &r.Until}, {"model", &r.Model}, {"tenant", &r.Tenant}, {"class", &r.Class}, {"requests", &r.Requests},
		{"ttft_mean", &r.TTFT.Mean}, {"ttft_p50", &r.TTFT.P50}, {"ttft_p95", &r.TTFT.P95}, {"ttft_p99", &r.TTFT.P99},
		{"itl_mean", &r.ITL.Mean}, {"itl_p50", &r.ITL.P50}, {"itl_p95", &r.ITL.P95}, {"itl_p99", &r.ITL.P99},
		{"qps_mean", &r.QPSMean}, {"qps_peak", &r.QPSPeak}, {"prompt_tokens", &r.PromptTokens}, {"answer_tokens", &r.AnswerTokens},
		{"refused", &r.Refused}, {"failed", &r.Failed}, {"cancelled", &r.Cancelled},
		{"queue_mean", &r.Queue.Mean}, {"queue_p50", &r.Queue.P50}, {"queue_p95", &r.Queue.P95}, {"queue_p99", &r.Queue.P99}, {"missed", &r.Missed},
		{"device_busy", &r.DeviceBusy}, {"device_share", &r.DeviceShare}, {"crowded", &r.Crowded}, {"cores_used", &r.CoresUsed}, {"cores_most", &r.CoresMost},
		{"tier", &r.Tier}, {"kv_type", &r.KVType},
	}
}

// AddWindow has a window written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddWindow(r Window) error {
	if err := checkNames(Windows, "model", r.Model, "class", r.Class, "missed", r.Missed, "tier", r.Tier, "kv_type", r.KVType); err != nil {
		return err
	}
	return s.queue.add(&r)
}

// Windows reads the windows that ended in a span, the oldest first: see [Store] for errors.
func (s *Store) Windows(ctx context.Context, span Span) iter.Seq2[Window, error] {
	return within[Window](ctx, s, span)
}
