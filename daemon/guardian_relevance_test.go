package daemon

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"chimera/api"
	"chimera/config"
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
	return reading{e, tok}.state(t, text)
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

// A tier's answers are related by the source's states, as the source's own are: those of the tier would make another figure.
func TestRelevanceIsTheControls(t *testing.T) {
	const tier, lines = "q2_k", 30
	r := guarded(t, lines, func(c *config.Config) { c.Tiers.Mode, c.Tiers.Start = config.ModeFixed, tier })
	r.watch()
	r.published()
	m := r.models.list[0]
	r.models.mu.Lock()
	done, source := m.watched.known[tier].runs[0], m.watched.known[api.SourceTier].runs[0]
	r.models.mu.Unlock()
	if by := done.report.RelevanceBy; by == "" || by != source.report.RelevanceBy || by != source.report.Who.Numerics || done.report.Scores["relevance"].N != lines {
		t.Fatalf("by %q, the source's by %q, which is %q: %+v", by, source.report.RelevanceBy, source.report.Who.Numerics, done.report.Scores)
	}
	own, others := m.up.model, 0
	for i := range 3 {
		o, to := done.report.Items[i], done.run.Suite.Items[i].References[0]
		want, err := score.Relevance(meanState(t, o.Text), meanState(t, to))
		if err != nil || !(math.Abs(*o.Relevance-want) <= 1e-6) {
			t.Errorf("%s: %v, by the source's file %v (%v)", o.ID, *o.Relevance, want, err)
		}
		said, _, failed := own.Embed(t.Context(), o.Text)
		meant, _, err := own.Embed(t.Context(), to)
		if failed != nil || err != nil {
			t.Fatal(failed, err)
		}
		if tiers, err := score.Relevance(said, meant); err == nil && math.Abs(tiers-want) > 1e-5 {
			others++
		}
	}
	if others == 0 {
		t.Error("the tier's own states say the same")
	}
}
