package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
	document "chimera/internal/tables"
	"chimera/loader"
	"chimera/model"
	"chimera/quality/suite"
	"chimera/quality/suites"
	"chimera/weights"
)

// This file owns tests of what a tier loses layer by layer: that the states are those which become the answers, and that the last layer's figures are
// those of the whole model.

// layeredModels are a model of each, of those that every clone has and of the conformance folder, where it is there.
func layeredModels(t *testing.T) []string {
	list := []string{fixtures.Biased, filepath.Join("testdata", "parts", "gemma3_softcap", "gemma3_softcap-f16.gguf"), filepath.Join("testdata", "parts", "llama_fused", "llama_fused-f16.gguf")}
	gpt2, _ := filepath.Glob(filepath.Join("..", "..", "shared", "conformance", "gpt2", "gpt2-f32.gguf"))
	return append(list, gpt2...)
}

// sideOf loads a model with taps behind its layers, and its end.
func sideOf(t *testing.T, path, tier string) *side {
	t.Helper()
	c := config.Default()
	c.Device, c.Tiers.Start = "cpu", tier
	f, err := loader.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o := offlineOptions(&c)
	states, err := model.BuildLayers(f)
	if err != nil {
		t.Fatal(err)
	}
	end, err := model.BuildLens(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.OpenBackend(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &side{}
	t.Cleanup(func() {
		if err := errors.Join(s.close(), b.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := s.load(b, f, states, end, o); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLensOfTheLastLayer: what the model's end makes of the state behind the last layer is what the model answers with, to the bit, and neither the
// taps nor their absence change that.
func TestLensOfTheLastLayer(t *testing.T) {
	for _, path := range layeredModels(t) {
		for _, tier := range []string{api.SourceTier, "q8_0"} {
			s := sideOf(t, path, tier)
			ids := []int32{3, 1, 4, 1, 5, 9, 2, 6}
			var outputs []engine.Output
			for row := range ids {
				outputs = append(outputs, engine.Output{Row: int32(row), Mode: engine.Tapped | engine.WholeRow})
			}
			if err := s.model.step(ids, 0, outputs); err != nil {
				t.Fatal(err)
			}
			width, want := s.end.Limits().VectorWidth, slices.Clone(s.model.batch.Logits)
			var last [][]float32
			for i := range ids {
				taps := s.model.batch.TapsOf(i)
				last = append(last, taps[len(taps)-width:])
			}
			if err := s.lens.states(last, engine.Output{Mode: engine.WholeRow}, nil); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.lens.batch.Logits, want) || len(want) != len(ids)*s.Program.Vocab {
				t.Errorf("%s at %s: the end makes other logits of the last layer's states", path, tier)
			}
			served, digest := withoutTaps(t, path, tier, ids)
			if !slices.Equal(served, want) || digest != s.Instance.Digest(1) {
				t.Errorf("%s at %s: without taps there are other logits, or the digest %s, not %s", path, tier, digest, s.Instance.Digest(1))
			}
		}
	}
}

// withoutTaps are the logits of a model that has no taps at all, and its digest.
func withoutTaps(t *testing.T, path, tier string, ids []int32) (logits []float32, digest string) {
	t.Helper()
	c := config.Default()
	c.Device, c.Tiers.Start = "cpu", tier
	f, p, err := loader.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.TapWidth() == 0 {
		t.Errorf("%s: the model that is served has no tap of its final state", path)
	}
	p.Ops = slices.DeleteFunc(p.Ops, func(op engine.Op) bool { _, tap := op.(engine.Tap); return tap })
	l, err := loader.LoadOpened(f, p, offlineOptions(&c))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.rows(ids, 0, func(_ int, row []float32) error { logits = append(logits, row...); return nil }); err != nil {
		t.Fatal(err)
	}
	return logits, l.Instance.Digest(1)
}

// compared is a comparison of a model with itself at a tier.
func compared(t *testing.T, path, tier string, s *suite.Suite) *Layers {
	t.Helper()
	c := config.Default()
	c.Device, c.KVType, c.Tiers.Start = "cpu", "f32", tier
	l, err := CompareLayers(t.Context(), &c, LayersRequest{Model: path, Suite: s})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLayers: the last layer's divergence is that of the whole model, which calibration measures in its own way; a type that keeps all bits loses nothing;
// two bits lose more than eight in every layer, but in the embedding, which has the same type.
func TestLayers(t *testing.T) {
	s, path := questionsOf(t, suite.Tuning, 12), fixtures.Talking(t, fixtures.Biased, t.TempDir(), "small")
	rough, fine, same := compared(t, path, "q2_k", s), compared(t, path, "q8_0", s), compared(t, path, "f16", s)
	x, err := newMixing(MixRequest{Model: path, Calibration: s})
	if err != nil {
		t.Fatal(err)
	}
	defer x.loaded.Close()
	if err := x.source.expect(t.Context(), x.evaluator); err != nil {
		t.Fatal(err)
	}
	for i := range same.Layers {
		if l := same.Layers[i]; l != (LayerDifference{Layer: i, Agreement: 1}) {
			t.Errorf("as it is: %+v", l)
		}
		if r, f := rough.Layers[i], fine.Layers[i]; i > 0 && !(r.Error > f.Error && f.Error > 0 && r.KL > f.KL && f.KL > 0 && r.Agreement <= 1 && r.Agreement >= 0) {
			t.Errorf("%+v at q2_k, %+v at q8_0", r, f)
		}
	}
	if n := x.loaded.Program.Groups[0].Layers; len(same.Layers) != n+1 || same.Places != len(x.source.places) {
		t.Errorf("%d layers and %d places, want %d and %d", len(same.Layers), same.Places, n+1, len(x.source.places))
	}
	var table strings.Builder
	if err := rough.Print(&table); err != nil || !strings.Contains(table.String(), "embedding") || strings.Count(table.String(), "\n") != len(rough.Layers)+3 {
		t.Errorf("%v: %s", err, table.String())
	}
	f, err := loader.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, l := range []*Layers{rough, fine} {
		if err := x.become(loader.Recipe(f, map[string]weights.Type{"q2_k": weights.Q2_K, "q8_0": weights.Q8_0}[l.Tier])); err != nil {
			t.Fatal(err)
		}
		whole, err := x.source.divergence(t.Context(), x.evaluator)
		if last := l.Layers[len(l.Layers)-1].KL; err != nil || !(math.Abs(whole-last) <= 1e-6*whole) {
			t.Errorf("%s: %v behind the last layer, %v of the whole model (%v)", l.Tier, last, whole, err)
		}
	}
}

func TestRelativeError(t *testing.T) {
	for _, c := range []struct {
		x, state []float32
		want     float64
	}{
		{[]float32{3, 4}, []float32{3, 4}, 0},
		{[]float32{3, 9}, []float32{3, 4}, 1},
		{[]float32{0, 0}, []float32{3, 4}, 1},
		{[]float32{6, 8}, []float32{3, 4}, 1},
		{[]float32{1, 0}, []float32{0, 0}, 1},
		{[]float32{0, 0}, []float32{0, 0}, 0},
		{[]float32{3.5, 4}, []float32{3, 4}, 0.1},
	} {
		if got := relativeError(c.x, c.state); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v beside %v: %v, want %v", c.x, c.state, got, c.want)
		}
	}
}

func TestLayersAreRefused(t *testing.T) {
	small, over := fixtures.Talking(t, fixtures.Biased, t.TempDir(), "small"), errors.New("it is over")
	for _, c := range []struct {
		path, tier string
		suite      *suite.Suite
		says       string
	}{
		{small, api.SourceTier, questionsOf(t, suite.Tuning, 1), "give another, such as q4_k"},
		{"none.gguf", "q4_k", questionsOf(t, suite.Tuning, 1), "there is no such file"},
	} {
		own := config.Default()
		own.Device, own.Tiers.Start = "cpu", c.tier
		if _, err := CompareLayers(t.Context(), &own, LayersRequest{Model: c.path, Suite: c.suite}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.says, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	own := config.Default()
	own.Device, own.Tiers.Start = "cpu", "q8_0"
	_, err := CompareLayers(ctx, &own, LayersRequest{Model: small, Suite: questionsOf(t, suite.Tuning, 9), Progress: func(_, _ uint64) { cancel(over) }})
	if !errors.Is(err, over) {
		t.Errorf("when it is ended: %v", err)
	}
}

// TestLayersTable makes the table of docs/TIERS.md: go test ./daemon -run LayersTable -rewrite
func TestLayersTable(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	s, err := suites.Open(filepath.Join(dir, "suite", "test.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "gguf", "f32.gguf")
	table := document.Table{Name: "layers", Head: []string{"behind", "q4_k: relative error", "KL", "agreement", "q2_k: relative error", "KL", "agreement"}}
	if !*rewrite {
		t.Skip("with -rewrite it measures the translation model by layer")
	}
	fine, rough := compared(t, path, "q4_k", s), compared(t, path, "q2_k", s)
	for i, f := range fine.Layers {
		name, r := fmt.Sprintf("layer %d", i), rough.Layers[i]
		if i == 0 {
			name = "the embedding"
		}
		cells := []string{name}
		for _, l := range []LayerDifference{f, r} {
			cells = append(cells, fmt.Sprintf("%.4f", l.Error), fmt.Sprintf("%.5f", l.KL), fmt.Sprintf("%.1f", 100*l.Agreement))
		}
		table.Rows = append(table.Rows, cells)
	}
	t.Logf("%d places", fine.Places)
	if err := table.Write("../docs/TIERS.md"); err != nil {
		t.Fatal(err)
	}
}
