package answerer

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"chimera/client"
	"chimera/quality/eval"
	"chimera/quality/suite"
)

// This file owns tests of what servers answer, refuse and lack.

// serve is a server whose chat has these statuses in turn, then answers; completions have one status or an answer.
func serve(t *testing.T, completions string, statuses ...int) (*Server, *[]map[string]any) {
	var bodies []map[string]any
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.UnmarshalRead(r.Body, &body); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, body)
		status := 200
		if r.URL.Path == "/v1/completions" {
			if _, err := fmt.Sscan(completions, &status); err != nil {
				fmt.Fprint(w, completions)
				return
			}
		} else if len(statuses) > 0 {
			status, statuses = statuses[0], statuses[1:]
		}
		if status != 200 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":{"message":"so it is"}}`)
			return
		}
		for _, piece := range []string{"Ha", "llo"} {
			fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-7\",\"model\":\"m\",\"system_fingerprint\":\"n1\",\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", piece)
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(h.Close)
	return &Server{Client: client.New(h.URL), Model: "asked"}, &bodies
}

func TestAnswers(t *testing.T) {
	s, bodies := serve(t, "", http.StatusTooManyRequests)
	who, err := s.Identify(t.Context())
	if want := (eval.Identity{Model: "m", Numerics: "n1"}); err != nil || who != want {
		t.Errorf("%+v, %v", who, err)
	}
	got, err := s.Answer(t.Context(), []suite.Message{{Role: "system", Content: "German."}, {Role: "user", Content: "Hello"}}, eval.Sampling{MaxTokens: 7, Seed: 5})
	if want := (eval.Reply{ID: "chatcmpl-7", Text: "Hallo", Finish: "stop", Numerics: "n1"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	b := (*bodies)[2] // the first was sent away
	if _, seeded := b["seed"]; seeded || b["temperature"] != 0.0 || b["max_tokens"] != 7.0 || b["model"] != "asked" || len(b["messages"].([]any)) != 2 {
		t.Errorf("asked %v", b)
	}
	if _, err := s.Answer(t.Context(), []suite.Message{{Role: "user", Content: "Hello"}}, eval.Sampling{MaxTokens: 7, Temperature: 0.5, Seed: 1<<31 - 1}); err != nil {
		t.Error(err)
	}
	if b := (*bodies)[3]; b["temperature"] != 0.5 || b["seed"] != float64(1<<31-1) {
		t.Errorf("drawn: asked %v", b)
	}
}

// A model that can't chat is known by a text that it continues; where that fails too, the first refusal is what is said.
func TestIdentifiesWithoutChat(t *testing.T) {
	s, bodies := serve(t, "data: {\"model\":\"base\",\"system_fingerprint\":\"n2\",\"choices\":[{\"text\":\"!\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n", 400)
	who, err := s.Identify(t.Context())
	if want := (eval.Identity{Model: "base", Numerics: "n2"}); err != nil || who != want || (*bodies)[1]["max_tokens"] != 1.0 {
		t.Errorf("%+v, %v", who, err)
	}
	s, _ = serve(t, "500", 400)
	if _, err := s.Identify(t.Context()); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	for status, ofItem := range map[int]bool{400: true, 413: true, 422: true, 401: false, 404: false, 500: false} {
		s, _ := serve(t, "", status)
		_, err := s.Answer(t.Context(), []suite.Message{{Role: "user", Content: "Hello"}}, eval.Sampling{MaxTokens: 7, Seed: 5})
		var refused *eval.RefusedError
		if errors.As(err, &refused) != ofItem || err == nil || !strings.Contains(err.Error(), "so it is") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestLikelihoods(t *testing.T) {
	s, _ := serve(t, `{"choices":[{"text":"Q a","logprobs":{"token_logprobs":[null,-3],"text_offset":[0,1]}}]}`)
	if got, err := s.Likelihoods(t.Context(), "Q", []string{" a"}); err != nil || len(got) != 1 || got[0] != -3 {
		t.Errorf("%v, %v", got, err)
	}
	for completions, none := range map[string]bool{"404": true, "405": true, "501": true, `{"choices":[{"text":"a"}]}`: true, "500": false, "400": false} {
		s, _ := serve(t, completions)
		_, err := s.Likelihoods(t.Context(), "Q", []string{" a"})
		var refused *eval.RefusedError
		if err == nil || errors.Is(err, eval.ErrNoLikelihoods) != none || errors.As(err, &refused) != (completions == "400") {
			t.Errorf("%s: %v", completions, err)
		}
	}
}
