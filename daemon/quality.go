package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"chimera/api"
	"chimera/store"
)

// This file owns what GET /v1/quality shows of the history.

// shownWindows is how far back GET /v1/quality looks.
const shownWindows = time.Hour

// Alarms are shown of a month, the newest of them.
const (
	alarmsShownFor = 30 * 24 * time.Hour
	shownAlarms    = 100
)

// Quality implements api.History.
func (h *history) Quality(ctx context.Context, a api.Asker) (q api.Quality, err error) {
	ctx, cancel, err := h.written(ctx)
	defer cancel()
	if h.store == nil {
		return q, err
	}
	since := time.Now().Add(-shownWindows)
	for w, err := range h.store.Windows(ctx, store.Span{From: since}) {
		if err != nil {
			return q, err
		}
		if a.Administers || w.Tenant == h.store.Tenant(a.Tenant) {
			q.Windows = append(q.Windows, h.window(w, a.Administers))
		}
	}
	if q.Costs, err = h.costs(ctx, a, since); err != nil {
		return q, err
	}
	if a.Administers && h.watched != nil {
		if q.Headroom, err = h.headroom(ctx, h.watched, since); err != nil {
			return q, err
		}
		q.Control, q.Drift, q.Coverage = h.watched.qualityControl(), h.watched.qualityDrift(), h.watched.qualityCoverage()
		if q.Alarms, err = h.alarms(ctx); err != nil {
			return q, err
		}
	}
	list, ratings, err := h.correlations(ctx, a)
	for i := range list {
		q.Correlations = append(q.Correlations, list[i].shown())
	}
	q.Ratings = ratings
	return q, err
}

// alarms are the newest.
func (h *history) alarms(ctx context.Context) (list []api.QualityAlarm, err error) {
	for a, err := range h.store.Alarms(ctx, store.Span{From: time.Now().Add(-alarmsShownFor)}) {
		if err != nil {
			return nil, err
		}
		list = append(list, api.QualityAlarm{Time: a.Time, Model: a.Model, Series: a.Series, Detector: a.Detector, Evidence: a.Evidence})
	}
	list = list[max(0, len(list)-shownAlarms):]
	slices.Reverse(list)
	return list, nil
}

// window is one as clients see it; all of it the administrator alone.
func (h *history) window(w store.Window, all bool) api.QualityWindow {
	latency := func(l store.Latency) api.QualityLatency {
		return api.QualityLatency{Mean: ms(l.Mean), P50: ms(l.P50), P95: ms(l.P95), P99: ms(l.P99)}
	}
	shown := api.QualityWindow{
		From: w.From, Until: w.Until, Model: w.Model, Tenant: h.named(w.Tenant), Class: w.Class, Requests: w.Requests, Refused: w.Refused,
		Failed: w.Failed, Cancelled: w.Cancelled, QPS: w.QPSMean, Peak: known(w.QPSPeak), PromptTokens: w.PromptTokens, AnswerTokens: w.AnswerTokens,
		TTFT: latency(w.TTFT), ITL: latency(w.ITL), Queue: latency(w.Queue),
	}
	if all {
		shown.DeviceBusy, shown.Crowded, shown.CoresUsed, shown.Cores = known(w.DeviceBusy), known(w.Crowded), known(w.CoresUsed), known(w.CoresMost)
	}
	if w.Missed != "" {
		shown.Missed = strings.Split(w.Missed, ",")
	}
	return shown
}
