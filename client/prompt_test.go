package client

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// This file owns tests of log-likelihoods: which tokens count, and what is no answer.

func TestLogLikelihood(t *testing.T) {
	for _, c := range []struct {
		behind, text, answer string
		want                 float64
		fails                string
	}{
		// "é" is two tokens, of which the first has no width.
		{"Q:", " yé", `{"text":"Q: yé!","logprobs":{"token_logprobs":[null,-1,-2,-4,-8,-16],"text_offset":[0,1,2,4,4,5]}}`, -14, ""},
		// A token that both have a part in counts.
		{"ab", "cd", `{"text":"abcdx","logprobs":{"token_logprobs":[null,-1,-2,-4],"text_offset":[0,1,3,4]}}`, -3, ""},
		// Nothing was generated.
		{"é ", "b", `{"text":"é b","logprobs":{"token_logprobs":[null,-1,-2],"text_offset":[0,1,2]}}`, -2, ""},
		{"", "b", `{"text":"b","logprobs":{"token_logprobs":[null],"text_offset":[0]}}`, 0, "token 0 has none"},
		{"a", "b", `{"text":"c","logprobs":{"token_logprobs":[-1],"text_offset":[0]}}`, 0, "no log-probabilities"},
		{"a", "b", `{"text":"ab","logprobs":null}`, 0, "no log-probabilities"},
		{"a", "b", `{"text":"ab","logprobs":{"token_logprobs":[null,-1],"text_offset":[0]}}`, 0, "2 of them and 1 text_offsets"},
		{"a", "b", `{"text":"ab","logprobs":{"token_logprobs":[],"text_offset":[]}}`, 0, "no log-probabilities"},
	} {
		var asked echoBody
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := json.UnmarshalRead(r.Body, &asked); err != nil || r.URL.Path != "/v1/completions" {
				t.Error(r.URL, err)
			}
			fmt.Fprintf(w, `{"choices":[%s]}`, c.answer)
		}))
		got, err := New(s.URL).LogLikelihood(t.Context(), c.behind, c.text, Options{Model: "m"})
		s.Close()
		if c.fails != "" {
			if err == nil || !errors.Is(err, ErrNoEcho) || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.answer, err, c.fails)
			}
			continue
		}
		if err != nil || !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("%q behind %q: %v, %v, want %v", c.text, c.behind, got, err, c.want)
		}
		if want := (echoBody{"m", c.behind + c.text, 1, 0, true, 1}); asked != want {
			t.Errorf("asked %+v, want %+v", asked, want)
		}
	}
}
