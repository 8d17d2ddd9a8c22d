package daemon

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chimera/client"
	"chimera/config"
	"chimera/quality/report"
	"chimera/store"
)

// This file owns tests of reports of a real server: who sees what, in which form, and that it has the history's figures.

// reported asks for a report as JSON.
func (r *remembering) reported(key, query string) *report.Report {
	r.t.Helper()
	status, _, text := r.do("GET", "/v1/report?format=json"+query, key, nil)
	if status != 200 {
		r.t.Fatalf("%d %s", status, text)
	}
	made, err := report.Parse(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return made
}

// counted asks for something on the connection that completions came by: what came before has been counted when that is answered.
func (r *remembering) counted() {
	r.t.Helper()
	r.must("GET", "/v1/models", dayKey, nil, nil)
}

// figure is one of a report's summary.
func figure(t *testing.T, r *report.Report, name string) report.Figure {
	t.Helper()
	for _, s := range r.Summaries {
		for _, statement := range s.Statements {
			for _, f := range statement.Figures {
				if f.Name == name {
					return f
				}
			}
		}
	}
	t.Fatalf("there is no figure %s", name)
	return report.Figure{}
}

func TestReport(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) {
		c.Objectives.QPS, c.Objectives.TTFT, c.Objectives.BLEU = 1e5, 60_000, 28
		c.Privacy.Store = string(store.All)
	})
	const secret = "xyzzy-of-a-user"
	for range 3 {
		r.complete(dayKey, request("prompt", secret))
	}
	r.complete("night-key", request())
	r.counted()
	r.closeWindow(time.Now())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.history.store.AddScore(store.Score{Time: time.Now(), Model: "m", Suite: "s", Digest: "d", Metric: "bleu", Tier: "source", Value: 27, Low: 26, High: math.NaN(), N: 9}))

	all := r.reported(administrator, "&since=1h")
	if f := figure(t, all, "completed"); all.Scope != report.AllTenants || *f.Value != 4 || f.Sources[0].Rows != "1-2" {
		t.Errorf("%s: %+v", all.Scope, f)
	}
	if missed := strings.Join(all.Missed(), " "); missed != "m: bleu" {
		t.Errorf("missed are %q", missed)
	}
	if f := figure(t, all, "ttft_mean_ms"); f.Objective == nil || f.Objective.Status != report.Met {
		t.Errorf("%+v", f)
	}
	if f := figure(t, all, "rating.chrf"); f.Missing != "0 rated answers, it takes 30" {
		t.Errorf("%+v", f)
	}
	own := r.reported(dayKey, "")
	if f := figure(t, own, "completed"); own.Scope != "day" || *f.Value != 3 || f.Sources[0].Rows != "1" {
		t.Errorf("%s: %+v", own.Scope, f)
	}
	if f := figure(t, own, "qps_mean"); f.Objective != nil {
		t.Error("a tenant's share is held against what all should have")
	}
	if f := figure(t, r.reported("", ""), "completed"); f.Value != nil {
		t.Errorf("who asked nothing sees %+v", f)
	}
	for format, want := range map[string]string{"html": "text/html; charset=utf-8", "markdown": "text/markdown; charset=utf-8", "json": "application/json"} {
		status, head, text := r.do("GET", "/v1/report?format="+format, administrator, nil)
		if status != 200 || head.Get("Content-Type") != want || !strings.HasPrefix(head.Get("Content-Security-Policy"), "default-src 'none'") || head.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", format, status, head)
		}
		for _, never := range []string{secret, "day", "night"} {
			if bytes.Contains(text, []byte(">"+never)) || bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s: it has %s", format, never)
			}
		}
	}
	if status, _, text := r.do("GET", "/v1/report?format=pdf", administrator, nil); status != 400 || !bytes.Contains(text, []byte(`"param":"format"`)) {
		t.Errorf("%d %s", status, text)
	}
	if status, _, _ := r.do("POST", "/v1/report", administrator, nil); status != 405 {
		t.Errorf("POST: %d", status)
	}
}

// Against an earlier period there are changes, and the verb's way to the daemon is the same.
func TestReportAgainst(t *testing.T) {
	r := newRemembering(t, nil)
	at := time.Now().Add(-90 * time.Minute)
	if err := r.history.store.AddWindow(store.Window{From: at.Add(-time.Minute), Until: at, Model: "m", Class: "interactive", Requests: 60, QPSMean: 1, QPSPeak: 2, TTFT: store.Latency{Mean: 5, P50: 4, P95: 6, P99: 7}}); err != nil {
		t.Fatal(err)
	}
	r.complete("", request())
	r.counted()
	r.closeWindow(time.Now())
	var made *report.Report
	text, err := client.New(r.path).Report(context.Background(), "1h", "1h", func(text []byte) (err error) {
		made, err = report.Parse(text)
		return err
	})
	if err != nil || len(made.Summaries[0].Changes) != 6 || *made.Summaries[0].Changes[0].Before.Value != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	if changes := r.reported(administrator, "&since=1h").Summaries[0].Changes; len(changes) != 0 {
		t.Errorf("%+v", changes)
	}
	if _, err := client.New(r.path).Report(context.Background(), "soon", "", nil); err == nil || !strings.Contains(err.Error(), "since: \"soon\"") {
		t.Error(err)
	}
}

// A model of which nothing was measured has a report all the same, and a daemon without a history has none.
func TestReportOfNothing(t *testing.T) {
	r := newRemembering(t, nil)
	made := r.reported(administrator, "")
	if len(made.Summaries) != 1 || made.Summaries[0].Model != "m" || made.Summaries[0].Statements[0].Status != report.NotThere {
		t.Errorf("%+v", made.Summaries)
	}
	off := newRemembering(t, func(c *config.Config) { c.History.File = filepath.Join("/proc", "nowhere", "history.db") })
	if status, _, text := off.do("GET", "/v1/report", administrator, nil); status != 503 || !bytes.Contains(text, []byte("history_unavailable")) {
		t.Errorf("%d %s", status, text)
	}
}
