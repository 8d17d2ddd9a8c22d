package daemon

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chimera/api"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/model"
	group "chimera/quality/control"
	"chimera/quality/score"
	"chimera/quality/tier"
	"chimera/weights"
)

// This file owns the values that detectors of drift are simulated with: of each line of the translation model's test suite what a window has of a
// request, at each tier and at tiers that are spoilt. -rewrite alone makes them, in minutes: go test ./daemon -run PairedValues -rewrite

// pairedFile is where package drift's tests read what windows have, and runsFile what runs of a suite have: the counts that its metrics are made of.
const (
	pairedFile = "../quality/drift/testdata/paired.csv"
	runsFile   = "../quality/drift/testdata/runs.csv.gz"
)

// spoilt are tiers that are measured. Noise is put in before the tier is made; see noisy.
var spoilt = []struct {
	tier  string
	noise float64
}{{"q8_0", 0}, {"q6_k", 0}, {"q5_k", 0}, {"q4_k", 0}, {"q4_k", 0.078}, {"q4_k", 0.2}, {"q3_k", 0}, {"q2_k", 0}}

// evaluatorAt loads the translation model at a tier with noise.
func evaluatorAt(t *testing.T, path, name string, noise float64) *evaluator {
	t.Helper()
	f, p, err := loader.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	o := tierOptions(name)
	backend, err := o.OpenBackend(path)
	if err != nil {
		t.Fatal(err)
	}
	w := o.Weights(f)
	if noise > 0 {
		source := model.NewSource(f)
		at := slices.IndexFunc(weights.Tiers(), func(t weights.Type) bool { return strings.EqualFold(t.String(), name) })
		w = tier.New(noisy{source, noise}, loader.Recipe(f, weights.Tiers()[at]), loader.Search, loader.Pace)
	}
	l, err := loader.LoadOn(backend, f, p, o, w, func(*engine.Plan) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		backend.Close()
	})
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// positions are what a model expects at each token of an answer.
func positions(t *testing.T, e *evaluator, prompt, answer []int32) (list []group.Position) {
	t.Helper()
	ids := append(slices.Clone(prompt), answer[:len(answer)-1]...)
	err := e.rows(ids, len(prompt)-1, func(_ int, logits []float32) error {
		logs, order := make([]float64, len(logits)), make([]int32, len(logits))
		logSoftmax(logits, logs)
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortFunc(order, func(a, b int32) int {
			switch {
			case logs[a] > logs[b]:
				return -1
			case logs[a] < logs[b]:
				return 1
			}
			return int(a - b)
		})
		position := make(group.Position, group.TopTokens)
		for i := range position {
			position[i] = group.Likely{Token: order[i], LogProbability: min(0, logs[order[i]])}
		}
		list = append(list, position)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPairedValues(t *testing.T) {
	if !*rewrite {
		t.Skip("with -rewrite it measures what drift is simulated with")
	}
	dir := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	lines, path := translations(t, dir), filepath.Join(dir, "gguf", "f32.gguf")
	tok, err := OpenTokenizer(path)
	if err != nil {
		t.Fatal(err)
	}
	text := func(ids []int32) string { return strings.TrimSpace(tok.Decode(ids, false)) }
	chrf := func(ids []int32, line translation) float64 {
		var c score.ChrF
		return c.Sentence(c.Counts(text(ids), []string{line.text}))
	}
	source := reading{evaluatorAt(t, path, api.SourceTier, 0), tok}
	wrong, answers, control := garbled(lines), make([][]int32, len(lines)), make([]float64, len(lines))
	for i, line := range lines {
		answers[i] = greedyAnswer(t, source.evaluator, line.prompt)
		control[i] = chrf(answers[i], line)
	}
	rows := [][]string{{"tier", "noise", "tokens", "same", "kl", "chrf", "chrf_control"}}
	runs := [][]string{append([]string{"tier", "noise", agreement}, lineMetrics...)}
	number := func(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
	for _, s := range spoilt {
		served, noise := reading{evaluatorAt(t, path, s.tier, s.noise), tok}, fmt.Sprint(s.noise)
		tokens, same := 0.0, 0.0
		for i, line := range lines {
			answer := append(greedyAnswer(t, served.evaluator, line.prompt), 1) // with its end
			p, err := group.Compare(positions(t, source.evaluator, line.prompt, answer), positions(t, served.evaluator, line.prompt, answer))
			if err != nil {
				t.Fatal(err)
			}
			tokens, same = tokens+p.Tokens, same+p.Same
			said := text(answer[:len(answer)-1])
			rows = append(rows, []string{s.tier, noise, number(p.Tokens, 0), number(p.Same, 0), number(p.KL, 4), number(chrf(answer[:len(answer)-1], line), 1), number(control[i], 1)})
			row := []string{s.tier, noise, countsText(agreed(t, served.evaluator, line.prompt, append(slices.Clone(answers[i]), 1)))}
			judged := line.judged(t, served, source, answer, said, wrong[i])
			for _, metric := range lineMetrics {
				row = append(row, countsText(judged[metric]))
			}
			runs = append(runs, row)
		}
		t.Logf("%s with noise of %g: agreement %.4f", s.tier, s.noise, same/tokens)
	}
	writeValues(t, pairedFile, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(rows) })
	writeValues(t, runsFile, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(csv.NewWriter(z).WriteAll(runs), z.Close())
	})
}

// agreed is how many tokens of the source's answer a tier would have chosen too, and how many there are.
func agreed(t *testing.T, e *evaluator, prompt, answer []int32) []float64 {
	t.Helper()
	same := 0.0
	for i, p := range positions(t, e, prompt, answer) {
		if p[0].Token == answer[i] {
			same++
		}
	}
	return []float64{same, float64(len(answer))}
}

// countsText is counts with blanks between.
func countsText(counts []float64) string { return strings.Trim(fmt.Sprint(counts), "[]") }

func writeValues(t *testing.T, path string, to func(io.Writer) error) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(to(file), file.Close()); err != nil {
		t.Fatal(err)
	}
}
