package config

import (
	"strings"
	"testing"
	"time"
)

// This file owns tests of the settings of history, privacy and objectives.

func TestHistorySettings(t *testing.T) {
	c := mustResolve(t, "[history]\nfile = \"/x/h.db\"\n[privacy]\nstore = \"all\"\nretention = \"48h\"\n[objectives]\nqps = 0.5\nttft_ms = 200\nttft_p95_ms = 900\n")
	if c.History.File != "/x/h.db" || c.Privacy.Store != "all" || c.Privacy.Retention.Duration != 48*time.Hour {
		t.Errorf("%+v %+v", c.History, c.Privacy)
	}
	if o := c.Objectives; o.QPS != 0.5 || o.TTFT != 200 || o.TTFTP95 != 900 {
		t.Errorf("%+v", o)
	}
	c = mustResolve(t, "[objectives]\nqps = 2\nttft_ms = 3\nttft_p95_ms = 4\nbleu = 28.5\nagreement = 0.95\naccuracy = 0.5\n")
	if o := c.Objectives; o != (Objectives{QPS: 2, TTFT: 3, TTFTP95: 4, BLEU: 28.5, Agreement: 0.95, Accuracy: 0.5}) {
		t.Errorf("%+v", o)
	}
	if c := mustResolve(t, "[objectives]\nqps = 2\n[history]\nfile = \"\"\n"); c.Objectives.QPS != 2 || c.History.File != "" {
		t.Errorf("%+v %+v", c.Objectives, c.History)
	}
	for file, want := range map[string]string{
		"[privacy]\nstore = \"some\"":     "c.toml:2:1: privacy.store: some: use none, samples or all",
		"[privacy]\nretention = \"1s\"":   "privacy.retention: 1s: use a time between 1h and 87600h",
		"[objectives]\nqps = -1.0":        "objectives.qps: -1: use a number between 0 and 1e+06",
		"[objectives]\nqps = nan":         "objectives.qps: NaN: use a number between",
		"[objectives]\nqps = \"many\"":    "objectives.qps: a TOML string does not suit it: write a number",
		"[objectives]\nttft_ms = -1":      "objectives.ttft_ms",
		"[objectives]\nttft_ms = 1.5":     "objectives.ttft_ms",
		"[objectives]\nbleu = 120.0":      "objectives.bleu: 120: use a number between 0 and 100",
		"[objectives]\nrouge = 20":        "unknown key objectives.rouge",
		"[privacy]\nretention = \"long\"": "privacy.retention",
	} {
		if _, err := resolve(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
