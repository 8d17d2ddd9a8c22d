package config

import (
	"strings"
	"testing"
	"time"
)

// This file owns tests of the settings of tiers, and of what they are measured by.

func TestTierSettings(t *testing.T) {
	c := mustResolve(t, "[tiers]\nmode = \"guard\"\nladder = [\"q8_0\", \"q4_k\"]\n[quality]\nsuites = [\"edge\", \"qa\"]\ninterval = \"10m\"\n")
	if c.Tiers.First() != "q8_0" || strings.Join(c.Tiers.Rungs(), " ") != "source q8_0 q4_k" || c.Quality.Interval.Duration != 10*time.Minute {
		t.Errorf("%+v %+v", c.Tiers, c.Quality)
	}
	if c := mustResolve(t, ""); c.Tiers.First() != "source" || c.Tiers.Mode != "fixed" {
		t.Errorf("%+v", c.Tiers)
	}
	if c := mustResolve(t, "[tiers]\nstart = \"q4_k\"\n"); c.Tiers.First() != "q4_k" {
		t.Errorf("%+v", c.Tiers)
	}
	for file, want := range map[string]string{
		"[tiers]\nmode = \"guard\"":              "quality.suites: tiers.mode = \"guard\" needs a suite",
		"[tiers]\nmode = \"on\"":                 "tiers.mode: on: use fixed, advise or guard",
		"[tiers]\nstart = \"q1_k\"":              "tiers.start: q1_k: use auto, source",
		"[tiers]\nladder = [\"q4_k\", \"q8_0\"]": "tiers.ladder[1]: q8_0 stands behind",
		"[tiers]\nladder = [\"q4_k\", \"q4_k\"]": "tiers.ladder[1]: q4_k stands behind",
		"[tiers]\nladder = [\"q9\"]":             "tiers.ladder[0]: there is no tier \"q9\"",
		"[tiers]\nmin_agreement = 1.0":           "tiers.min_agreement: 1: use a number between 0 and 0.9999",
		"[tiers]\nmax_loss = 0.0":                "tiers.max_loss",
		"[tiers]\nmax_loss = nan":                "tiers.max_loss",
		"tier = \"q4_k\"":                        "unknown key tier",
		"[tiers]\nmode = \"guard\"\nladder = [\"q4_k\"]\n[quality]\nsuites = [\"qa\"]": "tiers.start: q8_0 is not on tiers.ladder",
	} {
		if _, err := resolve(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

func TestWebhookSettings(t *testing.T) {
	for name, c := range map[string]struct {
		quality Quality
		want    string
	}{
		"none":           {Quality{}, ""},
		"no key":         {Quality{Webhook: "https://x.example"}, "quality.webhook: it needs quality.webhook_key"},
		"no address":     {Quality{WebhookKey: "k"}, "quality.webhook_key: there is no quality.webhook"},
		"another scheme": {Quality{Webhook: "file:///etc/passwd", WebhookKey: "k"}, "quality.webhook: it must begin with http://"},
		"a cloud's keys": {Quality{Webhook: "http://169.254.169.254/", WebhookKey: "k"}, "quality.webhook: 169.254.169.254"},
		"both":           {Quality{Webhook: "https://x.example", WebhookKey: "k"}, ""},
	} {
		err := c.quality.checkWebhook()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
