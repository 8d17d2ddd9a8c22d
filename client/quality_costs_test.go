package client

import (
	"strings"
	"testing"
)

// This file owns tests of what quality prints of costs and headroom.

func TestQualityPrintsCosts(t *testing.T) {
	q, err := ParseQuality([]byte(`{"windows": [], "correlations": [], "costs": [
		{"model": "m\u001b[2J", "tier": "q4_k", "tenant": "day", "class": "batch", "prompt_tokens": 4000, "answer_tokens": 1000, "core_seconds_per_1000_tokens": 0.7754, "joules_per_1000_tokens": 12.345},
		{"model": "m", "tier": "source", "class": "interactive", "prompt_tokens": 10, "answer_tokens": 0, "core_seconds_per_1000_tokens": 1.5, "joules_per_1000_tokens": null}], "headroom": [
		{"model": "a", "tier": "q4_k", "load_qps": 60, "busiest_qps": 110, "knee_qps": 120, "headroom": 0.5, "headroom_busiest": 0.0833, "crowded_minutes": 14, "until": "2027-01-02T03:04:05Z"},
		{"model": "b", "load_qps": null, "knee_qps": 33.33, "headroom": null, "headroom_busiest": null, "crowded_minutes": 0, "experiment_pairs": 9, "until": "2027-01-02T03:04:05Z"},
		{"model": "c", "load_qps": 1, "knee_qps": null, "until": null, "problem": "nobody\u001b waited"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := q.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"q4_k day batch 5000 0.775 12.3", "source - interactive 10 1.500 missing",
		"headroom of a: 50 % at 60 requests a second, 8 % in the busiest minute; the knee is at 120, measured at tier q4_k by 14 minutes with requests waiting until 2027-",
		"headroom of b: the knee is at 33.3, measured at tier - by an experiment until 2027-", "headroom of c: missing: nobody",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, out.String())
		}
	}
	if strings.ContainsRune(out.String(), 27) {
		t.Error("what others wrote reaches the terminal")
	}
	var none strings.Builder
	if err := (Quality{}).Print(&none); err != nil || strings.Contains(none.String(), "COST OF") || strings.Contains(none.String(), "headroom") {
		t.Errorf("%v: %s", err, &none)
	}
}
