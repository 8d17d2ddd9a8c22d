package daemon

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
)

// This file holds every model of the conformance folder to its golden values. It finds models through
// manifest.json and assumes no name, shape, vocabulary or prompt count.

type goldenPrompt struct {
	N            int       `json:"n"`
	IDs          []int32   `json:"ids"`
	Argmax       []int32   `json:"argmax"`
	ArgmaxMargin []float64 `json:"argmax_margin"`
	Greedy       []int32   `json:"greedy"`
	GreedyMargin []float64 `json:"greedy_margin"`
	LogitsLast   string    `json:"logits_last"`

	DequantLogitsLast string  `json:"dequant_logits_last"`
	MedianDiff        float64 `json:"llamacpp_vs_dequant_median"`
	MaxDiff           float64 `json:"llamacpp_vs_dequant"`
}

type goldenFile struct {
	Kind    string         `json:"kind"`
	Prompts []goldenPrompt `json:"prompts"`
}

type goldenTensor struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256_f32"`
}

type goldenQuant struct {
	Files map[string]struct {
		Prompts []goldenPrompt `json:"prompts"`
		Tensors []goldenTensor `json:"tensors"`
	} `json:"files"`
}

func conformanceModels(t *testing.T) (dir string, names []string) {
	dir = fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance")
	return dir, manifestModels(t, dir)
}

