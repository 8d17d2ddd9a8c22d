package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"chimera/daemon"
)

// This file owns tests of the verb layers.

func TestLayersVerb(t *testing.T) {
	model := fixture(t, "llama")
	if nameOf(model) != "llama-f32" {
		t.Skip("a larger model takes minutes: set CHIMERA_CONFORMANCE")
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--suite", "qa"}, 2, `"tier"`},
		{[]string{"--tier", "q8_0"}, 2, `"suite"`},
		{[]string{"--suite", "qa", "--tier", "source"}, 2, "give another, such as q4_k"},
		{[]string{"--suite", "none.jsonl", "--tier", "q8_0"}, 1, "none.jsonl"},
		{[]string{"--suite", "qa", "--tier", "q9"}, 2, "tier"},
	} {
		if r := runBinary(t, "", append([]string{"layers", "--model", model}, c.args...)...); r.code != c.code || !strings.Contains(r.errors, c.says) || r.out != "" {
			t.Errorf("%v: %+v", c.args, r)
		}
	}
	ask := []string{"layers", "--model", model, "--suite", "qa", "--tier", "q8_0", "--threads", "1"}
	r := runBinary(t, "", ask...)
	if r.code != 0 || r.errors != "" || !regexp.MustCompile(`(?m)^ *layer +relative error +KL +agreement\n *embedding +0\.\d{4} +\d\.\d{5} +[01]\.\d{4}\n *1 +0\.`).MatchString(r.out) {
		t.Errorf("%+v", r)
	}
	var l daemon.Layers
	if r := runBinary(t, "", append(ask, "--json")...); r.code != 0 || json.Unmarshal([]byte(r.out), &l) != nil || l.Tier != "q8_0" || l.Suite != "qa" || l.Places == 0 || len(l.Layers) < 2 {
		t.Errorf("%+v", r)
	}
}
