package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/api"
	"chimera/engine"
	"chimera/internal/fixtures"
	document "chimera/internal/tables"
	"chimera/quality/score"
	"chimera/quality/stats"
)

// This file owns what each tier is to who is answered: how soon, how fast and how well, beside files that llama-quantize makes.

// servedTiers are the ladder; of each, what llama-quantize is told so that it makes a file of the same types in the same matrices.
var servedTiers = []struct {
	tier string
	peer []string
}{
	{api.SourceTier, nil}, {"f16", []string{"F16"}}, {"q8_0", []string{"Q8_0"}}, {"q6_k", []string{"Q6_K"}},
	{"q5_k", []string{"--pure", "--token-embedding-type", "q6_k", "Q5_K_S"}}, {"q4_k", []string{"--pure", "--token-embedding-type", "q6_k", "Q4_K_S"}},
	{"q3_k", []string{"--pure", "--token-embedding-type", "q6_k", "--tensor-type", "attn_v=q4_k", "--tensor-type", "attn_output=q4_k", "--tensor-type", "ffn_down=q4_k", "Q3_K_S"}},
	{"q2_k", []string{"--pure", "--token-embedding-type", "q6_k", "--tensor-type", "attn_v=q3_k", "--tensor-type", "attn_output=q3_k", "--tensor-type", "ffn_down=q3_k", "Q2_K"}},
}

// TestTierServing makes the table of docs/TIERS.md of tiers as they answer, in minutes: each test line alone, one after another. A tier's row alone is made by
// -run TierServing/NAME; the document keeps the others.
func TestTierServing(t *testing.T) {
	if !*rewrite {
		t.Skip("with -rewrite it has each tier of the translation model answer 1,000 lines")
	}
	dir, peer := fixtures.SharedDir(t, "CHIMERA_MT", "mt"), os.Getenv("CHIMERA_LLAMA_QUANTIZE")
	if peer == "" {
		t.Skip("CHIMERA_LLAMA_QUANTIZE names no llama-quantize")
	}
	lines, model := translations(t, dir), filepath.Join(dir, "gguf", "f32.gguf")
	full := fullTranslations(t, model, lines)
	table := document.Table{Name: "serving", Head: []string{"tier", "MB", "tokens/s", "TTFT, ms", "BLEU", "chrF2", "KL", "same token, %", "KL of the weights", "llama-quantize's"}}
	if err := table.Read("../docs/TIERS.md"); err != nil {
		t.Fatal(err)
	}
	for i, s := range servedTiers {
		if len(table.Rows) == i {
			table.Rows = append(table.Rows, append([]string{s.tier}, slices.Repeat([]string{"-"}, len(table.Head)-1)...))
		}
		t.Run(s.tier, func(t *testing.T) {
			file := model
			if s.tier != api.SourceTier {
				file = quantised(t, model, s.tier)
			}
			row := servingRow(t, file, lines, full)
			if s.peer != nil {
				ours, theirs := peersDivergence(t, peer, model, file, s.peer, lines, full)
				row = append(row[:len(row)-2], fmt.Sprintf("%.5f", max(ours, 0)), fmt.Sprintf("%.5f", max(theirs, 0)))
				if !(ours <= 1.01*theirs+1e-6) {
					t.Errorf("it diverges by %v, llama-quantize's by %v", ours, theirs)
				}
			}
			table.Rows[i] = append([]string{s.tier}, row...)
			t.Log(table.Rows[i])
		})
	}
	if err := table.Write("../docs/TIERS.md"); err != nil {
		t.Fatal(err)
	}
}

// servingRow are the table's figures of a file, the last two left open.
func servingRow(t *testing.T, file string, lines []translation, full [][]float32) []string {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	a := servedAnswers(t, file, lines)
	kl, same := divergence(t, file, api.SourceTier, lines, full)
	return []string{
		fmt.Sprintf("%.2f", float64(info.Size())/1e6), fmt.Sprintf("%.0f", a.speed), fmt.Sprintf("%.2f", a.ttft),
		withInterval(t, "bleu", a.texts, lines), withInterval(t, "chrf", a.texts, lines), fmt.Sprintf("%.5f", max(kl, 0)), fmt.Sprintf("%.1f", 100*same), "", "",
	}
}

// answered are greedy answers, and how they came: tokens a second behind the first of each, and the median time to that in milliseconds.
type answered struct {
	texts       []string
	speed, ttft float64
}

func servedAnswers(t *testing.T, file string, lines []translation) (a answered) {
	t.Helper()
	l, e, tok := answering(t, file, api.SourceTier)
	defer l.Close()
	var firsts []float64
	var rest time.Duration
	tokens := 0
	for _, line := range lines {
		began := time.Now()
		if err := e.step(line.prompt, 0, []engine.Output{{Row: int32(len(line.prompt) - 1), Mode: engine.Sample}}); err != nil {
			t.Fatal(err)
		}
		first := time.Since(began)
		ids := greedyAnswer(t, e, line.prompt) // from the beginning again
		rest += time.Since(began) - 2*first
		firsts, tokens = append(firsts, float64(first.Microseconds())/1000), tokens+len(ids)
		a.texts = append(a.texts, strings.TrimSpace(tok.Decode(ids, false)))
	}
	slices.Sort(firsts)
	a.ttft, a.speed = firsts[len(firsts)/2], float64(tokens)/rest.Seconds()
	return a
}

// withInterval is a score of answers with its 95 % interval over lines.
func withInterval(t *testing.T, name string, texts []string, lines []translation) string {
	t.Helper()
	m, err := score.New(name, "")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]float64
	var items []int
	for i, text := range texts {
		rows, items = append(rows, m.Counts(text, []string{lines[i].text})), append(items, i)
	}
	in, err := stats.Bootstrap(rows, items, m.Score, stats.Resampling{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%.2f (%.1f to %.1f)", in.Estimate, in.Low, in.High)
}

// peersDivergence is that of the weights in a file of ours, and in one that llama-quantize makes, which must be as large but for what its metadata takes.
func peersDivergence(t *testing.T, peer, model, file string, args []string, lines []translation, full [][]float32) (ours, theirs float64) {
	t.Helper()
	out, last := filepath.Join(t.TempDir(), "peer.gguf"), len(args)-1
	if text, err := exec.Command(peer, append(append(slices.Clone(args[:last]), model, out), args[last], "2")...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	a, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if difference := b.Size() - a.Size(); difference < -4096 || difference > 4096 {
		t.Errorf("llama-quantize %v makes %d bytes, ours are %d", args, b.Size(), a.Size())
	}
	ours, _ = divergence(t, quantised(t, file, "f32"), api.SourceTier, lines, full)
	theirs, _ = divergence(t, quantised(t, out, "f32"), api.SourceTier, lines, full)
	return ours, theirs
}
