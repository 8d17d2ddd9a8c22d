package client

import (
	"strings"
	"testing"
)

// This file owns tests of what quality prints of the control group and of escalation.

func TestQualityPrintsTheControlGroup(t *testing.T) {
	q, err := ParseQuality([]byte(`{"windows":[],"ratings":0,"correlations":[],"control":[
		{"model":"m\u001b","share":0.1,"requests":[{"tag":"","drawn":9,"scored":5,"waiting":3,"lost":1},{"tag":"load:idle","drawn":2,"scored":2,"waiting":0,"lost":0}],
		 "window":{"numerics":"fp","requests":5,"metrics":[]},
		 "last_window":{"until":"2027-01-02T03:04:05Z","numerics":"fp","requests":200,"metrics":[{"metric":"agreement","value":0.8812,"low":0.86,"high":0.9,"n":200},{"metric":"agreement","tag":"load:idle","value":0.1,"low":0,"high":1,"n":30}]},
		 "canaries":{"time":"2027-01-02T03:04:05Z","tier":"q4_k","asked":24,"changed":2,"cached_tokens":310,"changed_by_cache":1},"next_suite":"2027-01-02T03:04:05Z"},
		{"model":"other","share":0,"requests":[],"window":null,"last_window":null,"canaries":null}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := q.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		": 10% of requests\n", "all        9      5       3        1\n", "load:idle  2", "window under way, 5 requests scored\n", "last window, 200 requests scored; agreement 0.8812 (0.86 to 0.9)\n",
		"24 asked at tier q4_k, 2 changed; again with 310 tokens of the prefix cache, 1 changed\n", "suites are asked next at ", "control group of other: 0% of requests\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if strings.ContainsRune(text, 27) {
		t.Error("what others wrote reaches the terminal")
	}
}

// A model that is answered for below its source has a line, with what is known and why answers were given as they were; one that is not has none.
func TestQualityShowsEscalation(t *testing.T) {
	q, err := ParseQuality([]byte(`{"windows": [], "correlations": [], "escalation": [
		{"model": "idle", "tier": "source", "budget": 0.01, "tokens": 0, "fallen_back": {}},
		{"model": "mt\u001b[2J", "tier": "q2_k", "budget": 0.05, "tokens": 2000, "extra_tokens": 30, "threshold": -1.25, "stream_threshold": null, "escalated": 3,
		 "fallen_back": {"failed": 0, "control": 2, "budget": 1}, "control": true, "problem": ""}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := q.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := "q2_k 5.00 % 1.50 % -1.250 - 3 1 budget, 2 control loaded"
	if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, want) || strings.Contains(got, "idle") || strings.Contains(out.String(), "\x1b") || strings.Count(got, "ESCALATED OF") != 1 {
		t.Errorf("%s", out.String())
	}
}
