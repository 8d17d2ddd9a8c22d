package daemon

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/quality/score"
)

// This file owns tests of relevance on a model that computes: /v1/embeddings are its states, and suites are scored by them.

// meanState is what the model makes of a text, without the scheduler: the states of its tokens, read in small pieces.
func meanState(t *testing.T, text string) []float32 {
	t.Helper()
	c := config.Default()
	c.Device = "cpu"
	l, e, err := openEvaluator(filepath.Join(fixtures.SharedDir(t, "CHIMERA_MT", "mt"), "gguf", "f32.gguf"), &c, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tok, err := loader.NewTokenizer(l.File)
	if err != nil {
		t.Fatal(err)
	}
	ids, before := tok.Encode(text, false, false), 0
	if tok.AddsBOS() {
		ids, before = append([]int32{tok.BOS()}, ids...), 1
	}
	sum := make([]float64, l.Program.TapWidth())
	for first := 0; first < len(ids); first += 5 {
		piece := ids[first:min(first+5, len(ids))]
		var outputs []engine.Output
		for row := range piece {
			outputs = append(outputs, engine.Output{Row: int32(row), Mode: engine.Tapped})
		}
		if err := e.step(piece, first, outputs); err != nil {
			t.Fatal(err)
		}
		for i := range outputs {
			for k, x := range e.batch.TapsOf(i) {
				if first+i >= before {
					sum[k] += float64(x)
				}
			}
		}
	}
	mean := make([]float32, len(sum))
	for k, x := range sum {
		mean[k] = float32(x / float64(len(ids)-before))
	}
	return mean
}

func TestRelevanceOfSuites(t *testing.T) {
	const lines = 30
	r := guarded(t, lines, func(c *config.Config) { c.Tiers.Mode, c.Tiers.Start = config.ModeFixed, api.SourceTier })
	r.watch()
	texts := []string{"Open the file.", strings.Repeat("Open file 7 in a new window and close the old one. ", 12)}
	var e struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	r.must("POST", "/v1/embeddings", "", map[string]any{"input": texts}, &e)
	var states [][]float32
	for i, text := range texts {
		state := meanState(t, text)
		same, err := score.Relevance(state, e.Data[i].Embedding)
		if err != nil || !(same > 1-1e-9) {
			t.Errorf("text %d: its embedding lies %v beside its mean state (%v)", i, same, err)
		}
		length := 0.0
		for _, x := range e.Data[i].Embedding {
			length += float64(x) * float64(x)
		}
		if math.Abs(length-1) > 1e-6 {
			t.Errorf("text %d: an embedding of length %v", i, math.Sqrt(length))
		}
		states = append(states, state)
	}
	if other, err := score.Relevance(states[0], states[1]); err != nil || other > 1-1e-4 {
		t.Errorf("two texts have the cosine %v, %v: nothing is told apart", other, err)
	}
	r.rests()
	found := 0
	for _, s := range r.scores() {
		if s.Metric == "relevance" && s.Tag == "tuning" && s.Tier == api.SourceTier {
			found++
			if s.N != lines || !(s.Value > 0.3 && s.Value <= 1 && s.Low <= s.Value && s.Value <= s.High) {
				t.Errorf("%+v", s)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d of %d scores are the suite's relevance", found, len(r.scores()))
	}
}
