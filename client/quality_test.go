package client

import (
	"strings"
	"testing"
)

// This file owns tests of what quality prints of the control group.

func TestQualityPrintsTheControlGroup(t *testing.T) {
	q, err := ParseQuality([]byte(`{"windows":[],"ratings":0,"correlations":[],"control":[
		{"model":"m\u001b","share":0.1,"requests":[{"tag":"","drawn":9,"scored":5,"waiting":3,"lost":1},{"tag":"load:idle","drawn":2,"scored":2,"waiting":0,"lost":0}],
		 "window":{"numerics":"fp","requests":5,"metrics":[]},
		 "last_window":{"until":"2027-01-02T03:04:05Z","numerics":"fp","requests":200,"metrics":[{"metric":"agreement","value":0.8812,"low":0.86,"high":0.9,"n":200},{"metric":"agreement","tag":"load:idle","value":0.1,"low":0,"high":1,"n":30}]},
		 "canaries":{"time":"2027-01-02T03:04:05Z","tier":"q4_k","asked":24,"changed":2},"next_suite":"2027-01-02T03:04:05Z"},
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
		"24 asked at tier q4_k, 2 changed\n", "suites are asked next at ", "control group of other: 0% of requests\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if strings.ContainsRune(text, 27) {
		t.Error("what others wrote reaches the terminal")
	}
}
