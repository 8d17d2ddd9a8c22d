package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// This file owns tests of relevance: what is held against what, and when there is none.

// seer is a parrot that tells states by a text's letters a, b and c: how many there are of each, less four of each that is in upper case.
type seer struct {
	parrot
	embed func(text string) error // nil: it tells of all
}

func (p *seer) Embed(_ context.Context, text string) ([]float32, error) {
	if p.embed != nil {
		if err := p.embed(text); err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	state := []float32{0.5, 0, 0}
	for i, letter := range []string{"a", "b", "c"} {
		state[i] += float32(strings.Count(text, letter) - 4*strings.Count(text, strings.ToUpper(letter)))
	}
	return state, nil
}

func relevancesOf(t *testing.T, p *seer, lines ...string) (*Run, *Report) {
	t.Helper()
	s := read(t, lines...)
	p.who = Identity{"seer", "n1"}
	r, err := Begin(t.Context(), s, p, Settings{MaxTokens: 64}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return r, reportOf(t, r)
}

func TestRelevance(t *testing.T) {
	p := &seer{parrot: parrot{say: echo}}
	_, r := relevancesOf(t, p,
		`{"id":"same","input":"ab","references":["ab"],"kind":"qa"}`,
		`{"id":"best of two","input":"bb","references":["cc","bbb","a"],"kind":"text"}`,
		`{"id":"its question","input":"aabc","kind":"edge","checks":[{"check":"asks"}]}`,
		`{"id":"opposite","input":"bb","references":["B"],"kind":"translation"}`,
		`{"id":"nothing said","input":"  ","references":["b"],"kind":"qa"}`,
		`{"id":"a choice","input":"a","choices":["a","b"],"answer":0,"kind":"choice"}`)
	cosine := func(x, y [3]float64) float64 {
		dot := func(x, y [3]float64) float64 { return x[0]*y[0] + x[1]*y[1] + x[2]*y[2] }
		return dot(x, y) / (math.Sqrt(dot(x, x)) * math.Sqrt(dot(y, y)))
	}
	want := []float64{1, cosine([3]float64{.5, 2, 0}, [3]float64{.5, 3, 0}), 1, cosine([3]float64{.5, 2, 0}, [3]float64{.5, -4, 0}), 0}
	sum := 0.0
	for i, w := range want {
		got := r.Items[i].Relevance
		if got == nil {
			t.Fatalf("%s has none", r.Items[i].ID)
		}
		equal(t, r.Items[i].ID, *got, w)
		sum += w
	}
	if r.Items[5].Relevance != nil || want[3] > -0.9 {
		t.Errorf("of a choice: %v", *r.Items[5].Relevance)
	}
	if s := r.Scores["relevance"]; s.N != 5 || s.Low == nil || *s.Low < -1 || *s.High > 1 {
		t.Errorf("%+v", s)
	}
	equal(t, "mean", r.Scores["relevance"].Value, sum/5)
}

// An item without an answer has 0, as an empty one has, and so has what the model can't read.
func TestRelevanceOfWhatIsRefused(t *testing.T) {
	long := func(text string) error {
		if len(text) > 20 {
			return &RefusedError{errors.New("too long")}
		}
		return nil
	}
	p := &seer{parrot: parrot{say: func(text string) (Reply, error) {
		if text == "no" {
			return Reply{}, &RefusedError{errors.New("no")}
		}
		return echo(text)
	}}, embed: long}
	_, r := relevancesOf(t, p,
		`{"id":"refused","input":"no","references":["b"],"kind":"qa"}`,
		`{"id":"long answer","input":"bbbbbbbbbbbbbbbbbbbbbbbbb","references":["b"],"kind":"qa"}`,
		`{"id":"long reference","input":"b","references":["bbbbbbbbbbbbbbbbbbbbbbbbb"],"kind":"qa"}`,
		`{"id":"right","input":"b","references":["b"],"kind":"qa"}`)
	for i, want := range []float64{0, 0, 0, 1} {
		if got := r.Items[i].Relevance; got == nil || math.Abs(*got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", r.Items[i].ID, got, want)
		}
	}
	if r.Failed != 1 || r.Scores["relevance"].N != 4 {
		t.Errorf("%d failed, %+v", r.Failed, r.Scores["relevance"])
	}
}

// Of an answerer that tells no states there is no relevance, and its journal is another; any other error ends the run.
func TestWithoutRelevance(t *testing.T) {
	line := `{"id":"a","input":"a","references":["a"],"kind":"qa"}`
	told, _ := relevancesOf(t, &seer{parrot: parrot{say: echo}}, line)
	for _, cause := range []error{fmt.Errorf("404: %w", ErrNoStates), &RefusedError{errors.New("no embeddings")}} {
		r, report := relevancesOf(t, &seer{parrot: parrot{say: echo}, embed: func(string) error { return cause }}, line)
		if _, has := report.Scores["relevance"]; has || report.Items[0].Relevance != nil || r.Key() == told.Key() {
			t.Errorf("%v: %+v, key %s", cause, report.Items[0], r.Key())
		}
	}
	broken := errors.New("broken")
	p := &seer{parrot: parrot{say: echo}, embed: func(text string) error {
		if text == "a" {
			return broken
		}
		return nil
	}}
	p.who = Identity{"seer", "n1"}
	r, err := Begin(t.Context(), read(t, line), p, Settings{MaxTokens: 64}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Outcomes(t.Context(), nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
