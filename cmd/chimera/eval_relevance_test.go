package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// This file owns tests of relevance as the verb eval has it from a server, and of which metrics are measured.

// related is a scripted server that tells the states of texts as a model's of a name, but of one that has the word bad.
func related(t *testing.T, model string) string {
	var answered atomic.Int64
	answers := script(t, &answered)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/embeddings" {
			answers.ServeHTTP(w, r)
			return
		}
		var body struct{ Input string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || strings.Contains(body.Input, "bad") {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"error":{"message":"so it is"}}`)
			return
		}
		fmt.Fprintf(w, `{"data":[{"embedding":[1,%d]}],"model":%q}`, len(body.Input), model)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What a server does not tell of one item is missing of it, and said; relevance is compared by the states of one model alone, and it is said where it is not.
func TestEvalRelevance(t *testing.T) {
	evalHome(t)
	var lines strings.Builder
	for i, word := range []string{"one", "two", "three", "bad", "five"} {
		fmt.Fprintf(&lines, `{"id":"%d","input":"say %s","kind":"qa","answer":"%s"}`+"\n", i, word, word)
	}
	suite, url := file(t, lines.String()), related(t, "seer")
	r, text := evaluated(t, "--suite", suite, "--url", url, "--clients", "1")
	if r.RelevanceMissing != 1 || r.Scores["relevance"].N != 4 || r.Scores["exact"].N != 5 || !strings.Contains(r.Items[3].RelevanceMissing, "so it is") || r.RelevanceBy != "seer" {
		t.Errorf("%s", text)
	}
	got := runBinary(t, "", "eval", "--suite", suite, "--url", related(t, "other"), "--clients", "1", "--baseline", file(t, text))
	if got.code != 0 || !strings.Contains(got.out, "relevance of 1 items is missing, the first of them 3: ") || !strings.Contains(got.out, "relevance is not compared: the baseline's was measured by the states of seer, this one by those of other") {
		t.Errorf("%+v", got)
	}
	got = runBinary(t, "", "eval", "--suite", suite, "--url", url, "--metrics", "exact,fluency")
	if got.code != 0 || strings.Contains(got.out, "relevance") || strings.Contains(got.out, " f1 ") || !strings.Contains(got.errors, "chimera: fluency is not measured: ") || strings.Contains(got.errors, "exact") {
		t.Errorf("%+v", got)
	}
}
