package daemon

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"chimera/api"
	"chimera/quality/eval"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns tests of what a tier is beside its source over whole suites, by answers that are made up.

// sentences is a suite of translations, every other one in the sealed half.
func sentences(t *testing.T, items int) *suite.Suite {
	t.Helper()
	var text strings.Builder
	for i := range items {
		fmt.Fprintf(&text, `{"id": "s-%d", "kind": "translation", "input": "sentence %d", "references": [%q], "half": %q}`+"\n", i, i, lineOf(i), []string{"tuning", "sealed"}[i%2])
	}
	s, err := suite.Read("made-up", strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func lineOf(i int) string { return fmt.Sprintf("the %d cats sat on the mat in the garden", i) }

// madeUpRun is a suite whose items have been given answers, of whose tokens so many are the source's, of ten.
func madeUpRun(t *testing.T, s *suite.Suite, answer func(i int) (text string, agrees float64)) *suiteRun {
	t.Helper()
	run := &suiteRun{run: &eval.Run{Suite: s, Settings: eval.Settings{MaxTokens: 32}, Who: eval.Identity{Model: "m", Numerics: "n"}}, agrees: map[string][]float64{}}
	var outcomes []eval.Outcome
	for i := range s.Items {
		text, agrees := answer(i)
		outcomes = append(outcomes, eval.Outcome{ID: s.Items[i].ID, Text: text, Finish: "stop"})
		run.agrees[s.Items[i].ID] = []float64{agrees, 10}
	}
	var err error
	if run.report, err = run.run.Report(outcomes); err != nil {
		t.Fatal(err)
	}
	return run
}

// A tier that loses on the sealed half alone has lost, and has a gap; each row is paired, of all items, and no experiment that clients are shown.
func TestTierBesideItsSource(t *testing.T) {
	r := newRemembering(t, nil)
	s := sentences(t, 120)
	source := madeUpRun(t, s, func(i int) (string, float64) { return lineOf(i), 10 })
	tier := madeUpRun(t, s, func(i int) (string, float64) {
		if i%2 == 1 && i%3 == 0 {
			return strings.Replace(lineOf(i), "garden", "house", 1), 7
		}
		return lineOf(i), 10
	})
	if err := r.models.addCompared(tier, source, s, "q4_k"); err != nil {
		t.Fatal(err)
	}
	rows := map[string]store.Experiment{}
	for _, e := range r.causes() {
		rows[string(e.Kind)+" "+e.Measure] = e
		if e.Model != "m" || e.Factor != "made-up" || e.Off != api.SourceTier || e.On != "q4_k" || e.N != 120 || !strings.Contains(e.Method, "paired by item") {
			t.Errorf("%+v", e)
		}
	}
	for _, metric := range []string{"chrf", "bleu"} {
		whole, halves := rows["tier "+metric], rows["halves "+metric]
		if loss := whole.After - whole.Before; !(math.Abs(whole.Before-100) <= 1e-6) || !(whole.High < 0) || !(whole.Low < loss && loss < whole.High) {
			t.Errorf("%s: %+v", metric, whole)
		}
		if !(halves.Low > 0) || halves.Before >= 0 || !(math.Abs(halves.After) < 1e-9) {
			t.Errorf("%s, halves: %+v", metric, halves)
		}
	}
	whole, halves := rows["tier agreement"], rows["halves agreement"]
	if whole.Before != 1 || !(math.Abs(whole.After-0.95) <= 1e-9) || !(whole.High < 0) || !(math.Abs(halves.Before+0.1) <= 1e-9) || !(math.Abs(halves.After) <= 1e-9) || !(halves.Low > 0) {
		t.Errorf("agreement: %+v, halves %+v", whole, halves)
	}
	var shown api.ExperimentState
	r.must("GET", "/v1/experiments", administrator, nil, &shown)
	if len(shown.Experiments) != 0 {
		t.Errorf("%+v", shown.Experiments)
	}
}
