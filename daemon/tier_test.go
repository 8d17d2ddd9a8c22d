package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
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
	"chimera/quality/score"
	"chimera/tokenizer"
)

// This file owns tests of tiers as they are loaded: that a tier is its file, and what each costs in quality.

func tierOptions(tier string) loader.Options {
	return loader.Options{Threads: 2, KVType: "f32", Tier: tier, ISA: "auto", Device: "cpu", StepTokens: 256, MaxSequences: 1, MaxLogprobs: 1}
}

// digestAt is what a model's weights are called when they are loaded at a tier, and the bytes that they take.
func digestAt(t *testing.T, path, tier string) (digest string, bytes int64) {
	t.Helper()
	l, err := loader.Load(path, tierOptions(tier))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Instance.Digest(l.Instance.Generation()), l.Instance.Plan().WeightBytes
}

// quantised is a file with a model's tensors in another type, but those that choices name.
func quantised(t *testing.T, from, name string, choices ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.gguf")
	if err := Quantize(context.Background(), QuantizeRequest{In: from, Out: out, Type: name, Tensors: choices}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTierIsItsFile: a tier that is made while it is loaded is the one that quantize writes, made twice it is the same, and each
// is another model and smaller.
func TestTierIsItsFile(t *testing.T) {
	models := []string{filepath.Join("testdata", "parts", "llama_biases", "llama_biases-f16.gguf")} // its rows are short
	if mt := filepath.Join(os.Getenv("CHIMERA_MT"), "gguf", "f32.gguf"); os.Getenv("CHIMERA_MT") != "" {
		models = append(models, mt)
	}
	for _, model := range models {
		digests := map[string]string{}
		last := int64(math.MaxInt64)
		for _, tier := range config.TierNames() {
			digest, size := digestAt(t, model, tier)
			if again, _ := digestAt(t, model, tier); again != digest {
				t.Errorf("%s: %s made twice is %s and %s", model, tier, digest, again)
			}
			if tier != api.SourceTier {
				if file, _ := digestAt(t, quantised(t, model, tier), api.SourceTier); file != digest {
					t.Errorf("%s: %s is %s, its file %s", model, tier, digest, file)
				}
			}
			if size > last {
				t.Errorf("%s: %s takes %d bytes, the tier above %d", model, tier, size, last)
			}
			if size < last {
				digests[digest] = tier
			}
			last = size
		}
		if len(digests) < 4 {
			t.Errorf("%s: only %v differ", model, digests)
		}
	}
}

// TestTierAboveItsSource: nothing is made of a model that has fewer bits already.
func TestTierAboveItsSource(t *testing.T) {
	model := quantised(t, filepath.Join("testdata", "parts", "llama_biases", "llama_biases-f16.gguf"), "q4_0")
	want, _ := digestAt(t, model, api.SourceTier)
	for _, tier := range []string{"f16", "q8_0", "q6_k", "q4_k"} {
		if got, _ := digestAt(t, model, tier); got != want {
			t.Errorf("a q4_0 file at %s is %s, not %s as it was", tier, got, want)
		}
	}
}

// TestTierReplaces: a tier is made beside what is served, of the same open file.
func TestTierReplaces(t *testing.T) {
	model := filepath.Join("testdata", "parts", "llama_biases", "llama_biases-f16.gguf")
	want, _ := digestAt(t, model, "q4_k")
	l, err := loader.Load(model, tierOptions(api.SourceTier))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	generation, err := l.Instance.Replace(tierOptions("q4_k").Weights(l.File), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Instance.Digest(generation); got != want {
		t.Errorf("replaced it is %s, loaded %s", got, want)
	}
}

// expected calls yield with the log-probabilities of all tokens at each place of each reference.
func expected(t *testing.T, path, tier string, lines []translation, yield func(at int, logs []float64)) {
	t.Helper()
	l, err := loader.Load(path, tierOptions(tier))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	at, logs := 0, make([]float64, l.Program.Vocab)
	for _, line := range lines {
		ids := append(append([]int32(nil), line.prompt...), line.reference[:len(line.reference)-1]...)
		err := e.rows(ids, len(line.prompt)-1, func(_ int, logits []float32) error {
			logSoftmax(logits, logs)
			yield(at, logs)
			at++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func logSoftmax(logits []float32, logs []float64) {
	most, sum := math.Inf(-1), 0.0
	for _, x := range logits {
		most = max(most, float64(x))
	}
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	for i, x := range logits {
		logs[i] = float64(x) - most - math.Log(sum)
	}
}

// divergence is the mean Kullback-Leibler divergence of a model's expectations from the full ones, in nats a token, and the
// share of places where both would choose the same token.
func divergence(t *testing.T, path, tier string, lines []translation, full [][]float32) (mean, same float64) {
	expected(t, path, tier, lines, func(at int, logs []float64) {
		kl, best, was := 0.0, 0, 0
		for i, p := range full[at] {
			kl += math.Exp(float64(p)) * (float64(p) - logs[i])
			if logs[i] > logs[best] {
				best = i
			}
			if p > full[at][was] {
				was = i
			}
		}
		mean += kl / float64(len(full))
		if best == was {
			same += 1 / float64(len(full))
		}
	})
	return mean, same
}

// fullTranslations is the model in float32: what it expects at each place.
func fullTranslations(t *testing.T, model string, lines []translation) (full [][]float32) {
	expected(t, model, api.SourceTier, lines, func(_ int, logs []float64) {
		row := make([]float32, len(logs))
		for i, x := range logs {
			row[i] = float32(x)
		}
		full = append(full, row)
	})
	return full
}

// tierQuality is what each tier of the translation model may cost at most as it is served, in nats a token: a tenth more than
// was measured.
var tierQuality = map[string]float64{"q8_0": 2.2e-4, "q6_k": 9.8e-4, "q5_k": 3e-3, "q4_k": 0.0124, "q3_k": 0.027, "q2_k": 0.113}

func TestTierQuality(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	lines := translations(t, dir)[:100]
	model := filepath.Join(dir, "gguf", "f32.gguf")
	full := fullTranslations(t, model, lines)
	for tier, limit := range tierQuality {
		got, _ := divergence(t, model, tier, lines, full)
		if t.Logf("%s: %.5f", tier, got); !(got <= limit && got > limit/20) {
			t.Errorf("%s diverges by %g, want %g or less", tier, got, limit)
		}
	}
}

// answering loads a model at a tier, for answers token by token.
func answering(t *testing.T, path, tier string) (l *loader.Loaded, e *evaluator, tok *tokenizer.Tokenizer) {
	t.Helper()
	l, err := loader.Load(path, tierOptions(tier))
	if err != nil {
		t.Fatal(err)
	}
	if e, err = newEvaluator(l.Instance); err == nil {
		tok, err = loader.NewTokenizer(l.File)
	}
	if err != nil {
		t.Fatal(errors.Join(err, l.Close()))
	}
	return l, e, tok
}

// greedyTexts are a model's own, token by token the most probable, as text.
func greedyTexts(t *testing.T, path, tier string, lines []translation) (texts []string) {
	t.Helper()
	l, e, tok := answering(t, path, tier)
	defer l.Close()
	for _, line := range lines {
		ids := greedyAnswer(t, e, line.prompt)
		texts = append(texts, strings.TrimSpace(tok.Decode(ids, false)))
	}
	return texts
}

// greedyAnswer goes on until the model ends, or for 96 tokens.
func greedyAnswer(t *testing.T, e *evaluator, prompt []int32) (ids []int32) {
	t.Helper()
	const end, most = 1, 96
	next, first := prompt, 0
	for len(ids) < most {
		outputs := []engine.Output{{Row: int32(len(next) - 1), Mode: engine.Sample}}
		if err := e.step(next, first, outputs); err != nil {
			t.Fatal(err)
		}
		first += len(next)
		id := e.batch.Results[0].Token
		if id == end {
			break
		}
		ids = append(ids, id)
		next = []int32{id}
	}
	return ids
}

// measuredTiers are the rows of the table. Published are mean divergences of the files that llama-quantize writes of this model, some
// of which are mixes; choices make these of the same types.
var measuredTiers = []struct {
	name, tier string
	choices    []string
	published  string
}{
	{"source", api.SourceTier, nil, ""},
	{"f16", "f16", nil, ""},
	{"q8_0", "q8_0", nil, "0.00008"},
	{"q6_k", "q6_k", nil, "0.00091"},
	{"q5_k", "q5_k", nil, ""},
	{"q5_k, mixed as q5_k_m", "q5_k", []string{`blk\.[25]\.(attn_v|ffn_down)=q6_k`}, "0.00279"},
	{"q4_k", "q4_k", nil, ""},
	{"q4_k, mixed as q4_k_m", "q4_k", []string{`blk\.[25]\.(attn_v|ffn_down)=q6_k`}, "0.01052"},
	{"q3_k", "q3_k", nil, "0.02397"},
	{"q3_k in all layers", "q3_k", []string{`attn_v|attn_output|ffn_down=q3_k`}, ""},
	{"q3_k, mixed as q3_k_m", "q3_k", []string{`blk\.[01]\.attn_v=q5_k`, `attn_v|attn_output|ffn_down=q4_k`}, "0.02397"},
	{"q2_k", "q2_k", nil, "0.13290"}, // the same mix
	{"q2_k in all layers", "q2_k", []string{`attn_v|attn_output|ffn_down=q2_k`}, ""},
	{"q5_0", "q5_0", nil, ""},
	{"q4_0", "q4_0", nil, "0.01561"},
}

// TestTierTable makes the table of docs/TIERS.md, in minutes: go test ./daemon -run TierTable -rewrite. A tier's row alone is made by -run
// TierTable/NAME; the document keeps the others.
func TestTierTable(t *testing.T) {
	if !*rewrite {
		t.Skip("with -rewrite it measures each tier of the translation model")
	}
	dir := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	lines := translations(t, dir)
	model := filepath.Join(dir, "gguf", "f32.gguf")
	had := document.Table{Name: "tiers", Head: []string{"tier", "MB", "KL of the weights", "KL as served", "same token, %", "BLEU", "chrF2", "KL of llama-quantize's"}}
	if err := had.Read("../docs/TIERS.md"); err != nil {
		t.Fatal(err)
	}
	table := document.Table{Name: had.Name, Head: had.Head}
	full := fullTranslations(t, model, lines)
	for _, m := range measuredTiers {
		row := slices.Repeat([]string{"-"}, len(had.Head))
		row[0] = m.name
		if i := slices.IndexFunc(had.Rows, func(row []string) bool { return row[0] == m.name }); i >= 0 {
			row = had.Rows[i]
		}
		t.Run(m.name, func(t *testing.T) {
			file := model
			if m.tier != api.SourceTier {
				file = quantised(t, model, m.tier, m.choices...)
			}
			row = append(append([]string{m.name}, measured(t, file, lines, full)...), m.published)
			t.Log(row)
		})
		table.Rows = append(table.Rows, row)
	}
	if t.Failed() {
		return
	}
	if err := table.Write("../docs/TIERS.md"); err != nil {
		t.Fatal(err)
	}
}

// measured are the table's figures of a file.
func measured(t *testing.T, file string, lines []translation, full [][]float32) []string {
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := divergence(t, quantised(t, file, "f32"), api.SourceTier, lines, full)
	served, same := divergence(t, file, api.SourceTier, lines, full)
	row := []string{fmt.Sprintf("%.2f", float64(info.Size())/1e6), fmt.Sprintf("%.5f", max(alone, 0)), fmt.Sprintf("%.5f", max(served, 0)), fmt.Sprintf("%.1f", 100*same)}
	texts := greedyTexts(t, file, api.SourceTier, lines)
	var references [][]string
	for _, line := range lines {
		references = append(references, []string{line.text})
	}
	for _, name := range []string{"bleu", "chrf"} {
		metric, err := score.New(name, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := score.Corpus(metric, texts, references, false)
		if err != nil {
			t.Fatal(err)
		}
		row = append(row, fmt.Sprintf("%.2f", r.Score))
	}
	return row
}
