package daemon

import (
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/quality/stats"
	"chimera/store"
)

// This file owns tests of ratings: one an answer, by whom it was given to, and what is made of them.

func TestFeedback(t *testing.T) {
	r := newRemembering(t, nil)
	id := r.complete(dayKey, request()).ID
	rate := func(key string, body map[string]any) (int, string) {
		status, _, text := r.do("POST", "/v1/feedback", key, body)
		return status, string(text)
	}
	for name, c := range map[string]struct {
		body map[string]any
		want string
	}{
		"no answer":     {map[string]any{"rating": 3}, `"param":"completion_id"`},
		"no rating":     {map[string]any{"completion_id": id}, `"param":"rating"`},
		"both":          {map[string]any{"completion_id": id, "rating": 3, "thumb": "up"}, `"param":"rating"`},
		"too good":      {map[string]any{"completion_id": id, "rating": 6}, `"param":"rating"`},
		"too bad":       {map[string]any{"completion_id": id, "rating": 0}, `"param":"rating"`},
		"a half":        {map[string]any{"completion_id": id, "rating": 2.5}, `"param":"rating"`},
		"a thumb aside": {map[string]any{"completion_id": id, "thumb": "sideways"}, `"param":"thumb"`},
		"a long one":    {map[string]any{"completion_id": id, "rating": 3, "correction": strings.Repeat("x", 256<<10+1)}, `"param":"correction"`},
		"a field":       {map[string]any{"completion_id": id, "rating": 3, "stars": 3}, `"param":"stars"`},
	} {
		if status, text := rate(dayKey, c.body); status != 400 || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := rate("night-key", map[string]any{"completion_id": id, "rating": 3}); status != 404 {
		t.Errorf("another tenant's: %d %s", status, text)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	counts := map[int]int{}
	for range 8 { // at once: one of them counts
		all.Go(func() {
			status, _ := rate(dayKey, map[string]any{"completion_id": id, "thumb": "up", "correction": "x"})
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	if all.Wait(); counts[200] != 1 || counts[409] != 7 {
		t.Errorf("of eight at once: %v", counts)
	}
	if got := r.receipt(dayKey, id).Ratings; len(got) != 1 || got[0] != 5 {
		t.Errorf("ratings %v", got)
	}
}

// Two hundred ratings give the coefficients that scipy has of the same figures (scripts/ratings_fixture.py); with fewer it is said why there
// are none.
func TestCorrelations(t *testing.T) {
	var golden struct {
		Tokens                     []int
		Ratings                    []float64
		Pearson, Spearman, Kendall float64
	}
	text, err := os.ReadFile("testdata/ratings.json")
	if err == nil {
		err = json.Unmarshal(text, &golden, json.MatchCaseInsensitiveNames(true))
	}
	if err != nil || len(golden.Tokens) != 200 {
		t.Fatal(len(golden.Tokens), err)
	}
	r := newRemembering(t, nil)
	quality := func() api.Quality {
		var q api.Quality
		r.must("GET", "/v1/quality", dayKey, nil, &q)
		return q
	}
	var ttft []float64
	for i, n := range golden.Tokens {
		id := r.complete(dayKey, request("max_tokens", n)).ID
		r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": id, "rating": golden.Ratings[i]}, nil)
		a := r.receipt(dayKey, id)
		ttft = append(ttft, math.Round((a.Queue+a.Prefill)*1e6)) // ns, as they are stored
		if i == 28 {
			if c := quality().Correlations[0]; c.N != 29 || c.Pearson != nil || !strings.Contains(c.Problem, "29 rated answers, it takes 30") {
				t.Errorf("%+v", c)
			}
		}
	}
	q := quality()
	if q.Ratings != 200 || len(q.Correlations) != 4 || q.Correlations[3].Measure != "score" || !strings.HasPrefix(q.Correlations[3].Problem, "no scores yet") {
		t.Fatalf("%+v", q)
	}
	same := func(name string, got *float64, want float64) {
		t.Helper()
		switch {
		case got == nil:
			t.Errorf("%s: there is none", name)
		case !(math.Abs(*got-want) <= 1e-9):
			t.Errorf("%s: %v, want %v", name, *got, want)
		}
	}
	tokens := q.Correlations[2]
	same("Pearson", tokens.Pearson, golden.Pearson)
	same("Spearman", tokens.Spearman, golden.Spearman)
	same("Kendall", tokens.Kendall, golden.Kendall)
	want, err := stats.Spearman(ttft, golden.Ratings) // which differs from run to run
	if err != nil || tokens.N != 200 {
		t.Fatal(err, tokens.N)
	}
	same("Spearman of times", q.Correlations[0].Spearman, want)
}

func TestCorrelationThatIsNotDefined(t *testing.T) {
	x, y := make([]float64, 30), make([]float64, 30)
	for i := range x {
		x[i], y[i] = float64(i), 3
	}
	if c := correlation("x", x, y); c.Pearson != nil || !strings.Contains(c.Problem, "constant") {
		t.Errorf("%+v", c)
	}
	if c := correlation("x", x[:29], x[:29]); c.Pearson != nil || c.Problem == "" {
		t.Errorf("%+v", c)
	}
	if c := correlation("x", x, x); c.Problem != "" || !(*c.Pearson > 0.999) || !(*c.Kendall > 0.999) {
		t.Errorf("%+v", c)
	}
	// An answer of one token has no time between two, and counts for the others.
	rs := []store.Receipt{{AnswerTokens: 1, Answers: 1, Prefill: time.Second}, {AnswerTokens: 5, Answers: 1, Decode: 4 * time.Second}, {Outcome: store.Cancelled}}
	got := correlations([]store.Rating{{Rating: 1}, {Rating: 2}, {Rating: 3}}, rs)
	if text := fmt.Sprint(got[0].N, got[1].N, got[2].N); text != "2 1 3" {
		t.Errorf("%s answers have the three measurements", text)
	}
	if ms, known := measurements[1].of(&rs[1]); !known || ms != 1000 {
		t.Errorf("%v ms a token", ms)
	}
}
