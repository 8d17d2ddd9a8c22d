package daemon

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/quality/report"
	"chimera/store"
)

// This file owns making reports for those who ask: what they may see, and when.

// reportTime bounds one, which reads up to a year of minutes.
const reportTime = 60 * time.Second

// reports makes them, one at a time: each may hold some hundred megabytes of rows, and nobody needs two.
type reports struct {
	history *history
	models  func() []string
	wanted  func() report.Objectives
	allowed report.Allowed
	kv      string // type of the models' caches
	turn    chan struct{}
}

func newReports(h *history, models func() []string, wanted func() report.Objectives, c *config.Config) *reports {
	return &reports{h, models, wanted, report.Allowed{MaxLoss: c.Tiers.MaxLoss, MinAgreement: c.Tiers.MinAgreement}, c.KVType, make(chan struct{}, 1)}
}

// Report implements api.Reporter.
func (r *reports) Report(ctx context.Context, a api.Asker, ask api.ReportAsk) ([]byte, error) {
	if r.history.store == nil {
		return nil, errNoHistory
	}
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	in, err := r.input(ctx, a, ask)
	if err != nil {
		return nil, err
	}
	made := report.Make(in)
	var text bytes.Buffer
	switch ask.Format {
	case api.ReportJSON:
		err = made.JSON(&text)
	case api.ReportMarkdown:
		err = made.Markdown(&text)
	default:
		err = made.HTML(&text)
	}
	return text.Bytes(), err
}

// input reads what a report is made of. What waits to be written is written first, where the disk takes it; where it does not, the report
// says so.
func (r *reports) input(ctx context.Context, a api.Asker, ask api.ReportAsk) (report.Input, error) {
	h, now := r.history, time.Now()
	_, flushed, _ := h.written(ctx)
	flushed()
	in := report.Input{Made: now, From: ask.Since, Until: now, Scope: report.AllTenants, Models: r.models(), Objectives: r.wanted(), Allowed: r.allowed, KVType: r.kv}
	var tenant *store.Tenant
	if !a.Administers { // whose share of the throughput no objective is about
		own := h.store.Tenant(a.Tenant)
		tenant, in.Scope, in.Objectives.QPS, in.Objectives.TTFT, in.Objectives.TTFTP95 = &own, scopeOf(a), 0, 0, 0
	}
	err := in.Read(ctx, h.store, tenant, ask.Against)
	var tooMany *report.TooManyRowsError
	if errors.As(err, &tooMany) {
		return in, &api.HTTPError{Status: http.StatusBadRequest, Type: "invalid_request_error", Param: "since", Code: "invalid_value", Message: "since: " + tooMany.Error()}
	}
	if err != nil {
		return in, err
	}
	if in.Correlations, err = h.reportedRatings(ctx, a, now); err != nil {
		return in, err
	}
	in.Health = healthOf(h.store.State())
	return in, nil
}

// scopeOf names whose requests a tenant's report is of.
func scopeOf(a api.Asker) string {
	if a.Tenant == "" {
		return "clients that are no tenant's"
	}
	return a.Tenant
}

// reportedRatings is how ratings go with measurements, for a report.
func (h *history) reportedRatings(ctx context.Context, a api.Asker, now time.Time) (reported []report.Correlation, err error) {
	list, _, err := h.correlations(ctx, a)
	for i := range list {
		reported = append(reported, list[i].reported(now))
	}
	return reported, err
}

func healthOf(s store.State) report.Health {
	h := report.Health{Since: s.Since, Dropped: s.Dropped, Refused: s.Refused, Damaged: int64(s.Damaged)}
	if s.Err != nil {
		h.Problem = s.Err.Error()
	}
	return h
}