func manifestModels(t *testing.T, dir string) (names []string) {
	var manifest struct {
		Models map[string]json.RawMessage `json:"models"`
	}
	if !fixtures.ReadJSON(t, filepath.Join(dir, "manifest.json"), &manifest) {
		t.Fatalf("%s has no manifest.json", dir)
	}
	for name := range manifest.Models {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func decodeFloats(t testing.TB, text string) []float32 {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

func testOptions(kv, isa string) loader.Options {
	return loader.Options{Threads: 2, KVType: kv, ISA: isa, StepTokens: 64, MaxSequences: 1, MaxLogprobs: 8}
}

// loadOrSkip loads a model; what the engine refuses by name is a visible skip. Of the files that call
// themselves llama only one with experts may be refused.
func loadOrSkip(t *testing.T, path string, o loader.Options) *loader.Loaded {
	t.Helper()
	l, err := loader.Load(path, o)
	var unsupported *engine.UnsupportedError
	if errors.As(err, &unsupported) {
		if f, openErr := loader.OpenFile(path); openErr == nil {
			arch, _, _ := f.Metadata().String("general.architecture")
			if arch == "llama" && !strings.Contains(unsupported.What, "experts") {
				t.Fatalf("a llama file was refused: %v", err)
			}
			f.Close()
		}
		t.Skipf("refused: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func lastRow(t testing.TB, l *loader.Loaded, ids []int32) []float32 {
	t.Helper()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	var last []float32
	err = e.rows(ids, len(ids)-1, func(_ int, logits []float32) error {
		last = append([]float32(nil), logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func maxDiff(a, b []float32) (worst float64) {
	for i := range a {
		worst = math.Max(worst, math.Abs(float64(a[i])-float64(b[i])))
	}
	return worst
}

func argmax(row []float32) int32 {
	best := 0
	for i, x := range row {
		if x > row[best] {
			best = i
		}
	}
	return int32(best)
}

// checkPrompt compares all positions and a greedy continuation, where margins allow.
func checkPrompt(t *testing.T, l *loader.Loaded, p goldenPrompt, tolerance, margin float64) (worst float64) {
	t.Helper()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	want, ids := decodeFloats(t, p.LogitsLast), append([]int32(nil), p.IDs...)
	err = e.rows(ids, 0, func(at int, logits []float32) error {
		if at == len(ids)-1 {
			worst = maxDiff(logits, want)
		}
		if got := argmax(logits); p.ArgmaxMargin[at] > margin && got != p.Argmax[at] {
			t.Errorf("position %d of %d: argmax %d, want %d (margin %g)", at, len(ids), got, p.Argmax[at], p.ArgmaxMargin[at])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !(worst <= tolerance) {
		t.Errorf("prompt of %d: logits differ by %g, allowed %g", len(ids), worst, tolerance)
	}
	greedyEquals(t, e, p, margin)
	return worst
}

func greedyEquals(t *testing.T, e *evaluator, p goldenPrompt, margin float64) {
	ids := append([]int32(nil), p.IDs...)
	for first := 0; first < len(ids)-1; first += e.chunk() {
		if err := e.step(ids[first:min(first+e.chunk(), len(ids)-1)], first, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range p.Greedy {
		at := len(ids) - 1
		if err := e.step(ids[at:], at, []engine.Output{{Mode: engine.Sample}}); err != nil {
			t.Fatal(err)
		}
		got := e.batch.Results[0].Token
		if got != want {
			if p.GreedyMargin[i] > margin {
				t.Errorf("prompt of %d: greedy token %d is %d, want %d (margin %g)", len(p.IDs), i, got, want, p.GreedyMargin[i])
			}
			return // after a legitimate difference the rest is not comparable
		}
		ids = append(ids, got)
	}
}

func TestConformance(t *testing.T) {
	dir, names := conformanceModels(t)
	checkModels(t, dir, names)
}

// TestConformanceOfParts: what only some files of an architecture have (biases, fused projections, a stated YaRN
// magnitude, windows, a soft cap), in models that scripts/parts_fixture.py makes.
func TestConformanceOfParts(t *testing.T) {
	dir := filepath.Join("testdata", "parts")
	checkModels(t, dir, manifestModels(t, dir))
}

func checkModels(t *testing.T, dir string, names []string) {
	ran := 0
	for _, name := range names {
		for _, precision := range []string{"f32", "f16"} {
			path := filepath.Join(dir, name, name+"-"+precision+".gguf")
			if _, err := os.Stat(path); err != nil {
				continue
			}
			t.Run(name+"/"+precision, func(t *testing.T) {
				l := loadOrSkip(t, path, testOptions("f32", "auto"))
				var g goldenFile
				if !fixtures.ReadJSON(t, filepath.Join(dir, name, "golden_gguf.json"), &g) {
					fixtures.ReadJSON(t, filepath.Join(dir, name, "golden.json"), &g)
				}
				half := loadOrSkip(t, path, testOptions("f16", "auto"))
				for _, p := range g.Prompts {
					worst := checkPrompt(t, l, p, 1e-3, 4e-3)
					worstHalf := maxDiff(lastRow(t, half, p.IDs), decodeFloats(t, p.LogitsLast))
					if worstHalf > 2e-2 {
						t.Errorf("prompt of %d, f16 KV: logits differ by %g", len(p.IDs), worstHalf)
					}
					t.Logf("prompt of %d: %.2g with f32 KV, %.2g with f16 KV", len(p.IDs), worst, worstHalf)
				}
				ran++
			})
		}
	}
	if ran == 0 {
		t.Fatal("no model ran")
	}
}

func TestConformanceQuantised(t *testing.T) {
	dir, names := conformanceModels(t)
	ran := 0
	for _, name := range names {
		var g goldenQuant
		if !fixtures.ReadJSON(t, filepath.Join(dir, name, "golden_quant.json"), &g) {
			continue
		}
		for file, golden := range g.Files {
			path := filepath.Join(dir, name, file)
			t.Run(file+"/tensors", func(t *testing.T) { checkTensors(t, path, golden.Tensors) })
			t.Run(file, func(t *testing.T) {
				l := loadOrSkip(t, path, testOptions("f32", "auto"))
				for _, p := range golden.Prompts {
					checkQuantised(t, l, p)
				}
				ran++
			})
		}
	}
	if ran == 0 {
		t.Fatal("no quantised model ran")
	}
}

func checkTensors(t *testing.T, path string, tensors []goldenTensor) {
	f, err := loader.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range tensors {
		tensor, ok := f.Tensor(want.Name)
		if !ok {
			t.Errorf("tensor %s is missing", want.Name)
			continue
		}
		if got, err := tensorSHA256(f, tensor); err != nil || got != want.SHA256 {
			t.Errorf("tensor %s (%s): sha256 %s, want %s (%v)", want.Name, tensor.Type, got, want.SHA256, err)
		}
	}
}

// checkQuantised holds the last row to the tolerance for engines with 8-bit activations: the median
// difference at most three times, the largest at most twice the reference engine's own.
func checkQuantised(t *testing.T, l *loader.Loaded, p goldenPrompt) {
	t.Helper()
	got, want := lastRow(t, l, p.IDs), decodeFloats(t, p.DequantLogitsLast)
	diffs := make([]float64, len(got))
	for i := range got {
		diffs[i] = math.Abs(float64(got[i]) - float64(want[i]))
	}
	sort.Float64s(diffs)
	median, worst := diffs[len(diffs)/2], diffs[len(diffs)-1]
	text := fmt.Sprintf("prompt of %d: median %.3g (reference %.3g), largest %.3g (reference %.3g)", len(p.IDs), median, p.MedianDiff, worst, p.MaxDiff)
	if math.IsNaN(diffs[0]) || median > 3*p.MedianDiff || worst > 2*p.MaxDiff { // NaN is sorted to the front
		t.Error(text)
		return
	}
	t.Log(text)
}
