package answerer

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"

	"chimera/client"
	"chimera/quality/eval"
)

// This file owns tests of what servers tell of a text's state, and of those that tell nothing.

// embedding answers /v1/embeddings with a status or a body.
func embedding(t *testing.T, answer string) *Server {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Model string `json:"model"`
			Input string `json:"input"`
		}
		if err := json.UnmarshalRead(r.Body, &body); err != nil || r.URL.Path != "/v1/embeddings" || body.Model != "asked" || body.Input != "Hello" {
			t.Errorf("%s, %+v, %v", r.URL.Path, body, err)
		}
		status := 200
		if _, err := fmt.Sscan(answer, &status); err == nil {
			w.WriteHeader(status)
			answer = `{"error":{"message":"so it is"}}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(h.Close)
	return &Server{Client: client.New(h.URL), Model: "asked"}
}

func TestStates(t *testing.T) {
	for more, by := range map[string]string{"": "asked", `,"model":"told"`: "told", `,"model":"told","system_fingerprint":"fp"`: "fp"} {
		if got, err := embedding(t, `{"data":[{"embedding":[0.5,-1]}]`+more+`}`).Embed(t.Context(), "Hello"); err != nil || !slices.Equal(got.Mean, []float32{0.5, -1}) || got.By != by {
			t.Errorf("%s: %v, %v", more, got, err)
		}
	}
	if got, err := embedding(t, "500").Embed(t.Context(), " \n"); err != nil || got.Mean != nil {
		t.Errorf("of blanks: %v, %v", got, err)
	}
	for answer, want := range map[string][2]bool{"404": {true, false}, "405": {true, false}, "501": {true, false}, "500": {true, false}, "403": {true, false}, "400": {false, true}, "401": {}, `{"data":[]}`: {}, `{"data":[{"embedding":[]}]}`: {}} {
		_, err := embedding(t, answer).Embed(t.Context(), "Hello")
		var refused *eval.RefusedError
		if got := [2]bool{errors.Is(err, eval.ErrNoStates), errors.As(err, &refused)}; err == nil || got != want {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
