package client

import (
	"strings"
	"testing"
)

// This file owns the test of what quality shows of drift, alarms and coverage.

func TestQualityWatched(t *testing.T) {
	q, err := ParseQuality([]byte(`{"windows": [], "correlations": [], "escalation": [], "control": [],
		"drift": [{"model": "m", "suite": "live", "metric": "agreement", "tier": "q4_k", "state": "watching", "value": 0.94, "baseline": 0.9612, "windows": 12, "sum": 1.25, "threshold": 2.5},
			{"model": "m", "suite": "live", "metric": "kl", "tag": "load:idle", "tier": "q4_k", "state": "learning"}, {"model": "m", "suite": "live", "metric": "kl", "tag": "load:busy", "tier": "q4_k", "state": "watching", "alarms": 1}],
		"alarms": [{"time": "2026-11-30T10:00:00Z", "model": "m", "series": "agreement\u001b[2J", "detector": "cusum", "evidence": {}}],
		"coverage": [{"model": "m", "requests": 200, "items": 500, "parts": [{"dimension": "language", "value": "french", "share": 0.12, "low": 0.08, "high": 0.17, "items": 0, "uncovered": true}, {"dimension": "language", "value": "english", "share": 0.88}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := q.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"m q4_k live - agreement 0.94 0.9612 12 1.2 2.5 0 watching", "load:busy kl", "suites of m lack language french: 12% of requests (8% to 17%), 0 of 500 items", "alarms of the last 30 days: 1", "m cusum agreement",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	for _, never := range []string{"load:idle", "english", "\x1b"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is in\n%s", never, out.String())
		}
	}
}
