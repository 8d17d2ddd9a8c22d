package daemon

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"chimera/config"
	"chimera/internal/fixtures"
	"chimera/loader"
)

// SmolLM2 against the golden folder: logits of its exact F32 form, greedy tokens, perplexity.

func smolLM2(t testing.TB) string {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" || testing.Short() {
		t.Skip("set CHIMERA_SMOLLM2 to the model file (make deps gets it)")
	}
	return path
}

func readFloats(t testing.TB, path string) []float32 {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

func TestGoldenSmolLM2(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_GOLDEN", "golden")
	exact := filepath.Join(t.TempDir(), "f32.gguf")
	if err := Quantize(t.Context(), QuantizeRequest{In: smolLM2(t), Out: exact, Type: "f32"}); err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Name    string    `json:"name"`
			IDs     []int32   `json:"prompt_ids"`
			Greedy  []int32   `json:"greedy_ids"`
			Margins []float64 `json:"greedy_margin_top1_top2"`
		} `json:"cases"`
	}
	fixtures.ReadJSON(t, filepath.Join(dir, "smollm2-135m-f32.kvf32_fa0.greedy.json"), &golden)
	rows := readFloats(t, filepath.Join(dir, "smollm2-135m-f32.kvf32_fa0.logits.f32"))
	l, err := loader.Load(exact, loader.Options{Threads: 2, KVType: "f32", ISA: "auto", StepTokens: 256, MaxSequences: 1, MaxLogprobs: 1, Context: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range golden.Cases {
		diff := maxDiff(lastRow(t, l, c.IDs), rows[i*l.Program.Vocab:(i+1)*l.Program.Vocab])
		if !(diff <= 0.02) {
			t.Errorf("%s: logits differ by %g", c.Name, diff)
		}
		t.Logf("%s: largest difference %.2g", c.Name, diff)
		greedyEquals(t, e, goldenPrompt{IDs: c.IDs, Greedy: c.Greedy, GreedyMargin: c.Margins}, 0.04)
	}
}

func TestGoldenPerplexity(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_GOLDEN", "golden")
	text, err := os.ReadFile(filepath.Join(dir, "gpl3.txt"))
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	r, err := Perplexity(&c, PerplexityRequest{Model: smolLM2(t), Text: text, Progress: func(int, int) {}})
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Results map[string]struct{ PPL float64 } `json:"results"`
	}
	fixtures.ReadJSON(t, filepath.Join(dir, "perplexity.json"), &golden)
	want := golden.Results["smollm2-135m-q4_1"].PPL
	if !(math.Abs(r.PPL/want-1) <= 0.01) {
		t.Errorf("perplexity %.4f, the reference has %.4f", r.PPL, want)
	}
	t.Logf("perplexity %.4f +- %.4f over %d windows, the reference has %.4f", r.PPL, r.StdErr, r.Chunks, want)
}

// The translation model: 1,000 greedy answers, compared up to the first margin that rounding may turn.
func TestGoldenTranslation(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	var lines []struct {
		IDs     []int32   `json:"prompt_ids"`
		Answer  []int32   `json:"ids"`
		Margins []float64 `json:"margins"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "greedy-f32.json"))
	if err == nil {
		err = json.Unmarshal(text, &lines)
	}
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		lines = lines[:50]
	}
	l, err := loader.Load(filepath.Join(dir, "gguf", "f32.gguf"), loader.Options{Threads: 2, KVType: "f32", ISA: "auto", StepTokens: 64, MaxSequences: 1, MaxLogprobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		greedyEquals(t, e, goldenPrompt{IDs: line.IDs, Greedy: line.Answer, GreedyMargin: line.Margins}, 4e-3)
	}
	t.Logf("%d answers", len(lines))
}
